// By which addresses the server is known to be reachable.

import { networkInterfaces } from 'node:os'
import t from 'tap'
import { listensForTime, ownAddresses, servesTime, sharedAddress } from '#server/process/own-addresses.ts'

t.test('gives each address that a listener was given once, and no name', async t => {
  t.strictSame(ownAddresses(['10.20.0.1', '10.20.0.1', 'provisioner.example', '2001:db8::1']), ['10.20.0.1'])
  t.strictSame(ownAddresses(['10.20.0.1', '192.0.2.1']), ['10.20.0.1', '192.0.2.1'])
})

t.test('gives all addresses of this host but loopback for a listener on every address', async t => {
  const all = Object.values(networkInterfaces()).flatMap(list => list ?? [])
  const wanted = all.filter(({ family, internal }) => family === 'IPv4' && !internal).map(it => it.address)
  t.strictSame(ownAddresses(['0.0.0.0']).toSorted(), [...new Set(wanted)].toSorted())
  t.notOk(ownAddresses(['0.0.0.0', '10.20.0.1']).includes('127.0.0.1'))
})

t.test('an address that several hosts share is recognized', async t => {
  const networks = ['10.20.0.2/24', '192.0.2.4/31', '192.0.2.9/32', '10.40.0.0/24']
  const rows: [string, ReturnType<typeof sharedAddress>][] = [
    ['10.20.0.255', 'broadcast'],
    ['10.20.0.0', 'broadcast'],
    ['255.255.255.255', 'broadcast'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['ff02::1', 'multicast'],
    ['10.20.0.2', undefined],
    ['10.30.0.255', undefined],
    ['10.40.0.0', undefined],
    ['192.0.2.4', undefined],
    ['192.0.2.5', undefined],
    ['192.0.2.9', undefined],
    ['240.0.0.1', undefined],
    ['0.0.0.0', undefined],
    ['127.0.0.1', undefined],
    ['::', undefined],
    ['provisioner.example', undefined],
  ]
  for (const [host, wanted] of rows) t.equal(sharedAddress(host, networks), wanted, host)
  t.equal(sharedAddress('127.255.255.255'), 'broadcast', 'of the interfaces of this host')
})

t.test('a time server of this host is seen at port 123, beyond loopback', async t => {
  const rows: [string, boolean][] = [
    ['  46: 00000000:007B 00000000:0000 07 00000000:00000000', true],
    ['  46: 0500280A:007B 00000000:0000 07 00000000:00000000', true],
    ['  46: 0100007F:007B 00000000:0000 07 00000000:00000000', false],
    ['  46: 3500007F:007B 00000000:0000 07 00000000:00000000', false],
    ['  46: 00000000:0143 00000000:0000 07 00000000:00000000', false],
    ['  46: 0500280A:D431 0100280A:007B 07 00000000:00000000', false], // a client
    ['  46: 00000000000000000000000000000000:007B 00000000000000000000000000000000:0000 07', true],
    ['  46: 00000000000000000000000001000000:007B 00000000000000000000000000000000:0000 07', false],
    ['  46: 0000000000000000FFFF00000100007F:007B 00000000000000000000000000000000:0000 07', false],
    ['', false],
  ]
  for (const [row, serves] of rows)
    t.equal(listensForTime(`  sl  local_address rem_address   st\n${row}\n`), serves, row)
  t.type(servesTime(), 'boolean')
})
