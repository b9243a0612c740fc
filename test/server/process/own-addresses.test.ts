// By which addresses the server is known to be reachable.

import { networkInterfaces } from 'node:os'
import t from 'tap'
import { ownAddresses } from '#server/process/own-addresses.ts'

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
