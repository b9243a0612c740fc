// What `pilotlight up` sends on a network where others listen: the authorities of a site, bundles, tokens.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { requirePrivateWire } from '#client/credentials.ts'
import { EXIT } from '#cli/exit.ts'
import { whyNoNetworks } from '../network.ts'
import { wiredServer } from './wired-server.ts'

const ROOT = join(import.meta.dirname, '../..')
const PROGRAM = join(ROOT, 'bin/pilotlight')
const SITE = join(ROOT, 'lab/racks/small/site.yaml')
const skip = whyNoNetworks('curl')
t.setTimeout(240_000)

/** What curl prints: status, then body. */
const CURL = ['-s', '-w', '\n%{http_code}', '--max-time', '10', '-H', 'content-type: application/json']
const BUNDLE = JSON.stringify({ files: [], requests: [], secrets: [] })

t.test('up on another host sends nothing over plain HTTP, and says what to do', { skip }, async t => {
  const { url, statePath, elsewhere } = await wiredServer(t)
  const state = dirname(statePath)
  const seen = join(state, 'seen')
  const up = `'${PROGRAM}' up '${SITE}' --server ${url} --state '${state}/up' --until cluster --approve first-boot`
  const env = `PILOTLIGHT_TOKEN_FILE='${statePath}/admin.token'`
  // The stranger's end of the wire counts what leaves it.
  const count = 'cat /sys/class/net/eth0/statistics/tx_bytes > '
  const said = await elsewhere(
    'sh',
    '-c',
    `${count} '${seen}.0'; ${env} ${up} 2>&1; echo status $?; ${count} '${seen}.1'`,
  )
  t.match(said, /authorities and bundles of the site would go to 10\.77\.0\.1 over plain HTTP/)
  t.match(said, /--admin-address 10\.77\.0\.1:8444.*--server https:\/\/10\.77\.0\.1:8444/s)
  t.match(said, `status ${EXIT.usage}`)
  const [before, after] = ['0', '1'].map(part => Number(readFileSync(`${seen}.${part}`, 'utf8')))
  t.ok(
    (after ?? 0) - (before ?? 0) < 1000,
    'less than one request of a client, whose token alone has 50 bytes',
  )
  t.notMatch(
    await elsewhere('sh', '-c', `ls '${state}/up' 2>/dev/null || true`),
    /pki/,
    'no authority was made',
  )
})

t.test('the server takes no authority and no bundle over plain HTTP from another host', { skip }, async t => {
  const { url, statePath, elsewhere, here } = await wiredServer(t)
  const token = readFileSync(join(statePath, 'admin.token'), 'utf8').trim()
  const bearer = ['-H', `authorization: Bearer ${token}`, '-X', 'PUT', '-d', BUNDLE]
  for (const path of ['/v1/sites/small/authority', '/v1/machines/ctl-1/bundle']) {
    const answer = await elsewhere('curl', ...CURL, ...bearer, url + path)
    t.match(answer, /SECRET_IN_CLEAR[^]*\n403$/, path)
    t.match(answer, /--admin-address/)
    t.match(
      await elsewhere('curl', ...CURL, '-X', 'PUT', '-d', BUNDLE, url + path),
      /\n401$/,
      'without a token',
    )
    t.notMatch(await here('curl', ...CURL, ...bearer, url + path), /SECRET_IN_CLEAR/, 'on its own host')
  }
})

t.test('HTTPS takes them from another host, with the guest that up verifies with', { skip }, async t => {
  const assets = mkdtempSync(join(tmpdir(), 'pilotlight-assets-'))
  t.teardown(() => rmSync(assets, { recursive: true }))
  mkdirSync(join(assets, 'guest'))
  writeFileSync(join(assets, 'guest/vmlinuz'), 'kernel')
  const flags = ['--admin-address', '10.77.0.1:8444', '--assets-path', assets]
  const { statePath, elsewhere } = await wiredServer(t, flags)
  const token = readFileSync(join(statePath, 'admin.token'), 'utf8').trim()
  const tls = ['--cacert', join(statePath, 'ca.crt'), '-H', `authorization: Bearer ${token}`]
  const url = 'https://10.77.0.1:8444'
  const put = ['-X', 'PUT', '-d', BUNDLE]
  t.match(
    await elsewhere('curl', ...CURL, ...tls, ...put, `${url}/v1/machines/nobody/bundle`),
    /NOT_FOUND[^]*\n404$/,
  )
  t.match(await elsewhere('curl', ...CURL, ...tls, `${url}/assets/guest/vmlinuz`), /^kernel\n200$/)
})

t.test(
  'a token over plain HTTP to another host is warned of once, and not to this host',
  { skip },
  async t => {
    const { url, statePath, elsewhere, here } = await wiredServer(t)
    const list = `PILOTLIGHT_TOKEN_FILE='${statePath}/admin.token' '${PROGRAM}' tokens list --server ${url} 2>&1`
    const said = await elsewhere('sh', '-c', list)
    t.equal(said.match(/warning the access token goes to 10\.77\.0\.1 over plain HTTP/g)?.length, 1)
    t.match(said, /bootstrap/)
    t.notMatch(await here('sh', '-c', list), /warning/)
  },
)

t.test('only plain HTTP to an address of this host, and HTTPS, are taken for private', async t => {
  const own = Object.values(networkInterfaces())
    .flatMap(all => all ?? [])
    .map(({ address, family }) => (family === 'IPv6' ? `[${address}]` : address))
  for (const host of ['127.0.0.1', '127.8.8.8', 'localhost', '[::1]', ...own])
    requirePrivateWire(`http://${host}:8080`)
  requirePrivateWire('https://192.0.2.1:8444')
  for (const host of [
    '192.0.2.1',
    'localhost.example',
    'provisioner',
    '[2001:db8::1]',
    '127.0.0.1.example',
  ]) {
    t.throws(
      () => requirePrivateWire(`http://${host}:8080`),
      { code: 'WIRE_NOT_PRIVATE', message: /they were not sent/ },
      host,
    )
  }
})
