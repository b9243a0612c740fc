// What a site file says of networks, addresses and Kubernetes is checked for what DHCP and Kubernetes can do with it.

import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { servicesOf } from '#rack/site/read-cluster.ts'
import { parseSite } from '#rack/site/read.ts'
import { OPTIONAL_SERVICES } from '#rack/site/site.ts'
import { problemsOf } from './problems-of.ts'

/** A site of one controller and so many compute machines. */
function siteOf({
  network = '{ subnet: 10.20.0.0/24 }',
  more = '',
  computes = 0,
  head = '',
  name = 'ctl-1',
  mac: own = '52:54:00:20:00:01',
  machines: others = [],
}: {
  network?: string
  more?: string
  computes?: number
  head?: string
  name?: string
  mac?: string
  /** More machines, by what is written of each beside its name, MAC and role. */
  machines?: readonly string[] | 'none'
}): string {
  if (others === 'none') return `name: rack-1\nnetwork: ${network}\n${more}\nmachines: []\n`
  const added = others.map(
    (text, at) => `  - { name: more-${at}, mac: "52:54:00:22:00:0${at}", role: compute${text} }\n`,
  )
  const machines = Array.from({ length: computes }, (_, at) => {
    const mac = `52:54:00:21:${(at >> 8).toString(16).padStart(2, '0')}:${(at & 255).toString(16).padStart(2, '0')}`
    return `  - { name: cmp-${at + 1}, mac: "${mac}", role: compute }\n`
  })
  return `name: rack-1
network: ${network}
${more}
machines:
  - { name: ${name}, mac: "${own}", role: controller${head} }
${[...machines, ...added].join('')}`
}

type Around = Parameters<typeof siteOf>[0]

