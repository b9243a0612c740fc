// Findings 6, 16, 17, 19 and 24 on the whole server: what DHCP and TFTP hold when `main.ts` has tied them together.

import t from 'tap'
import { waitUntil } from '#progress/wait.ts'
import type { Machine } from '#model/machine.ts'
import { whyNoNetworks } from '../network.ts'
import { CTL_1, laySegment, SERVER, siteOf, STRANGER, type Segment } from './segment.ts'

t.setTimeout(180_000) // a busy machine takes its time

const skip = whyNoNetworks()

const macOf = (number: number) =>
  number
    .toString(16)
    .padStart(12, '0')
    .replaceAll(/(..)(?=.)/g, '$1:')
const uuidOf = (number: number) => `5a0e7f00-0021-4000-8000-${number.toString(16).padStart(12, '0')}`

/** MACs of this many machines are what floods declared ones, and what asks. */
const FLOODED = { first: 0x5254_0030_0000, macs: 3000 }
const ASKING = { first: 0x5254_0040_0000, machines: 20 }

const declared = (n: number, more: Partial<Machine>): Machine => ({
  name: `m-${n}`,
  macs: [],
  role: 'compute',
  address: `10.20.${1 + (n >> 7)}.${n & 127}`,
  labels: {},
  ...more,
})

const refusals = async (segment: Segment, reason: string) =>
  Number(
    new RegExp(`^pilotlight_refused_total\\{reason="${reason}"\\} (\\d+)`, 'm').exec(
      await segment.read('/metrics'),
    )?.[1] ?? 0,
  )

t.test('declared machines get their offers while others flood', { skip }, async t => {
  const asking = Array.from({ length: ASKING.machines }, (_, n) => ({
    mac: macOf(ASKING.first + n),
    uuid: STRANGER.uuid,
  }))
  const byUuid = asking.map((_, n) => ({ mac: macOf(0x0600_0000_0000 + n), uuid: uuidOf(n) }))
  const machines = [
    ...asking.map(({ mac }) => ({ macs: [mac] })),
    ...byUuid.map(({ uuid }) => ({ uuid })),
    ...Array.from({ length: FLOODED.macs }, (_, n) => ({ macs: [macOf(FLOODED.first + n)] })),
  ].map((more, n) => declared(n + 1, more))
  const pool = { first: '10.20.128.0', last: '10.20.191.255' }
  const segment = await laySegment(t, siteOf({ subnet: '10.20.0.0/16', pool }, machines))
  const [attacker, host] = [await segment.host(), await segment.host()]
  const during = async (flood: { first: number; macs: number }, clients: typeof asking) => {
    const flooding = attacker.do({ do: 'dhcp-flood', ...flood, perSecond: 4000, seconds: 12 })
    await new Promise(resolve => setTimeout(resolve, 2500)) // the first 2,000 new ones are taken at once
    const { text = '[]' } = await host.do({ do: 'offers', clients, behind: 60, tries: 3, limitMs: 1000 })
    const { error } = await flooding
    t.equal(error, undefined, 'the flood is sent')
    return (JSON.parse(text) as string[]).length
  }
  const most = ASKING.machines * 0.8 // a busy kernel loses some
  const ofMacs = await during({ first: 0x0200_0000_0000, macs: 2 ** 31 }, asking)
  t.ok(ofMacs >= most, `${ofMacs} machines declared by MAC, in a flood of new hardware addresses`)
  const dropped = await refusals(segment, 'dhcp_new')
  t.ok(dropped > 1000, `${dropped} packets of it are dropped`)
  const ofUuids = await during({ first: 0x0280_0000_0000, macs: 2 ** 31 }, byUuid)
  t.ok(ofUuids >= most, `${ofUuids} machines declared by UUID alone, in the same flood`)
  const others = asking.map((client, n) => ({ ...client, mac: macOf(FLOODED.first + FLOODED.macs - 1 - n) }))
  const ofDeclared = await during({ ...FLOODED, macs: FLOODED.macs - others.length }, others)
  t.ok(ofDeclared >= most, `${ofDeclared} machines, in a flood in the names of 2,980 others`)
})

