import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createMessage, generateKey, sign } from 'openpgp'
import t, { type Test } from 'tap'
import { testServer } from '../../server/serving.ts'
import { pilotlight } from '../pilotlight.ts'

t.setTimeout(120_000)

const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const sha512 = (bytes: string | Uint8Array) => createHash('sha512').update(bytes).digest('hex')

/** A web server with these files; gives its URL and what it was asked for. */
async function webServer(t: Test, files: Record<string, string | Uint8Array>) {
  const asked: string[] = []
  const server = createServer(({ url = '' }, response) => {
    asked.push(url)
    const file = files[url]
    response.writeHead(file === undefined ? 404 : 200, { etag: '"1"' }).end(file)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

t.test(
  'files are added, listed, checked, removed and collected in a directory',
  { timeout: 60_000 },
  async t => {
    const root = t.testdir({ assets: {}, vmlinuz: 'kernel', 'initrd.img': 'initrd' })
    const assets = ['--assets-path', join(root, 'assets')]
    const added = await pilotlight([
      'assets',
      'add',
      join(root, 'vmlinuz'),
      join(root, 'initrd.img'),
      ...assets,
      '--json',
    ])
    t.equal(added.status, 0, added.err)
    t.match(JSON.parse(added.out), {
      items: [
        { name: 'vmlinuz', result: 'created', sha256: sha256('kernel') },
        { name: 'initrd.img', result: 'created' },
      ],
    })
    t.ok(existsSync(join(root, 'vmlinuz')), 'what is added stays where it was')
    const digest = ['--sha256', sha256('other')]
    const bad = await pilotlight([
      'assets',
      'add',
      join(root, 'vmlinuz'),
      '--name',
      'x',
      ...digest,
      ...assets,
    ])
    t.match(bad, { status: 1, err: /asset "x" has the SHA-256/ })

    const list = await pilotlight(['assets', 'list', ...assets])
    t.match(list.out, /^NAME +SIZE +MODIFIED +SHA256\ninitrd\.img +6 .*\nvmlinuz +6 /)
    t.match(await pilotlight(['assets', 'verify', ...assets]), {
      status: 0,
      out: '2 good, 0 bad, 0 not of the store\n',
    })
    chmodSync(join(root, 'assets/vmlinuz'), 0o644)
    writeFileSync(join(root, 'assets/vmlinuz'), 'rotten')
    t.match(await pilotlight(['assets', 'verify', ...assets]), {
      status: 7, // the other one is good
      out: /^BAD {2}vmlinuz: was /,
      err: /1 of 2/,
    })
    t.match(await pilotlight(['assets', 'remove', 'vmlinuz', ...assets]), {
      status: 0,
      out: 'vmlinuz deleted\n',
    })
    t.match(await pilotlight(['assets', 'remove', 'vmlinuz', ...assets]), { status: 3 })
    t.match(await pilotlight(['assets', 'gc', ...assets]), { status: 0, out: /^1 without a name removed/ })
  },
)

t.test('a list of URLs is fetched, each with its digest', { timeout: 60_000 }, async t => {
  const web = await webServer(t, { '/a/one.img': 'one', '/two': 'two' })
  const root = t.testdir({
    assets: {},
    'urls.txt': `# images\n\n${web.url}/a/one.img  # keeps its name\n${web.url}/two os/two.img sha256=${sha256('two')}\n`,
    'bad.txt': `${web.url}/two one word too\n`,
    'wrong.txt': `${web.url}/two wrong sha256=${sha256('three')}\n`,
  })
  const assets = ['--assets-path', join(root, 'assets')]
  const first = await pilotlight(['assets', 'add', '-f', join(root, 'urls.txt'), ...assets])
  t.equal(first.status, 0, first.err)
  t.equal(readFileSync(join(root, 'assets/one.img'), 'utf8'), 'one')
  t.equal(readFileSync(join(root, 'assets/os/two.img'), 'utf8'), 'two')
  const again = await pilotlight(['assets', 'add', '-f', join(root, 'urls.txt'), ...assets, '--json'])
  t.match(JSON.parse(again.out), { items: [{ result: 'unchanged' }, { result: 'unchanged' }] })
  t.equal(
    web.asked.filter(url => url === '/two').length,
    1,
    'what is there with its digest is not fetched again',
  )
  t.match(await pilotlight(['assets', 'add', '-f', join(root, 'bad.txt'), ...assets]), {
    status: 2,
    err: /bad\.txt:1: "word" is one word too many/,
  })
  t.match(await pilotlight(['assets', 'add', '-f', join(root, 'wrong.txt'), ...assets]), {
    status: 1,
    err: /SHA-256/,
  })
  t.notOk(existsSync(join(root, 'assets/wrong')))
})

t.test('Flatcar is fetched with its signatures, by the layout of its maker', { timeout: 60_000 }, async t => {
  const maker = await generateKey({ userIDs: [{ name: 'Maker' }], format: 'object' })
  const other = await generateKey({ userIDs: [{ name: 'Other' }], format: 'object' })
  const folder = '/amd64-usr/4593.2.0'
  const names = ['flatcar_production_pxe.vmlinuz', 'flatcar_production_pxe_image.cpio.gz']
  const files: Record<string, string | Uint8Array> = {
    '/amd64-usr/current/version.txt': 'FLATCAR_VERSION=4593.2.0\n',
    [`${folder}/version.txt`]: 'FLATCAR_VERSION=4593.2.0\n',
  }
  for (const name of names) {
    files[`${folder}/${name}`] = `the bytes of ${name}`
    files[`${folder}/${name}.DIGESTS`] = `# SHA512 HASH\n${sha512(`the bytes of ${name}`)}  ${name}\n`
    files[`${folder}/${name}.sig`] = (await sign({
      message: await createMessage({ binary: Buffer.from(`the bytes of ${name}`) }),
      signingKeys: maker.privateKey,
      detached: true,
      format: 'binary',
    })) as Uint8Array
  }
  const web = await webServer(t, files)
  const root = t.testdir({
    assets: {},
    'maker.asc': maker.publicKey.armor(),
    'other.asc': other.publicKey.armor(),
  })
  const get = (...more: string[]) =>
    pilotlight([
      'assets',
      'get',
      'flatcar',
      '--base-url',
      web.url,
      '--assets-path',
      join(root, 'assets'),
      ...more,
    ])

  const wrong = await get('--key', join(root, 'other.asc'))
  t.match(wrong, { status: 1, err: /The signature of .* does not hold/ })
  t.notOk(existsSync(join(root, 'assets/flatcar')), 'nothing is kept that someone else signed')
  const good = await get('--key', join(root, 'maker.asc'))
  t.match(
    good,
    { status: 0, out: /flatcar\/4593\.2\.0\/flatcar_production_pxe\.vmlinuz +created .*Maker/ },
    good.err,
  )
  for (const name of names) {
    t.equal(readFileSync(join(root, 'assets/flatcar/4593.2.0', name), 'utf8'), `the bytes of ${name}`)
    t.ok(
      existsSync(join(root, 'assets/flatcar/4593.2.0', `${name}.sig`)),
      'installers look for it beside the file',
    )
  }
  const unsigned = await get('--version', '4593.2.0')
  t.match(unsigned, {
    status: 0,
    err: /No signature was checked, only digests that came from the same server/,
  })
  t.match(await get('--version', '1.2.3'), { status: 3, err: /no version 1\.2\.3/ })
  files[`${folder}/${names[0]}`] = 'other bytes'
  t.match(await get(), { status: 1, err: /SHA-512/ })
})

t.test('the same goes by upload to a server', { timeout: 60_000 }, async t => {
  const root = t.testdir({ assets: {}, image: 'bytes of an image' })
  const server = await testServer(t, { assetsPath: join(root, 'assets'), statePath: join(root, 'state') })
  const to = ['--server', server.url]
  const added = await pilotlight(['assets', 'add', join(root, 'image'), '--name', 'a b/image', ...to])
  t.match(added, { status: 0, out: /a b\/image +created +17/ }, added.err)
  t.equal(await (await server.get('/assets/a%20b/image')).text(), 'bytes of an image')
  t.match(await pilotlight(['assets', 'list', ...to]), { status: 0, out: /a b\/image +17/ })
  t.match(await pilotlight(['assets', 'remove', 'a b/image', ...to]), { status: 0 })
  t.equal((await server.get('/assets/a%20b/image')).status, 404)
  t.match(await pilotlight(['assets', 'verify', ...to]), { status: 2 })
  t.match(await pilotlight(['assets', 'gc']), { status: 2, err: /--assets-path/ })
})

t.test('what cannot be used is said before anything is done', { timeout: 60_000 }, async t => {
  const root = t.testdir({ file: 'x' })
  const assets = ['--assets-path', join(root, 'none')]
  t.match(await pilotlight(['assets', 'list', ...assets]), { status: 2, err: /mkdir -p/ })
  mkdirSync(join(root, 'none'))
  t.match(await pilotlight(['assets', 'add', ...assets]), { status: 2 })
  t.match(await pilotlight(['assets', 'add', join(root, 'nothing'), ...assets]), {
    status: 2,
    err: /is not a file/,
  })
  t.match(await pilotlight(['assets', 'add', join(root, 'file'), '--name', '../x', ...assets]), { status: 2 })
  t.match(await pilotlight(['assets', 'add', join(root, 'file'), '--sha256', 'ab', ...assets]), { status: 2 })
})