type Refused = readonly [title: string, around: Around, says: RegExp]
const REFUSED: readonly Refused[] = [
  [
    'pods of one node for two',
    { more: 'cluster: { podCidr: 10.9.0.0/24 }', computes: 1 },
    /PL-1004 site\.yaml:3:12 cluster\.podCidr: 10\.9\.0\.0\/24 has room for 1 node, and there are 2 machines: each takes a \/24\n {2}2 machines need a \/23 or larger/,
  ],
  [
    'pods of four nodes for five',
    { more: 'cluster: { podCidr: 10.9.0.0/22 }', computes: 4 },
    /room for 4 nodes, .*\n {2}5 machines need a \/21 /,
  ],
  [
    'pods of no node',
    { more: 'cluster: { podCidr: 10.9.0.0/25 }' },
    /has room for no node, and there is 1 machine: .*\n {2}1 machine needs/,
  ],
  [
    'more machines than the default pods have room for',
    { network: '{ subnet: 10.20.0.0/16 }', computes: 256 },
    /PL-1004 site\.yaml:1:1 cluster\.podCidr: 10\.2\.0\.0\/16 has room for 256 nodes, and there are 257 machines/,
  ],
  [
    'services without a tenth address',
    { more: 'cluster: { serviceCidr: 10.9.0.0/29 }' },
    /PL-1004 site\.yaml:3:12 cluster\.serviceCidr: .* no tenth address.*\n {2}write a network of \/12 to \/28/,
  ],
  [
    'services larger than the API server takes',
    {
      network: '{ subnet: 192.168.7.0/24 }',
      more: 'cluster: { podCidr: 192.168.64.0/18, serviceCidr: 10.0.0.0/11 }',
    },
    /PL-1004 site\.yaml:3:38 cluster\.serviceCidr: .* larger than .*\n {2}write a network of \/12 to \/28/,
  ],
  [
    'services over pods',
    { more: 'cluster: { podCidr: 10.9.0.0/16, serviceCidr: 10.9.128.0/24 }' },
    /PL-1006 site\.yaml:3:34 cluster\.serviceCidr/,
  ],
  [
    'a subnet over a default',
    { network: '{ subnet: 10.2.0.0/17 }' },
    /PL-1006 site\.yaml:2:12 network\.subnet: 10\.2\.0\.0\/17 overlaps cluster\.podCidr .*\n.*10\.2\.0\.0\/16 is the default/,
  ],
  [
    'a subnet with host bits',
    { network: '{ subnet: 10.20.0.7/24 }' },
    /PL-1004 site\.yaml:2:12 .*\n {2}its host bits must be zero: write 10\.20\.0\.0\/24/,
  ],
  [
    'a subnet of two addresses',
    { network: '{ subnet: 10.20.0.0/31 }' },
    /PL-1004 site\.yaml:2:12 .*\n {2}.*\/8 to \/30/,
  ],
  ['a subnet of one address', { network: '{ subnet: 10.20.0.1/32 }' }, /PL-1004 site\.yaml:2:12 /],
  ['a subnet with a leading zero', { network: '{ subnet: 10.020.0.0/24 }' }, /PL-1004 site\.yaml:2:12 /],
  ['a prefix with a leading zero', { network: '{ subnet: 10.20.0.0/08 }' }, /PL-1004 site\.yaml:2:12 /],
  ['a subnet without a prefix', { network: '{ subnet: 10.20.0.0 }' }, /PL-1004 site\.yaml:2:12 /],
  ['a subnet of IPv6', { network: '{ subnet: "fd00::/64" }' }, /PL-1009 site\.yaml:2:12 .*IPv6/],
  [
    'pods of both families',
    { more: 'cluster: { podCidr: "10.9.0.0/16,fd00:9::/56" }' },
    /PL-1009 site\.yaml:3:12 .*dual stack/,
  ],
  [
    'loopback for machines',
    { network: '{ subnet: 127.0.0.0/24 }' },
    /PL-1004 site\.yaml:2:12 .*127\.0\.0\.0\/8 is loopback/,
  ],
  ['link-local for machines', { network: '{ subnet: 169.254.8.0/24 }' }, /link-local/],
  [
    'multicast for pods',
    { more: 'cluster: { podCidr: 224.0.0.0/16 }' },
    /PL-1004 site\.yaml:3:12 .*multicast/,
  ],
  [
    'reserved for services',
    { more: 'cluster: { serviceCidr: 240.1.0.0/24 }' },
    /PL-1004 site\.yaml:3:12 .*reserved/,
  ],
  [
    'this host for floating IPs',
    { more: 'openstack: { external: { cidr: 0.0.0.0/8 } }' },
    /PL-1004 site\.yaml:3:26 .*"this host"/,
  ],
  [
    'a gateway outside the subnet',
    { network: '{ subnet: 10.20.0.0/24, gateway: 10.20.1.1 }' },
    /PL-1004 site\.yaml:2:34 network\.gateway/,
  ],
  [
    'the broadcast address as the gateway',
    { network: '{ subnet: 10.20.0.0/24, gateway: 10.20.0.255 }' },
    /PL-1004 site\.yaml:2:34 /,
  ],
  [
    'the network address as a machine',
    { head: ', address: 10.20.0.0' },
    /PL-1004 site\.yaml:\d+:\d+ machines\[0\]\.address/,
  ],
  [
    'a machine with a leading zero',
    { head: ', address: 10.20.0.011' },
    /PL-1004 site\.yaml:\d+:\d+ machines\[0\]\.address/,
  ],
  ['a machine at the gateway', { head: ', address: 10.20.0.1' }, /PL-1007 .* is the gateway/],
  [
    'a machine at a DNS server',
    { network: '{ subnet: 10.20.0.0/24, dns: [10.20.0.53] }', head: ', address: 10.20.0.53' },
    /PL-1007 .* is a DNS server/,
  ],
  [
    'a pool with the gateway',
    { network: '{ subnet: 10.20.0.0/24, pool: 10.20.0.1-10.20.0.99 }' },
    /PL-1007 site\.yaml:2:34 network\.pool: .* contains 10\.20\.0\.1, the gateway/,
  ],
  [
    'a pool with a DNS server',
    { network: '{ subnet: 10.20.0.0/24, dns: [10.20.0.60], pool: 10.20.0.50-10.20.0.99 }' },
    /PL-1007 .*network\.pool: .* contains 10\.20\.0\.60, the DNS server/,
  ],
  [
    'a pool outside the subnet',
    { network: '{ subnet: 10.20.0.0/24, pool: 10.21.0.50-10.21.0.99 }' },
    /PL-1004 site\.yaml:2:34 network\.pool/,
  ],
  [
    'a pool that runs backwards',
    { network: '{ subnet: 10.20.0.0/24, pool: 10.20.0.99-10.20.0.50 }' },
    /PL-1004 .*network\.pool/,
  ],
  [
    'a pool of three parts',
    { network: '{ subnet: 10.20.0.0/24, pool: 10.20.0.50-10.20.0.60-10.20.0.70 }' },
    /PL-1004 .*network\.pool/,
  ],
  [
    'a pool up to the broadcast address',
    { network: '{ subnet: 10.20.0.0/24, pool: 10.20.0.50-10.20.0.255 }' },
    /PL-1004 .*network\.pool/,
  ],
  [
    'loopback as the DNS server',
    { network: '{ subnet: 10.20.0.0/24, dns: [127.0.0.53] }' },
    /PL-1004 site\.yaml:2:40 network\.dns\[0\]: 127\.0\.0\.53 cannot be a DNS server/,
  ],
  [
    'the broadcast address as a DNS server',
    { network: '{ subnet: 10.20.0.0/24, dns: [9.9.9.9, 10.20.0.255] }' },
    /PL-1004 .*network\.dns\[1\]: 10\.20\.0\.255 is the broadcast address/,
  ],
  [
    'a DNS server among the services',
    { network: '{ subnet: 10.20.0.0/24, dns: [10.3.0.10] }' },
    /PL-1006 site\.yaml:2:40 network\.dns\[0\]: 10\.3\.0\.10 is an address of cluster\.serviceCidr/,
  ],
  [
    'a Kubernetes that no image has',
    { more: 'cluster: { kubernetes: 1.30.1 }' },
    /PL-1004 site\.yaml:3:12 cluster\.kubernetes: no image has Kubernetes 1\.30\.1: there is 1\.\d+\.\d+\n {2}leave it out/,
  ],
  ['half a version', { more: 'cluster: { kubernetes: 1.36 }' }, /PL-1004 .*"1\.36" is not a version/],
  [
    'the MAC of a group of cards',
    { mac: '01:00:5e:00:00:01' },
    /PL-1004 site\.yaml:\d+:\d+ machines\[0\]\.mac: .* but of a group/,
  ],
  ['a MAC of zeros', { mac: '00-00-00-00-00-00' }, /PL-1004 .*machines\[0\]\.mac/],
  [
    'a UUID that says that there is none',
    { computes: 0, head: ', uuid: 00000000-0000-0000-0000-000000000000' },
    /PL-1004 .*uuid: 0.* means that the firmware has no UUID/,
  ],
  [
    'a machine called localhost',
    { name: 'localhost' },
    /PL-1004 .*machines\[0\]\.name: "localhost" cannot be a host name/,
  ],
  ['a name of 64 characters', { name: 'c'.repeat(64) }, /PL-1004 .*machines\[0\]\.name/],
  ['a name with a dot', { name: 'ctl.1' }, /PL-1004 .*machines\[0\]\.name/],
  ['a name in capitals', { name: 'CTL' }, /PL-1004 .*machines\[0\]\.name/],
  [
    'a port with a leading zero',
    { more: 'cluster: { openToPods: [0080] }' },
    /PL-1004 .*openToPods\[0\]: "0080" is not a TCP port/,
  ],
  [
    'four DNS servers',
    { network: '{ subnet: 10.20.0.0/24, dns: [9.9.9.9, 9.9.9.10, 9.9.9.11, 9.9.9.12] }' },
    /PL-1004 site\.yaml:2:\d+ network\.dns\[3\]: 4 DNS servers, and machines and pods use the first 3/,
  ],
  [
    'a DNS server twice',
    { network: '{ subnet: 10.20.0.0/24, dns: [9.9.9.9, 9.9.9.9] }' },
    /PL-1007 site\.yaml:2:49 network\.dns\[1\]: 9\.9\.9\.9 is written twice/,
  ],
  [
    'a DNS server in the network that is inside of the cloud',
    { network: '{ subnet: 10.20.0.0/24, dns: [172.24.4.9] }' },
    /PL-1006 .*172\.24\.4\.9 is an address of openstack\.external\.cidr/,
  ],
  [
    'the name of a DNS server',
    { network: '{ subnet: 10.20.0.0/24, dns: [ns.example.org] }' },
    /PL-1004 .*"ns\.example\.org" is not an IPv4 address/,
  ],
  [
    'an external network without room for floating IPs',
    { more: 'openstack: { external: { cidr: 172.24.4.0/30 } }' },
    /PL-1004 site\.yaml:3:26 .*no room for a gateway, a router and floating IPs\n {2}.*\/8 to \/29/,
  ],
  ...['lo', 'br-ex', 'cni0', 'flannel.1', 'brq0a1b2c3d-4e'].map((name): Refused => [
    `${name} as the way out`,
    { more: `openstack: { external: { interface: ${name} } }` },
    /PL-1004 site\.yaml:3:26 .* is made by the system itself/,
  ]),
  ...['..', "eth0'", 'eth 1', 'eth0:1', 'e'.repeat(16), ''].map((name): Refused => [
    `"${name}" as an interface`,
    { more: `openstack: { external: { interface: "${name}" } }` },
    /PL-1004 site\.yaml:3:26 .* is not the name of an interface/,
  ]),
  [
    'a MAC of groups that no notation has',
    { mac: '5:25400600001' },
    /PL-1004 .*machines\[0\]\.mac: "5:25400600001" is not a MAC/,
  ],
  ['a MAC of three notations', { mac: '52:54-00.60:00:01' }, /PL-1004 .*machines\[0\]\.mac: .* is not a MAC/],
  [
    'a MAC of InfiniBand',
    { mac: '52:54:00:60:00:01:02:03' },
    /PL-1004 .*machines\[0\]\.mac: .* is not a MAC/,
  ],
  [
    'the UUID of many boards',
    { head: ', uuid: 03000200-0400-0500-0006-000700080009' },
    /PL-1004 .*machines\[0\]\.uuid: .* is the UUID of many boards/,
  ],
  [
    'the same UUID with its bytes in the other order',
    {
      head: ', uuid: 8d2c1c3e-6a70-4c2f-9d4b-0a1b2c3d4e5f',
      machines: [', uuid: 3E1C2C8D706A2F4C9D4B0A1B2C3D4E5F'],
    },
    /PL-1007 .*machines\[1\]\.uuid/,
  ],
  [
    'no machine at all',
    { machines: 'none' },
    /PL-1003 .*machines: 0 controllers, and a site has exactly one\n {2}give one machine {2}role: controller/,
  ],
  [
    'fewer service addresses than the charts have services',
    { more: 'cluster: { serviceCidr: 10.9.0.0/28 }\nopenstack: { waves: [heat] }' },
    /PL-1004 site\.yaml:3:12 .*has room for 14 services, and this plan has up to 15\n {2}write a network of \/12 to \/27/,
  ],
  [
    "fewer service addresses than openstack-helm's charts have services",
    {
      more: 'cluster: { serviceCidr: 10.9.0.0/27 }\nopenstack: { plan: openstack-helm, charts: { source: ./c } }',
    },
    /has room for 30 services, .*\n {2}write a network of \/12 to \/26/,
  ],
  [
    'a DNS server among the pods',
    { network: '{ subnet: 10.20.0.0/24, dns: [10.2.9.9] }' },
    /PL-1006 site\.yaml:2:40 network\.dns\[0\]: 10\.2\.9\.9 is an address of cluster\.podCidr/,
  ],
  [
    'two machines at one address',
    { head: ', address: 10.20.0.31', machines: [', address: 10.20.0.31'] },
    /PL-1007 .*machines\[1\]\.address: 10\.20\.0\.31 is also the address of "ctl-1"/,
  ],
  [
    'many machines without an address, once',
    { network: '{ subnet: 10.20.0.0/29 }', computes: 8 },
    /PL-1004 .*no address of the subnet is left for it, of 9 machines/,
  ],
  [
    'two machines of one name',
    { name: 'more-0', machines: [''] },
    /PL-1007 .*two machines are called more-0/,
  ],
  ['a name without a character', { name: '""' }, /PL-1004 .*machines\[0\]\.name: "" cannot be a host name/],
  [
    'the key of a label beside the labels',
    { head: ', rack: a' },
    /PL-1002 .*machines\[0\]\.rack: unknown key\n {2}write it as {2}labels: \{ rack: … \}/,
  ],
  [
    "Kubernetes' own spelling of a key",
    { more: 'cluster: { podCIDR: 10.9.0.0/16 }' },
    /PL-1002 .*podCIDR: unknown key\n {2}did you mean "podCidr"\?/,
  ],
  [
    'a pool as a list',
    { network: '{ subnet: 10.20.0.0/24, pool: [10.20.0.50, 10.20.0.60] }' },
    /PL-1004 .*pool: must be a text\n.*10\.20\.0\.100-10\.20\.0\.199/,
  ],
  ...['no', 'none', 'off', 'false'].map((name): Refused => [
    `the word ${name} as an interface`,
    { more: `openstack: { external: { interface: ${name} } }` },
    /PL-1004 site\.yaml:3:26 .*\n {2}leave the key out where there is none/,
  ]),
  // Every form of IPv6 has one answer.
  ...[
    'fd00::/56',
    '"fd00::/56"',
    '"fd00::/56,10.9.0.0/16"',
    '"10.9.0.0/16, fd00::/56"',
    '[10.9.0.0/16, "fd00::/56"]',
    '["fd00::/56"]',
    '"[fd00::]/56"',
    '"::ffff:10.9.0.0/112"',
    '::/0',
  ].flatMap(form =>
    ['podCidr', 'serviceCidr'].map((key): Refused => [
      `${key}: ${form}`,
      { more: `cluster: { ${key}: ${form} }` },
      new RegExp(
        `PL-1009 site\\.yaml:3:12 cluster\\.${key}: .*IPv6 and dual stack are not built yet\\n  write one IPv4 network`,
      ),
    ]),
  ),
  [
    'a subnet of both families',
    { network: '{ subnet: [10.20.0.0/24, "fd00::/64"] }' },
    /PL-1009 site\.yaml:2:12 network\.subnet/,
  ],
  [
    'an external network of IPv6',
    { more: 'openstack: { external: { cidr: "2001:db8::/64" } }' },
    /PL-1009 site\.yaml:3:26 /,
  ],
  [
    'a machine at an address of IPv6',
    { head: ', address: "fd00::11"' },
    /PL-1009 .*machines\[0\]\.address: .*\n {2}write one IPv4 address/,
  ],
  ['a mapped address', { head: ', address: "::ffff:10.20.0.11"' }, /PL-1009 .*machines\[0\]\.address/],
  [
    'a gateway of IPv6',
    { network: '{ subnet: 10.20.0.0/24, gateway: "fe80::1" }' },
    /PL-1009 site\.yaml:2:34 /,
  ],
  [
    'a DNS server of IPv6',
    { network: '{ subnet: 10.20.0.0/24, dns: ["2620:fe::fe"] }' },
    /PL-1009 site\.yaml:2:40 /,
  ],
  [
    'networks as a list',
    { more: 'cluster: { podCidr: [10.9.0.0/16] }' },
    /PL-1004 site\.yaml:3:12 cluster\.podCidr: is a list, .*\n {2}write {2}podCidr: 10\.9\.0\.0\/16/,
  ],
]