t.test('an address that another host uses is looked at, and not given', { skip }, async t => {
  const segment = await laySegment(t, siteOf({ pool: { first: '10.20.0.100', last: '10.20.0.100' } }))
  const [host, user] = [await segment.host(), await segment.host()]
  const [one, two] = [macOf(0x0200_0000_0001), macOf(0x0200_0000_0002)]
  const offered = async (mac: string) => {
    const clients = [{ mac, uuid: STRANGER.uuid }]
    const { text } = await host.do({ do: 'offers', clients, tries: 1, limitMs: 2500 })
    return text !== '[]'
  }
  t.ok(await offered(one))
  await host.do({ do: 'decline', mac: one, address: '10.20.0.100', server: SERVER }) // the offer ends
  await user.do({ do: 'address', address: '10.20.0.100/24' })
  t.notOk(await offered(two), 'a host answers at the only address')
})

t.test('a client that fetched something keeps its address for longer', { skip }, async t => {
  const segment = await laySegment(t, siteOf(), {}, { tftp: true })
  const host = await segment.host()
  const lease = async (n: number) => {
    const mac = macOf(0x0200_0000_0000 + n)
    return host.do({ do: 'dhcp', mac, uuid: STRANGER.uuid, stage: 'firmware' })
  }
  t.match(await lease(1), { leaseSeconds: 120 })
  t.match(await lease(1), { leaseSeconds: 120 }, 'packets alone show nothing')
  await host.get('/boot.ipxe')
  t.match(await lease(1), { leaseSeconds: 600 }, 'by HTTP')
  const { address = '', leaseSeconds } = await lease(2)
  t.equal(leaseSeconds, 120)
  await host.do({ do: 'loader', server: SERVER, file: 'undionly.kpxe' })
  t.match(await lease(2), { address, leaseSeconds: 600 }, 'by TFTP')
})

t.test('TFTP answers our own networks and no other', { skip }, async t => {
  const segment = await laySegment(t, siteOf(), {}, { tftp: true })
  const host = await segment.host()
  await host.do({ do: 'address', address: '10.20.0.77/24' })
  await host.do({ do: 'own', subnet: '10.99.0.0/24' })
  await segment.operator.do({ do: 'route', subnet: '10.99.0.0/24', via: '10.20.0.77' })
  const file = 'undionly.kpxe'
  t.match(await host.do({ do: 'tftp', from: '10.20.0.77', server: SERVER, file }), { bytes: 516 })
  t.match(await host.do({ do: 'tftp', from: '10.99.0.9', server: SERVER, file }), { bytes: 0 })
  t.equal(await refusals(segment, 'tftp_foreign'), 1)
})

t.test('a DECLINE in the name of a declared machine is an alarm', { skip }, async t => {
  const segment = await laySegment(t)
  const host = await segment.host()
  const mac = CTL_1.macs[0] ?? ''
  await host.do({ do: 'decline', mac, address: CTL_1.address, server: SERVER })
  t.same(await segment.alarms(), {}, 'not before it has its address')
  await host.do({ do: 'dhcp', mac, uuid: CTL_1.uuid ?? '', stage: 'firmware' })
  await host.do({ do: 'decline', mac, address: CTL_1.address, server: SERVER })
  const alarms = await waitUntil('an alarm', { limitSeconds: 10, everyMs: 100 }, async () => {
    const value = await segment.alarms()
    return Object.keys(value).length > 0 ? { value } : { not: 'none' }
  })
  t.same(alarms, { declined: 1 })
  t.match(await host.do({ do: 'dhcp', mac, uuid: CTL_1.uuid ?? '', stage: 'firmware' }), {
    address: CTL_1.address,
  })
})
