import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { MATCHBOX_SETTINGS, serverConfig } from '#server/config.ts'

t.test('an address may bring its port, as Go writes them', async t => {
  t.same(boundTo('127.0.0.1'), ['127.0.0.1', 8080])
  t.same(boundTo('127.0.0.1:9090'), ['127.0.0.1', 9090])
  t.same(boundTo('127.0.0.1:9090', { httpPort: 1 }), ['127.0.0.1', 9090], 'its own port goes first')
  t.same(boundTo(':8080'), ['0.0.0.0', 8080])
  t.same(boundTo('localhost:8080'), ['127.0.0.1', 8080])
  t.same(boundTo('[::1]:8080'), ['::1', 8080])
  t.throws(() => boundTo('example.org:80'), { code: 'BAD_SETTINGS', message: /IPv4 address of the prov/ })
  t.throws(() => serverConfig({ address: '::1' }), { message: /IPv4/ }, 'DHCP is for IPv4')
  t.throws(() => serverConfig({ rpcAddress: '127.0.0.1' }), {
    message: /rpc-address is "127.0.0.1"; it takes an addr/,
  })
})

t.test('an address that no client can connect to is refused', async t => {
  for (const address of ['224.0.0.1', '255.255.255.255', '127.255.255.255'])
    t.throws(() => serverConfig({ address }), {
      code: 'BAD_SETTINGS',
      message: `address is "${address}", a ${address === '224.0.0.1' ? 'multicast' : 'broadcast'} address`,
      remedy: 'give --address one that this lists:  ip -brief address',
    })
  t.throws(() => serverConfig({ agentAddress: '239.0.0.1:8443' }), {
    message: /agent-address is "239\.0\.0\.1:8443"/,
  })
})

t.test("Matchbox's own defaults, where nothing else is set", async t => {
  const dataPath = join(t.testdir(), 'matchbox')
  mkdirSync(join(dataPath, 'assets'), { recursive: true })
  const paths = { dataPath, assetsPath: join(dataPath, 'assets') }
  t.match(serverConfig({ ...MATCHBOX_SETTINGS, ...paths }), {
    address: '127.0.0.1',
    httpPort: 8080,
    rpc: undefined,
    web: undefined,
    keyRingPath: undefined,
    logLevel: 'info',
    dhcp: false,
    tftp: false,
  })
  const secure = serverConfig({ ...MATCHBOX_SETTINGS, ...paths, rpcAddress: '0.0.0.0:8081', webSsl: true })
  t.same(secure.rpc, {
    host: '0.0.0.0',
    port: 8081,
    tls: {
      certFile: '/etc/matchbox/server.crt',
      keyFile: '/etc/matchbox/server.key',
      caFile: '/etc/matchbox/ca.crt',
    },
  })
  t.same(secure.web, {
    certFile: '/etc/matchbox/ssl/server.crt',
    keyFile: '/etc/matchbox/ssl/server.key',
    flags: 'web-',
  })
  t.equal(MATCHBOX_SETTINGS.dataPath, '/var/lib/matchbox')
  t.equal(MATCHBOX_SETTINGS.assetsPath, '/var/lib/matchbox/assets')
})

t.test('every name of a level in Matchbox means one of our levels', async t => {
  for (const level of ['panic', 'FATAL', 'Error']) t.equal(levelOf(level), 'error')
  for (const level of ['warn', 'WARNING']) t.equal(levelOf(level), 'warn')
  for (const level of ['debug', 'trace']) t.equal(levelOf(level), 'debug')
  t.throws(() => levelOf('loud'), { message: /log-level is "loud"; it takes one of/ })
})

t.test('administration has our own certificate, unless another is named', async t => {
  t.match(adminOf({}), { host: '0.0.0.0', port: 8444, tls: undefined })
  const files = { certFile: '/c', keyFile: '/k' }
  t.match(adminOf(files), { tls: { ...files, caFile: undefined } })
  t.match(adminOf({ ...files, caFile: '/a' }), { tls: { caFile: '/a' } })
})

function boundTo(address: string, more: object = {}) {
  const { address: host, httpPort } = serverConfig({ address, dhcp: false, tftp: false, ...more })
  return [host, httpPort]
}

function levelOf(logLevel: string) {
  return serverConfig({ logLevel }).logLevel
}

function adminOf(more: object) {
  return serverConfig({ adminAddress: '0.0.0.0:8444', ...more }).admin
}
