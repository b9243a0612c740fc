import t from 'tap'
import { FreeAddresses } from '#server/protocols/dhcp/free-addresses.ts'
import { subnetOf } from '#server/protocols/dhcp/subnet.ts'
import { formatIpv4 } from '#model/ipv4.ts'
import { network } from './clients.ts'

const NOW = 1_000_000
const SIZE = 254 * 256
const subnet = subnetOf({
  ...network(),
  subnet: '10.20.0.0/16',
  pool: { first: '10.20.1.0', last: '10.20.254.255' },
})
const addressOf = (at: number) => formatIpv4(subnet.first + at)

t.test('looks at a few addresses for each client of a pool of 65,000, empty or full', async t => {
  const leases = new Map<string, { address: string; expiresAt: number }>()
  let looks = 0
  const free = new FreeAddresses(address => {
    looks += 1
    return leases.get(address)
  })
  const put = (address: string, expiresAt: number) => {
    const lease = { address, expiresAt }
    leases.set(address, lease)
    free.put(lease)
  }
  const pick = (mac: string, now: number) => free.pick({ subnet, mac, now, isFree: () => true })
  for (let at = 0; at < SIZE; at += 1) {
    const address = pick(`mac ${at}`, NOW)
    if (address === undefined || leases.has(address)) throw new Error(`${address} at ${at}`)
    put(address, NOW + 60_000 + at)
  }
  t.equal(leases.size, SIZE, 'each address was given once')
  t.ok(looks < 12 * SIZE, `${looks} looks to fill it`)
  looks = 0
  for (let at = 0; at < 1000; at += 1) t.equal(pick(`late ${at}`, NOW), undefined)
  t.ok(looks < 12 * 1000, `${looks} looks for 1,000 clients of a full pool`)
  looks = 0
  for (let at = 0; at < 1000; at += 1) {
    const address = pick(`later ${at}`, NOW + 60_000 + at)
    t.equal(leases.get(address ?? '')?.expiresAt, NOW + 60_000 + at)
    put(address ?? '', NOW + 1_000_000)
  }
  t.ok(looks < 20 * 1000, `${looks} looks for 1,000 clients, one address each having ended`)
})

t.test('gives an address again that was set aside, once the reservations changed', async t => {
  const leases = new Map(
    Array.from({ length: SIZE }, (_, at) => [addressOf(at), { address: addressOf(at), expiresAt: 5 }]),
  )
  const free = new FreeAddresses(address => leases.get(address))
  for (const lease of leases.values()) free.put(lease)
  const choice = { subnet, mac: 'm', now: 10 }
  t.equal(free.pick({ ...choice, isFree: () => false }), undefined)
  t.equal(free.pick({ ...choice, isFree: () => true }), undefined, 'all are set aside')
  free.begin(subnet)
  t.type(free.pick({ ...choice, isFree: () => true }), 'string')
})
