// Reports of users, as a kind each: site files that say what Kubernetes, DHCP or the server cannot do.

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { formatIpv4, networkAround } from '#model/ipv4.ts'
import { compileSite } from '#rack/site/compile.ts'
import { parseSite } from '#rack/site/read.ts'
import { MachineIndex } from '#server/machines/identity.ts'
import { LeaseTable } from '#server/protocols/dhcp/leases.ts'
import { decide } from '#server/protocols/dhcp/offer.ts'
import { OPTION } from '#server/protocols/dhcp/options.ts'
import { MESSAGE } from '#server/protocols/dhcp/packet.ts'
import { subnetOf } from '#server/protocols/dhcp/subnet.ts'
import { ownAddresses } from '#server/process/own-addresses.ts'
import { pilotlight } from '../cli/pilotlight.ts'
import { discover as clients } from '../server/protocols/dhcp/clients.ts'
import { testServer } from '../server/serving.ts'

/** A rack of four machines, with networks of its cluster. */
const rackWith = (cluster: string) => `name: south
network: { subnet: 192.168.60.0/24 }
cluster: { ${cluster} }
machines:
  - { name: head, mac: "52:54:00:60:00:01", role: controller }
  - { name: work-1, mac: "52:54:00:60:00:02", role: compute }
  - { name: work-2, mac: "52:54:00:60:00:03", role: compute }
  - { name: work-3, mac: "52:54:00:60:00:04", role: compute }
`

const withPods = (bits: number) => parseSite('site.yaml', rackWith(`podCidr: 10.64.0.0/${bits}`))
const withServices = (cidr: string) => parseSite('site.yaml', rackWith(`serviceCidr: ${cidr}`))

t.test('site-pod-network-too-small: refused at podCidr, with the size that these machines need', async t => {
  const says =
    /PL-1004 site\.yaml:3:12 cluster\.podCidr: 10\.64\.0\.0\/23 has room for 2 nodes, and there are 4/
  t.throws(() => withPods(23), { code: 'FILE_PROBLEMS', message: says })
  t.throws(() => withPods(23), /4 machines need a \/22 or larger/)
  t.equal(withPods(22).cluster.podCidr, '10.64.0.0/22')
})

t.test('site-service-network-size: refused at serviceCidr, with the sizes that are possible', async t => {
  for (const cidr of ['10.64.0.0/30', '10.64.0.0/29', '172.0.0.0/11', '11.0.0.0/8'])
    t.throws(
      () => withServices(cidr),
      /PL-1004 site\.yaml:3:12 cluster\.serviceCidr: .*\n.* \/12 to \/28/,
      cidr,
    )
  for (const cidr of ['10.64.0.0/28', '11.16.0.0/12']) t.equal(withServices(cidr).cluster.serviceCidr, cidr)
})

const [ownAddress] = ownAddresses(['0.0.0.0'])
const noAddress = ownAddress === undefined && 'this host has no address but loopback'

t.test(
  'site-server-address-taken: whoever brings the site is refused, before a machine is on',
  { skip: noAddress },
  async t => {
    const address = ownAddress ?? ''
    const { first } = networkAround(`${address}/24`)!
    const server = await testServer(t)
    const file = join(t.testdirName, 'site.yaml')
    writeFileSync(file, siteAt(`${formatIpv4(first)}/24`, address))
    const env = { PILOTLIGHT_SERVER: server.url, PILOTLIGHT_STATE_PATH: server.statePath }
    const marker = join(t.testdirName, 'switched-on')
    const args = ['up', file, '--until', 'cluster', '--state', join(t.testdirName, 'up')]
    const { status, err } = await pilotlight([...args, '--power-on', `touch ${marker}`], { env })
    t.equal(status, 4)
    t.match(
      err,
      `machine head of site west has ${address} (in the site file), which is an address of this server`,
    )
    t.notOk(existsSync(marker), 'no machine was switched on')
    t.strictSame(await (await server.get('/machines')).json(), [], 'and the server has nothing of the site')
  },
)

/** A site whose controller has that very address. */
const siteAt = (subnet: string, address: string) => `name: west
network: { subnet: ${subnet}, dhcp: off, gateway: ${address.replace(/\d+$/, last => (last === '1' ? '2' : '1'))} }
machines: [{ name: head, mac: "52:54:00:60:00:01", role: controller, address: ${address} }]
`

/** Fails when its skip is taken away before the test is written. */
const unwritten = async (t: Test) => t.fail('not written yet')
const diskAndLife = "the issues on disks and on a machine's life (13 and 15)"
t.test('site-machine-two-nics: a machine boots from either of two cards', { skip: diskAndLife }, unwritten)
t.test('site-network-cards-of-a-node: eth1 is the same card at every boot', { skip: diskAndLife }, unwritten)

