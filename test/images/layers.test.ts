// Layers of files, read back by the real tar.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t from 'tap'

import { run } from '#host/command.ts'
import { packFiles, withParents } from '#images/layers.ts'
import { silentStage } from '#progress/stage.ts'

t.test('directories come before their contents, and once', async t => {
  const files = ['usr/local/bin/a', 'usr/local/bin/b', 'opt/c'].map(path => ({ path, mode: 0o755, size: 0 }))
  t.same(
    withParents(files).map(entry => entry.path),
    ['usr/', 'usr/local/', 'usr/local/bin/', 'usr/local/bin/a', 'usr/local/bin/b', 'opt/', 'opt/c'],
  )
})

t.test('a layer of files unpacks to the same files, and its digest is that of its bytes', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'pilotlight-layer-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const program = join(directory, 'program')
  await writeFile(program, 'x'.repeat(1000))
  const log = join(directory, 'log')
  await packFiles({ directory, needs: {}, stage: silentStage, log }, [
    { from: program, to: '/usr/bin/program' },
  ])
  const tar = join(directory, 'layer.tar')
  await run('tar', ['--extract', `--file=${tar}`, `--directory=${directory}`], { limitSeconds: 10 })
  t.equal(await readFile(join(directory, 'usr/bin/program'), 'utf8'), 'x'.repeat(1000))
  const { stdout } = await run('sha256sum', [tar], { limitSeconds: 10 })
  const layer: unknown = JSON.parse(await readFile(join(directory, 'layer.json'), 'utf8'))
  t.same(layer, { digest: `sha256:${stdout.slice(0, 64)}`, size: (await readFile(tar)).length })
})
