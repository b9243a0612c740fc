import t from 'tap'
import { contains } from '#model/ipv4.ts'
import { subnetOf } from '#server/protocols/dhcp/subnet.ts'

t.test('a network contains its addresses from the first to the last', async t => {
  for (const address of ['10.20.0.0', '10.20.1.7', '10.20.3.255'])
    t.ok(contains('10.20.0.0/22', address), address)
  for (const address of ['10.19.255.255', '10.20.4.0', '::1'])
    t.notOk(contains('10.20.0.0/22', address), address)
  t.ok(contains('0.0.0.0/0', '255.255.255.255'))
  t.ok(contains('200.0.0.0/8', '200.255.0.1'), 'above 127, where the sign of 32 bits would be')
})

t.test('a machine can have any address between the first and the last', async t => {
  const pool = { first: '10.20.0.100', last: '10.20.0.199' }
  const subnet = subnetOf({ subnet: '10.20.0.0/24', gateway: '10.20.0.1', dhcp: 'full', pool, dns: [] })
  t.match(subnet, { mask: '255.255.255.0', broadcast: '10.20.0.255' })
  const held = ['10.20.0.0', '10.20.0.1', '10.20.0.254', '10.20.0.255', '10.21.0.1']
  t.strictSame(
    held.filter(address => subnet.holds(address)),
    ['10.20.0.1', '10.20.0.254'],
  )
  const pooled = ['10.20.0.99', '10.20.0.100', '10.20.0.199', '10.20.0.200']
  t.strictSame(
    pooled.filter(address => subnet.pools(address)),
    ['10.20.0.100', '10.20.0.199'],
  )
})
