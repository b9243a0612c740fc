import t from 'tap'
import { createHash } from 'node:crypto'
import { readFileSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { run } from '#host/command.ts'
import { plainPlace } from '#server/protocols/http/wire/targets.ts'
import { site, testServer } from '../../../serving.ts'
import { absent } from '../../../../absent.ts'

const image = Buffer.alloc(5_000_003, 'pilotlight ')

function folders(t: Parameters<typeof testServer>[0]) {
  const root = t.testdir({
    secret: 'not for you',
    assets: {
      live: { vmlinuz: 'kernel', 'rootfs.squashfs': image, 'initrd.img': 'initrd' },
      'a b.txt': 'text',
    },
    loaders: { 'snponly.efi': 'loader', notes: 'no loader' },
    boot: { 'ipxe.efi': 'linked loader' },
  })
  symlinkSync(join(root, 'secret'), join(root, 'assets/link'))
  symlinkSync('live/vmlinuz', join(root, 'assets/kernel'))
  symlinkSync('../boot/ipxe.efi', join(root, 'loaders/ipxe.efi'))
  return {
    assetsPath: join(root, 'assets'),
    loadersPath: join(root, 'loaders'),
    statePath: join(root, 'state'),
  }
}

const curl = (...args: string[]) => run('curl', ['-sS', '-D', '-', ...args], { limitSeconds: 20 })

t.test('real curl gets whole files and parts of them', { skip: absent('curl') }, async t => {
  const { url, statePath } = await testServer(t, folders(t))
  const into = join(statePath, 'got')
  const rootfs = `${url}/assets/live/rootfs.squashfs`
  t.match((await curl('-o', into, rootfs)).stdout, /content-length: 5000003/i)
  t.equal(
    createHash('sha256').update(readFileSync(into)).digest('hex'),
    createHash('sha256').update(image).digest('hex'),
  )
  t.match(
    (await curl('-r', '4000000-', '-o', into, rootfs)).stdout,
    /206 .*content-range: bytes 4000000-5000002\/5000003/is,
  )
  t.ok(readFileSync(into).equals(image.subarray(4_000_000)))
  t.match(
    (await curl('-r', '6000000-', '-o', into, rootfs)).stdout,
    /416 .*content-range: bytes \*\/5000003/is,
  )
  t.match((await curl('-I', rootfs)).stdout, /200 .*content-length: 5000003/is)
  const etag = /etag: (\S+)/i.exec((await curl('-I', rootfs)).stdout)?.[1] ?? ''
  t.match((await curl('-H', `If-None-Match: ${etag}`, rootfs)).stdout, / 304 /)
  t.match((await curl('-o', into, '-z', into, `${url}/assets/kernel`)).stdout, / 304 | 200 /)
  t.match((await curl(`${url}/assets/a%20b.txt`)).stdout, /text\/plain.*text$/s)
})

t.test('nothing outside of the folder is served, however it is asked for', async t => {
  const { url } = await testServer(t, folders(t))
  const { port } = new URL(url)
  const status = (path: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const asked = request({ port, path, agent: false }, answer => {
        answer.resume()
        resolve(answer.statusCode)
      })
      asked.on('error', reject).end() // node:http sends the path as it is
    })
  const ways = [
    '/assets/../secret',
    '/assets/%2e%2e/secret',
    '/assets/..%2fsecret',
    '/assets/live/../../secret',
  ]
  for (const path of [
    ...ways,
    '/assets/link',
    '/assets/secret%00',
    '/assets//../secret',
    '/loaders/..%2fsecret',
  ]) {
    // What is not written plainly is sent to the plain place, which is then asked for on its own.
    const plain = plainPlace(path)
    t.equal(await status(path), plain === undefined ? 404 : 307, path)
    if (plain !== undefined) t.equal(await status(plain), 404, plain)
  }
  for (const path of ['/assets/x#%E6', '/assets/%E6', '/x%E6']) {
    t.equal(await status(path), 404, `${path}: a name that is not UTF-8`)
  }
  t.equal(await status('/assets/%E'), 400, 'an escape that is none')
  t.equal(await status('/assets/kernel'), 200, 'a link within the folder is followed')
})