for (const [title, around, says] of REFUSED)
  t.test(`refuses ${title}`, async t => {
    const { message, problems } = problemsOf(siteOf(around))
    t.match(message, says)
    t.equal(problems.length, 1, message)
  })

const TAKEN: readonly [title: string, around: Around][] = [
  ['pods of two nodes for two', { more: 'cluster: { podCidr: 10.9.0.0/23 }', computes: 1 }],
  ['pods of one node for one', { more: 'cluster: { podCidr: 10.9.0.0/24 }' }],
  [
    'as many machines as the default pods have room for',
    { network: '{ subnet: 10.20.0.0/16 }', computes: 255 },
  ],
  [
    'as many service addresses as the charts have services',
    { more: 'cluster: { serviceCidr: 10.9.0.0/27 }\nopenstack: { waves: [heat, magnum, cinder] }' },
  ],
  ['the smallest service network', { more: 'cluster: { serviceCidr: 10.9.0.0/28 }' }],
  [
    'the largest service network',
    { more: 'cluster: { serviceCidr: 172.16.0.0/12 }\nopenstack: { external: { cidr: 198.51.100.0/24 } }' },
  ],
  ['a subnet of /8', { network: '{ subnet: 11.0.0.0/8 }' }],
  ['a DNS server elsewhere', { network: '{ subnet: 10.20.0.0/24, dns: [9.9.9.9, 10.20.0.53] }' }],
  [
    'a pool with the gateway where DHCP is not ours',
    { network: '{ subnet: 10.20.0.0/24, dhcp: off, pool: 10.20.0.1-10.20.0.9 }' },
  ],
  [
    'a machine in the range of a pool of which we give nothing',
    { network: '{ subnet: 10.20.0.0/24, dhcp: proxy }', head: ', address: 10.20.0.150' },
  ],
  ['one machine in a subnet of two', { network: '{ subnet: 10.20.0.0/30, dhcp: off }' }],
  ['a UUID in braces', { head: ', uuid: "{8D2C1C3E-6A70-4C2F-9D4B-0A1B2C3D4E5F}"' }],
  ['a MAC with dots', { mac: '52.54.00.60.00.01' }],
  ['a MAC as switches show it', { mac: '5254.0060.0001' }],
  ['a VLAN as the way out', { more: 'openstack: { external: { interface: eth1.100 } }' }],
  [
    'a DNS server in an external network of the world',
    {
      network: '{ subnet: 10.20.0.0/24, dns: [172.24.4.9] }',
      more: 'openstack: { external: { interface: eth1 } }',
    },
  ],
  [
    'words of YAML 1.1 as texts',
    { name: 'no', head: ', labels: { country: no, serial: 0012, rack: 1e3 }, notes: on' },
  ],
]
for (const [title, around] of TAKEN)
  t.test(`takes ${title}`, async t => {
    t.ok(parseSite('site.yaml', siteOf(around)))
  })

