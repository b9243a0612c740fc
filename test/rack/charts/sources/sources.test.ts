// Our own charts, packed and fetched again from each kind of source: a folder, an index that Pilotlight's own server
// hands out, and a registry that is not ours.

import { absent } from '../../../absent.ts'
import { spawn } from 'node:child_process'
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
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

/** What Helm refuses of a chart: files of it, and how the message ends. */
const broken: readonly [what: string, files: Record<string, string>, message: RegExp][] = [
  ['a tab', { 'values.yaml': 'conf:\n\tdebug: on\n' }, /DIR\/values\.yaml:2:1 a tab is used as indentation/],
  ['.inf', { 'values.yaml': 'conf:\n  limit: .inf\n' }, /DIR\/values\.yaml:2:10 "\.inf"/],
  ['an anchor without an end', { 'values.yaml': 'a: &a { b: *a }\n' }, /DIR\/values\.yaml:1:\d+ /],
  ['a list', { 'values.yaml': '- conf\n' }, /DIR\/values\.yaml:1:1 holds no map/],
  [
    'Latin-1',
    { 'values.yaml': 'conf: on\nname: caf\xe9\n' },
    /DIR\/values\.yaml:2:1 has bytes that are not UTF-8/,
  ],
  ['YAML 1.2', { 'values.yaml': '%YAML 1.2\n---\na: 1\n' }, /DIR\/values\.yaml:1:1 it says %YAML 1\.2/],
  [
    'a key twice',
    { 'values.yaml': 'on: 1\n"true": 2\n' },
    /DIR\/values\.yaml:2:1 the key "true" is written twice/,
  ],
  ['a broken Chart.yaml', { 'Chart.yaml': 'name: small\nversion: "1\n' }, /DIR\/Chart\.yaml:\d:\d+ /],
  ['no version', { 'Chart.yaml': 'name: small\n' }, /DIR\/Chart\.yaml has no version/],
  ['an empty Chart.yaml', { 'Chart.yaml': '' }, /DIR\/Chart\.yaml is empty, or not there/],
  [
    'dependencies that are a number',
    { 'Chart.yaml': 'name: small\nversion: 1.0.0\ndependencies: 5\n' },
    /DIR\/Chart\.yaml has dependencies that are not a list/,
  ],
  [
    'a dependency without a name',
    { 'Chart.yaml': 'name: small\nversion: 1.0.0\ndependencies: [~]\n' },
    /DIR\/Chart\.yaml has a dependency without the name of a chart/,
  ],
  [
    'a broken chart inside',
    { 'charts/inner/Chart.yaml': 'name: inner\nversion: 1.0.0\n', 'charts/inner/values.yaml': 'a: [\n' },
    /DIR\/charts\/inner\/values\.yaml:\d:\d+ /,
  ],
]

for (const [what, files, message] of broken)
  test(`a chart with ${what} is refused by the file where its source has it`, async t => {
    const source = await mkdtemp(join(scratch, 'broken-'))
    await writeChartFiles(join(source, 'small'), { 'Chart.yaml': 'name: small\nversion: 1.0.0\n' })
    const lock = await pinCharts(source, [{ name: 'small' }], { helm })
    await writeChartFiles(join(source, 'small'), files)
    const refused = {
      code: 'CHART_FILE',
      message: new RegExp(`^Chart small: ${message.source.replace('DIR', join(source, 'small'))}`),
    }
    await t.rejects(pinCharts(source, [{ name: 'small' }], { helm }), refused)
    const charts = lockedCharts(lock, { helm, cache: join(scratch, 'cache') })
    await t.rejects(charts.unpack('small', await mkdtemp(join(scratch, 'into-'))), refused)
  })

test('of an archive the chart is named with its source, and so is what is not an archive', async t => {
  const source = await mkdtemp(join(scratch, 'archives-'))
  const made = join(scratch, 'to-pack')
  await writeChartFiles(join(made, 'small'), {
    'Chart.yaml': 'name: small\nversion: 1.0.0\n',
    'values.yaml': 'a:\n  b: .nan\n',
  })
  const archive = join(source, 'small-1.0.0.tgz')
  await run('tar', ['--create', '--gzip', `--file=${archive}`, `--directory=${made}`, 'small'], {
    limitSeconds: 20,
  })
  await t.rejects(pinCharts(source, [{ name: 'small' }], { helm }), {
    code: 'CHART_FILE',
    message: `Chart small from ${source}: small/values.yaml:2:6 ".nan" is not a number that JSON has: Helm refuses it`,
  })
  await writeFile(archive, 'a page of a proxy')
  await t.rejects(pinCharts(source, [{ name: 'small' }], { helm }), {
    code: 'CHART_FILE',
    message: new RegExp(`^Chart small: its archive from ${source} has no folder small: `),
  })
})

test('a chart beside another is named where it is, not where it was copied to', async t => {
  const source = await mkdtemp(join(scratch, 'beside-'))
  await writeChartFiles(join(source, 'small'), {
    'Chart.yaml': 'name: small\nversion: 1.0.0\ndependencies: [{ name: toolkit, version: ">= 0" }]\n',
  })
  await writeChartFiles(join(source, 'toolkit'), {
    'Chart.yaml': 'name: toolkit\nversion: 1.0.0\n',
    'values.yaml': 'a: !!int "x"\n',
  })
  await t.rejects(pinCharts(source, [{ name: 'small' }], { helm }), {
    code: 'CHART_FILE',
    message: new RegExp(`^Chart toolkit: ${source}/toolkit/values.yaml:1:10 `),
  })
})

async function writeChartFiles(folder: string, files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text, 'latin1')
  }
}

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
