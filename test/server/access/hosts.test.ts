import t from 'tap'
import fc from 'fast-check'
import { foreignHost, isForwarded, isFromHere } from '#server/access/hosts.ts'

const NAMES = ['boot.example.org', '198.51.100.7', '2001:db8::7', 'prov-1']

/** What a request at `localAddress` is refused for; undefined when it names us. */
function refused(
  host: string | readonly string[] | undefined,
  localAddress = '10.20.0.1',
  target = '/machines',
) {
  const hosts = host === undefined ? {} : { host: [host].flat() }
  const socket = { localAddress } as Parameters<typeof foreignHost>[0]['socket']
  return foreignHost({ headersDistinct: hosts, socket, target }, NAMES)
}

for (const [host, localAddress] of [
  ['10.20.0.1:8080', '10.20.0.1'],
  ['10.20.0.1', '::ffff:10.20.0.1'],
  ['[::ffff:10.20.0.1]:80', '10.20.0.1'],
  ['[FD00:0:0::1]', 'fd00::1'],
  ['[fe80::1%25eth0]:8080', 'fe80::1%eth0'],
  ['[fe80::1]', 'fe80::1%eth0'],
  ['[fe80::1%eth0]', 'fe80::1%eth0'],
  ['127.0.0.1', '10.20.0.1'],
  ['[::1]:1', '::1'],
  ['BOOT.example.ORG.:443', '10.20.0.1'],
  ['[2001:db8:0::7]', '10.20.0.1'],
  ['prov-1', '10.20.0.1'],
] as const) {
  t.test(`a request for ${host} at ${localAddress} is for us`, async t => {
    t.equal(refused(host, localAddress), undefined)
  })
}

t.test('an address that the request did not arrive at is not ours, nor is one half written', async t => {
  for (const host of ['10.20.0.2', '010.20.0.1', '10.20.1', '0x0a140001', '[10.20.0.1]', '[fe80::2]']) {
    t.ok(refused(host), host)
  }
  t.same(refused('[fe80::1', 'fe80::1'), { host: '[fe80::1' })
  t.same(refused('evil.example:8080'), { host: 'evil.example' })
  t.same(refused(undefined), { host: undefined })
  t.same(refused(['localhost', 'localhost']), { host: undefined })
})

t.test('a target in absolute form names a host as well, and both count', async t => {
  t.equal(refused('localhost', undefined, 'http://10.20.0.1:8080/machines'), undefined)
  t.same(refused('localhost', undefined, 'http://evil.example/machines'), { host: 'evil.example' })
  t.same(refused('evil.example', undefined, 'http://localhost/machines'), { host: 'evil.example' })
  t.same(refused('localhost', undefined, 'http://localhost@evil.example/'), {
    host: 'localhost@evil.example',
  })
  t.same(refused('localhost', undefined, 'http:///machines'), { host: '' })
})

t.test('no text throws, and none but our names is ours', async () => {
  const part = fc.constantFrom(
    'localhost',
    '127.0.0.1',
    '[::1]',
    '.',
    ':',
    '@',
    '%',
    'evil.example',
    '8080',
    '/',
    '\\',
    ' ',
  )
  const text = fc.oneof(
    fc.string(),
    fc.array(part, { maxLength: 5 }).map(parts => parts.join('')),
  )
  const own =
    /^(?:\[[0-9a-f:.]+(?:%[^\]]*)?\]|localhost|127\.\d+\.\d+\.\d+|10\.20\.0\.1|boot\.example\.org|198\.51\.100\.7|prov-1)\.?(?::\d*)?$/i
  fc.assert(fc.property(text, host => refused(host) !== undefined || own.test(host)))
})

t.test('a connection comes from this host when its ends have one address, or loopback', async t => {
  t.ok(isFromHere({ remoteAddress: '10.20.0.1', localAddress: '10.20.0.1' }))
  t.ok(isFromHere({ remoteAddress: '::ffff:127.0.0.1', localAddress: '::ffff:127.0.0.1' }))
  t.notOk(isFromHere({ remoteAddress: '10.20.0.9', localAddress: '10.20.0.1' }))
  t.notOk(isFromHere({ remoteAddress: '10.20.0.1', localAddress: '10.20.0.11' }))
  t.notOk(isFromHere({} as Parameters<typeof isFromHere>[0]), 'closed meanwhile')
})

t.test('what proxies add is known, whatever it holds', async t => {
  for (const name of [
    'forwarded',
    'via',
    'x-forwarded-for',
    'x-forwarded-server',
    'x-real-ip',
    'x-client-ip',
  ]) {
    t.ok(isForwarded({ [name]: '' }), name)
  }
  t.notOk(isForwarded({ host: 'x', 'user-agent': 'via' }))
})
