// Our own charts, packed and fetched again from each kind of source: a folder, an index that Pilotlight's own server
// hands out, and a registry that is not ours.

import { absent } from '../../../absent.ts'
import { spawn } from 'node:child_process'
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, test } from 'tap'
import { chartNames, ourCharts } from '#rack/charts/sources/ours.ts'
import { lockedCharts, pinCharts } from '#rack/charts/sources/locked.ts'
import { parseLock, readLock, writeLock } from '#rack/charts/sources/lock-file.ts'
import { packageCharts } from '#rack/charts/sources/package.ts'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'
import { silentStage } from '#progress/stage.ts'
import { findTool } from '../../cluster/api-server.ts'

const helm = findTool('helm') ?? 'helm'
const skip = findTool('helm') === undefined ? 'helm not built yet (pilotlight lab builds it)' : false
const scratch = await mkdtemp(join(tmpdir(), 'pilotlight-'))
after(() => rm(scratch, { recursive: true, force: true }))

const packed = join(scratch, 'packed')
if (skip === false) await packageCharts(packed, { helm })

test('each of our charts is packed, and the index names it', { skip }, async t => {
  const index = await readFile(join(packed, 'index.yaml'), 'utf8')
  const names = await chartNames()
  t.ok(names.includes('keystone'))
  t.notOk(names.includes('lib'))
  for (const name of names) t.match(index, `name: ${name}\n`)
})

const noRegistry = skip || absent('docker-registry')

test(
  'a folder, an index over HTTP and an OCI registry give the same chart',
  { skip: noRegistry },
  async t => {
    const index = await served(packed)
    t.teardown(index.close)
    const registry = await ociRegistry(join(scratch, 'registry'))
    t.teardown(registry.close)
    const archive =
      (await packageCharts(packed, { helm })).find(it => basename(it).startsWith('memcached-')) ?? ''
    await run(helm, ['push', archive, registry.url, '--plain-http'], { limitSeconds: 30 })

    const version = /memcached-(.*)\.tgz/.exec(archive)?.[1] ?? ''
    const ours = await ourCharts.unpack('memcached', join(scratch, 'ours'))
    const template = await readFile(join(ours.path, 'templates/all.yaml'), 'utf8').catch(async () =>
      readFile(join(ours.path, 'values.yaml'), 'utf8'),
    )
    for (const source of [join(scratch, 'ours'), packed, index.url, registry.url]) {
      const lock = await pinCharts(source, [{ name: 'memcached', version }], { helm })
      t.equal(lock.charts['memcached']?.version, version, source)
      const into = await mkdtemp(join(scratch, 'into-'))
      const charts = lockedCharts(lock, { helm, cache: join(scratch, 'cache') })
      const { path } = await charts.unpack('memcached', into)
      const same = await readFile(join(path, 'templates/all.yaml'), 'utf8').catch(async () =>
        readFile(join(path, 'values.yaml'), 'utf8'),
      )
      t.equal(same, template, source)
    }
  },
)

test('what was fetched once is taken from the cache when its source is gone', { skip }, async t => {
  const index = await served(packed)
  const lock = await pinCharts(index.url, [{ name: 'memcached' }], { helm })
  const charts = lockedCharts(lock, { helm, cache: join(scratch, 'kept') })
  const first = await charts.unpack('memcached', join(scratch, 'one'))
  await index.close()
  t.same((await charts.unpack('memcached', join(scratch, 'two'))).hash, first.hash)
})

test('a chart that is not the locked one is refused, with both digests', { skip }, async t => {
  const folder = join(scratch, 'changed')
  await mkdir(join(folder, 'small'), { recursive: true })
  await writeFile(join(folder, 'small', 'Chart.yaml'), 'apiVersion: v2\nname: small\nversion: 1.0.0\n')
  const lock = await pinCharts(folder, [{ name: 'small' }], { helm })
  const charts = lockedCharts(lock, { helm, cache: join(scratch, 'cache') })
  await charts.unpack('small', join(scratch, 'before'))
  await appendFile(join(folder, 'small', 'Chart.yaml'), '# changed\n')
  await t.rejects(charts.unpack('small', join(scratch, 'after')), {
    code: 'CHART_LOCK',
    message: new RegExp(`is not the one that was locked.*${lock.charts['small']?.sha256}`),
  })
  await t.rejects(charts.unpack('other', scratch), { message: /other is not in the lock file/ })
})

test('a chart that is nowhere is named with its source', { skip }, async t => {
  const closed = await served(packed)
  await closed.close()
  for (const source of [join(scratch, 'nothing'), packed, closed.url, closed.url.replace('http', 'oci')])
    await t.rejects(
      pinCharts(source, [{ name: 'no-such-chart', version: '1.0.0' }], { helm }),
      { code: 'CHART_NOT_FOUND', message: `Chart no-such-chart is not available from ${source}` },
      source,
    )
})

test('a lock file reads back as it was written, and a broken one says how', async t => {
  const path = join(scratch, 'charts.lock')
  t.equal(await readLock(path), undefined)
  const lock = {
    source: 'oci://registry.example/charts',
    charts: { a: { version: '1', sha256: 'ab'.repeat(32) } },
  }
  writeLock(path, lock)
  t.same(await readLock(path), lock)
  for (const text of ['', 'source: x', 'source: x\ncharts: { a: { version: 1.0.0 } }', '{'])
    t.throws(() => parseLock(path, text), { code: 'CHART_LOCK' }, text)
})

async function served(folder: string): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    readFile(join(folder, basename(request.url ?? ''))).then(
      bytes => response.end(bytes),
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const close = async () => {
    server.closeAllConnections()
    await new Promise(closed => server.close(closed))
  }
  return { url: `http://127.0.0.1:${port}`, close }
}

/** Debian's own registry on a port that was free just before. */
async function ociRegistry(folder: string): Promise<{ url: string; close: () => Promise<void> }> {
  const probe = await served(folder)
  await probe.close()
  const address = new URL(probe.url).host
  await mkdir(folder, { recursive: true })
  const config = join(folder, 'config.yml')
  await writeFile(
    config,
    `version: 0.1\nlog: { level: error }\nstorage: { filesystem: { rootdirectory: ${folder} } }\nhttp: { addr: '${address}' }\n`,
  )
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' })
  const ended = new Promise(exit => child.once('exit', exit))
  await waitUntil('the registry answers', { limitSeconds: 20, stage: silentStage }, async () => {
    await (await fetch(`http://${address}/v2/`)).body?.cancel()
    return { value: true }
  })
  const close = async () => {
    child.kill()
    await ended
  }
  return { url: `oci://${address}/charts`, close }
}