/** A rack with time servers as `ntp` has them. */
const withNtp = (ntp: string, more = '') =>
  `name: east\nnetwork: { subnet: 10.60.0.0/24, ntp: ${ntp}${more} }\nmachines: [{ name: head, mac: "52:54:00:60:00:01", role: controller }]\n`

t.test(
  'site-time-servers: offers and acks name the time servers of the site, as networkd heeds them',
  async t => {
    const site = parseSite('site.yaml', withNtp('[10.60.0.9, 192.0.2.123]'))
    const { machines, network, groups } = compileSite(site)
    const world = {
      subnet: subnetOf(network),
      server: { address: '10.60.0.2', url: 'http://10.60.0.2:8080' },
      machines: new MachineIndex(machines),
      leases: new LeaseTable(),
      now: 0,
    }
    const from = { address: '0.0.0.0', port: 68 }
    const discover = { ...clients.plain, mac: '52:54:00:60:00:01' }
    const request = { ...discover, options: new Map(discover.options) }
    request.options.set(OPTION.messageType, Uint8Array.of(MESSAGE.request))
    request.options.set(OPTION.requestedAddress, Uint8Array.of(10, 60, 0, 11))
    for (const packet of [discover, request]) {
      const { reply } = decide(packet, { service: 'dhcp', from }, world)
      t.strictSame(reply?.packet.options.get(42), Uint8Array.of(10, 60, 0, 9, 192, 0, 2, 123))
    }
    t.strictSame(
      groups[0]?.metadata?.['ntp'],
      ['10.60.0.9', '192.0.2.123'],
      'and the live system is given them',
    )
  },
)

t.test('site-time-servers: what machines cannot ask is refused at its place', async t => {
  const fifty = Array.from({ length: 50 }, (_, at) => `192.0.2.${at + 1}`)
  const rows: [string, string, RegExp][] = [
    ['[]', '2:34', /network\.ntp: is empty\n {2}name one/],
    ['10.60.0.9', '2:34', /must be a list\n {2}write it as {2}\[10\.20\.0\.1\]/],
    [
      '[ntp.example.org]',
      '2:40',
      /"ntp\.example\.org" is a name, .*\n {2}give the address: {2}getent ahostsv4 ntp/,
    ],
    ['[10.60.0]', '2:40', /"10\.60\.0" is not an IPv4 address/],
    ['[10.60.0.999]', '2:40', /is not an IPv4 address/],
    ['["10.60.0.9 iburst"]', '2:40', /is not an IPv4 address/],
    ['["fd00::1"]', '2:40', /PL-1009 .*IPv6/],
    ['[127.0.0.1]', '2:40', /127\.0\.0\.1 cannot be a time server: 127\.0\.0\.0\/8 is loopback/],
    ['[0.0.0.0]', '2:40', /cannot be a time server/],
    ['[224.0.1.1]', '2:40', /cannot be a time server: .*multicast/],
    ['[255.255.255.255]', '2:40', /cannot be a time server/],
    ['[10.60.0.0]', '2:40', /is the network address of the subnet/],
    ['[10.60.0.255]', '2:40', /is the broadcast address of the subnet/],
    ['[10.2.0.1]', '2:40', /PL-1006 .*an address of cluster\.podCidr .*no node reaches a time server there/],
    ['[10.60.0.9, 10.60.0.9]', '2:51', /PL-1007 .*written twice/],
    [
      `[${fifty.join(', ')}]`,
      '2:84',
      /network\.ntp\[4\]: 50 time servers, and a machine needs few\n {2}keep 4/,
    ],
    ['[{ address: 10.60.0.9 }]', '2:40', /must be a text/],
    ['[null]', '2:40', /must be a text/],
    ['{}', '2:34', /must be a list/],
  ]
  for (const [ntp, place, says] of rows) {
    t.throws(() => parseSite('site.yaml', withNtp(ntp)), { message: says }, ntp)
    t.throws(
      () => parseSite('site.yaml', withNtp(ntp)),
      { message: new RegExp(`^PL-\\d+ site\\.yaml:${place} `) },
      ntp,
    )
  }
})

t.test("site-time-servers: no address is given away that is a time server's", async t => {
  const own = withNtp('[10.60.0.12]').replace('role: controller }', 'role: controller, address: 10.60.0.12 }')
  t.throws(() => parseSite('site.yaml', own), /10\.60\.0\.12 is a time server of the network/)
  t.equal(parseSite('site.yaml', withNtp('[10.60.0.11]')).machines[0]?.address, '10.60.0.12')
  t.throws(
    () => parseSite('site.yaml', withNtp('[10.60.0.105]', ', pool: 10.60.0.100-10.60.0.110')),
    /contains 10\.60\.0\.105, the time server/,
  )
  t.strictSame(parseSite('site.yaml', withNtp('[10.60.0.150]')).network.pool, {
    first: '10.60.0.100',
    last: '10.60.0.149',
  })
})
