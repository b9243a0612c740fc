import t from 'tap'
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '#host/command.ts'
import { bundleArchive } from '#server/agent/bundle.ts'

const files = [
  { path: '/etc/kubernetes/pki/ca.key', mode: 0o600, content: 'secret\n' },
  { path: '/usr/local/bin/agent', mode: 0o755, content: `#!/bin/sh\n${'x'.repeat(1500)}\n` },
  { path: `/${'folder/'.repeat(20)}${'n'.repeat(90)}`, mode: 0o644, content: 'grün' },
  { path: '/empty', mode: 0o640, content: '' },
]

t.test('real tar lists and unpacks what it holds', async t => {
  const folder = t.testdir()
  writeFileSync(join(folder, 'bundle.tar'), bundleArchive(files, 1_700_000_000))
  const { stdout } = await run('tar', ['-tvf', 'bundle.tar'], { limitSeconds: 10, cwd: folder })
  t.match(stdout, /^-rw------- 0\/0 +7 2023-11-14 .* etc\/kubernetes\/pki\/ca\.key$/m)
  const into = mkdtempSync(join(folder, 'root-'))
  const args = ['-xpf', 'bundle.tar', '--no-same-owner', '-C', into]
  await run('tar', args, { limitSeconds: 10, cwd: folder })
  for (const { path, mode, content } of files) {
    t.equal(readFileSync(join(into, path), 'utf8'), content, path)
    t.equal(statSync(join(into, path)).mode & 0o7777, mode, path)
  }
})

t.test('a path without a place in the format is refused by name', async t => {
  for (const path of ['/', '/a/../b', `/${'x'.repeat(101)}`, `/${'x/'.repeat(128)}y`]) {
    t.throws(
      () => bundleArchive([{ path, mode: 0o600, content: '' }], 0),
      { code: 'UNFIT_PATH' },
      path.slice(0, 20),
    )
  }
})