t.test('a folder is listed, or shows its index page', async t => {
  const root = t.testdir({
    assets: {
      'a b&<c>.txt': 'odd',
      'x:y': 'colon',
      sub: { deep: 'd' },
      site: { 'index.html': '<h1>hello</h1>' },
    },
  })
  const server = await testServer(t, { assetsPath: join(root, 'assets'), statePath: join(root, 'state') })
  const page = await server.get('/assets/')
  t.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
  t.equal(
    await page.text(),
    '<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n' +
      '<a href="a%20b&%3Cc%3E.txt">a b&amp;&lt;c&gt;.txt</a>\n<a href="site/">site/</a>\n' +
      '<a href="sub/">sub/</a>\n<a href="./x:y">x:y</a>\n</pre>\n',
  )
  t.equal(await (await server.get('/assets/site/')).text(), '<h1>hello</h1>')
  const places = [
    ['/assets/sub?x=1', 'sub/?x=1'],
    ['/assets/site/index.html', './'],
    ['/assets/sub/deep/', '../deep'],
  ] as const
  for (const [asked, place] of places) {
    const answer = await server.get(asked)
    t.equal(answer.status, 301, asked)
    t.equal(answer.headers.get('location'), place)
  }
})

t.test('several parts of a file come in one answer', async t => {
  const server = await testServer(t, folders(t))
  const answer = await server.get('/assets/live/vmlinuz', { range: 'bytes=0-1,4-' })
  t.equal(answer.status, 206)
  const text = (await answer.text()).replaceAll(/--[0-9a-f]{60}/g, '--BOUNDARY')
  const type = 'Content-Type: text/plain; charset=utf-8\r\n\r\n'
  t.equal(
    text,
    `--BOUNDARY\r\nContent-Range: bytes 0-1/6\r\n${type}ke\r\n` +
      `--BOUNDARY\r\nContent-Range: bytes 4-5/6\r\n${type}el\r\n--BOUNDARY--\r\n`,
  )
  t.equal(
    answer.headers.get('content-length'),
    String(Buffer.byteLength(text) + 3 * (60 - 'BOUNDARY'.length)),
  )
})

t.test(
  'conditions and types are those of the name and the method that were asked',
  { skip: absent('curl') },
  async t => {
    const settings = folders(t)
    const { assetsPath } = settings
    writeFileSync(join(assetsPath, '.json'), 'plain text')
    writeFileSync(join(assetsPath, 'undated'), 'x')
    utimesSync(join(assetsPath, 'undated'), 0, 0)
    utimesSync(join(assetsPath, 'a b.txt'), 1_000_000_000, 1_000_000_000)
    symlinkSync('a b.txt', join(assetsPath, 'page.html'))
    symlinkSync('.json', join(assetsPath, 'named'))
    const server = await testServer(t, settings)
    const typeOf = async (path: string) => (await server.get(path)).headers.get('content-type')
    t.equal(await typeOf('/assets/.json'), 'application/json')
    t.equal(await typeOf('/assets/named'), 'text/plain; charset=utf-8', 'of the link, not of its file')
    t.equal(await typeOf('/assets/page.html'), 'text/html; charset=utf-8')
    t.equal((await server.get('/assets/undated')).headers.get('last-modified'), null)
    const statusOf = async (method: string, headers: Record<string, string>) =>
      (await fetch(`${server.url}/assets/a%20b.txt`, { method, headers })).status
    const since = { 'if-modified-since': 'Sunday, 09-Sep-01 01:46:40 GMT' }
    t.equal(await statusOf('GET', since), 304)
    t.equal(await statusOf('POST', since), 200)
    t.equal(await statusOf('POST', { 'if-none-match': '*' }), 412)
    const lastNone = await server.get('/assets/a%20b.txt', { range: 'bytes=-0' })
    t.equal(lastNone.headers.get('content-range'), 'bytes 4-3/4')
    t.equal(await lastNone.text(), '')
    const several = await run(
      'curl',
      ['-sSi', '-H', 'Range: bytes=0-0', '-H', 'Range: bytes=1-1', `${server.url}/assets/a%20b.txt`],
      { limitSeconds: 20 },
    )
    t.match(
      several.stdout,
      /206 .*content-range: bytes 0-0\/4\r\n.*\r\n\r\nt$/is,
      'the first of several headers',
    )
  },
)