t.test('a text of the site file is the text that is written there', async t => {
  const head = ', labels: { country: no, serial: 0012, rack: 1e3, since: 2024-01-02 }, notes: on'
  t.match(parseSite('site.yaml', siteOf({ name: 'no', head })).machines, [
    { name: 'no', labels: { country: 'no', serial: '0012', rack: '1e3', since: '2024-01-02' }, notes: 'on' },
  ])
})

t.test('the pool that the file leaves out has neither gateway nor DNS server', async t => {
  const { network, machines } = parseSite(
    'site.yaml',
    siteOf({ network: '{ subnet: 10.20.0.0/25, gateway: 10.20.0.126, dns: [10.20.0.70, 10.20.0.11] }' }),
  )
  t.strictSame(network.pool, { first: '10.20.0.71', last: '10.20.0.125' })
  t.match(machines, [{ address: '10.20.0.12' }], 'nor does a machine get that of a DNS server')
})

t.test('addresses before host 11 are given once those after it are taken', async t => {
  const network = '{ subnet: 10.20.0.0/28, pool: 10.20.0.12-10.20.0.14 }'
  const { machines } = parseSite('site.yaml', siteOf({ network, computes: 9 }))
  t.strictSame(
    machines.map(({ address }) => Number(address.split('.').at(-1))),
    [11, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  )
  t.match(
    problemsOf(siteOf({ network, computes: 10 })).message,
    /machines\[10\]: no address of the subnet is left/,
  )
})

t.test('no address that is to be avoided is chosen, for a machine or in the pool', async t => {
  const { network, machines } = parseSite('site.yaml', siteOf({ computes: 1 }), ['10.20.0.11', '10.20.0.190'])
  t.match(machines, [{ address: '10.20.0.12' }, { address: '10.20.0.13' }])
  t.strictSame(network.pool, { first: '10.20.0.100', last: '10.20.0.189' })
})

t.test('the charts have as many services as are counted', async t => {
  const golden = new URL('../charts/golden/', import.meta.url)
  const counts = readdirSync(golden).map(name => {
    const text = readFileSync(new URL(name, golden), 'utf8')
    return [name.replace('.yaml', ''), [...text.matchAll(/^kind: Service$/gm)].length] as const
  })
  const inWaves = OPTIONAL_SERVICES.map(wave => Object.fromEntries(counts)[wave] ?? 0)
  const all = counts.reduce((sum, [, count]) => sum + count, 0)
  const plan = 'compute-kit'
  const own = servicesOf({ plan, waves: [] })
  t.equal(own, all - inWaves.reduce((sum, count) => sum + count, 0) + 2, 'and two of Kubernetes itself')
  t.strictSame(
    OPTIONAL_SERVICES.map(wave => servicesOf({ plan, waves: [wave] }) - own),
    inWaves,
  )
})