t.test('boot loaders come from a table, links of their package included', async t => {
  const server = await testServer(t, folders(t))
  t.equal(await (await server.get('/loaders/snponly.efi')).text(), 'loader')
  t.equal(await (await server.get('/loaders/ipxe.efi')).text(), 'linked loader')
  t.equal((await server.get('/loaders/notes')).status, 404)
})

t.test('what a machine downloads is in its journal, with size and time', async t => {
  const server = await testServer(t, folders(t))
  await server.put('/v1/sites/rack-1', site)
  await server.get('/assets/live/vmlinuz') // before the script: a person who looks around
  await server.get('/ipxe?mac=52-54-00-20-00-01')
  for (const name of ['vmlinuz', 'initrd.img', 'rootfs.squashfs']) {
    await (await server.get(`/assets/live/${name}`)).arrayBuffer()
  }
  await server.get('/assets/a%20b.txt')
  await fetch(`${server.url}/assets/live/vmlinuz`, { method: 'HEAD' })
  const answer = await server.get('/v1/events?after=3&wait=5')
  const { events } = (await answer.json()) as { events: { kind: string; detail: Record<string, number> }[] }
  t.match(events, [{ kind: 'rootfs', detail: { bytes: image.length, milliseconds: Number } }])
  const journal = await (await server.get('/v1/machines/ctl-1/journal')).text()
  t.match(
    journal,
    /script .*\n.* kernel .*\n.* initrd .*\n.* rootfs +fetched 5\.0 MB of \/assets\/live\/rootfs/,
  )
  t.equal(journal.trim().split('\n').length, 5)
})

t.test('an image that is a link out of the folder is missing for the check of a site', async t => {
  const settings = folders(t)
  const kernel = join(settings.assetsPath, 'live/vmlinuz')
  const server = await testServer(t, settings)
  const warnings = async () => {
    const answer = await server.put('/v1/sites/rack-1?dryRun=true', site)
    return JSON.stringify(((await answer.json()) as { warnings: string[] }).warnings)
  }
  t.notMatch(await warnings(), /vmlinuz/)
  unlinkSync(kernel)
  symlinkSync('../../secret', kernel)
  t.match(await warnings(), /live\/vmlinuz/)
})

t.test('a client that disconnects ends its download, and the journal says so', async t => {
  const settings = folders(t)
  writeFileSync(join(settings.assetsPath, 'live/rootfs.squashfs'), Buffer.alloc(64 << 20))
  const server = await testServer(t, settings)
  await server.put('/v1/sites/rack-1', site)
  await server.get('/ipxe?mac=52-54-00-20-00-01')
  const gone = new AbortController()
  const answer = await fetch(`${server.url}/assets/live/rootfs.squashfs`, { signal: gone.signal })
  await answer.body?.getReader().read()
  gone.abort()
  const { events } = (await (await server.get('/v1/events?after=1&wait=5')).json()) as {
    events: { kind: string }[]
  }
  t.match(events, [{ kind: 'broken', text: /^broke off after [\d.]+ MB of .*, [\d.]+ MB were left$/ }])
})

t.test(
  'a machine that asks a server without assets has that in its journal, and explain says it before',
  async t => {
    const server = await testServer(t, { assetsPath: '' })
    await server.put('/v1/sites/rack-1', site)
    await server.get('/ipxe?mac=52-54-00-20-00-01')
    const answer = await server.get('/assets/live/vmlinuz')
    t.strictSame([answer.status, await answer.text()], [404, '404 page not found\n'])
    const journal = await (await server.get('/v1/machines/ctl-1/journal')).text()
    t.match(journal, /asked for \/assets\/live\/vmlinuz, and this server has no assets folder/)
    const explained = await (await server.get('/v1/explain?mac=52-54-00-20-00-01')).json()
    t.match((explained as { lints: object[] }).lints, [
      {
        code: 'PL-2041',
        what: /^this server has no assets folder, so \/assets\/live\/vmlinuz and \d+ more is answered 404/,
      },
    ])
  },
)
