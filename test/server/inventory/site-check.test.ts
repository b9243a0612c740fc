// A site is refused that gives away an address of the server, and what its DHCP will not do is said.

import t from 'tap'
import { compileSite } from '#rack/site/compile.ts'
import { parseSite } from '#rack/site/read.ts'
import {
  refuseOverlap,
  refuseServerAddresses,
  siteFaults,
  siteObstacles,
  siteWarnings,
  type ServerPlace,
} from '#server/inventory/site-check.ts'
import { ServerAddressTaken } from '#server/inventory/errors.ts'

const siteOf = (network: string, head = '') =>
  compileSite(
    parseSite(
      'site.yaml',
      `name: r\nnetwork: { subnet: 10.40.0.0/24${network} }\nmachines:\n  - { name: head, mac: "52:54:00:40:00:01", role: controller${head} }\n`,
    ),
  )
const HERE: ServerPlace = {
  address: '10.40.0.5',
  addresses: ['10.40.0.5'],
  dhcp: true,
  forwards: true,
  servesTime: undefined,
  assetsPath: '/srv/assets',
  hasAsset: () => true,
}

function refusal(
  site: ReturnType<typeof siteOf>,
  addresses: readonly string[],
  { address = HERE.address, declared }: { address?: string; declared?: (machine: string) => string } = {},
): ServerAddressTaken | undefined {
  try {
    refuseServerAddresses('r', site, { address, addresses }, declared)
  } catch (error) {
    if (error instanceof ServerAddressTaken) return error
    throw error
  }
  return undefined
}

t.test('a machine at any address of the server is refused, and who gave the address is said', async t => {
  const chosen = refusal(siteOf(''), ['192.0.2.1', '10.40.0.11'])
  t.match(chosen, {
    code: 'SERVER_ADDRESS_TAKEN',
    statusCode: 409,
    message:
      'machine head of site r has 10.40.0.11 (chosen by Pilotlight), which is an address of this server. Give the machine another address in the site file, for example  address: 10.40.0.12.',
  })
  const written = refusal(siteOf('', ', address: 10.40.0.31'), ['10.40.0.31', '10.40.0.11'])
  t.match(written?.message, /has 10\.40\.0\.31 \(in the site file\), .* address: 10\.40\.0\.12\.$/)
  const { chosen: _, ...unsaid } = siteOf('')
  t.match(refusal(unsaid, ['10.40.0.11'])?.message, 'machine head of site r has 10.40.0.11, which is')
})

t.test('a pool with an address of the server is refused, with the larger part that has none', async t => {
  const given = refusal(siteOf(', pool: 10.40.0.50-10.40.0.90'), ['10.40.0.60'])
  t.match(
    given?.message,
    /pool 10\.40\.0\.50-10\.40\.0\.90 \(in the site file\) .* contains 10\.40\.0\.60, .* pool: 10\.40\.0\.61-10\.40\.0\.90\.$/,
  )
  t.match(
    refusal(siteOf(''), ['10.40.0.199'])?.message,
    /\(chosen by Pilotlight\) .* pool: 10\.40\.0\.100-10\.40\.0\.198\.$/,
  )
  t.equal(refusal(siteOf(', dhcp: proxy'), ['10.40.0.150']), undefined, 'a pool that no one uses')
})

t.test('a site beside the addresses of the server is taken, and one that has it as its gateway', async t => {
  t.equal(refusal(siteOf(''), ['10.40.0.5', '10.40.0.1', '10.40.0.200', '172.17.0.1']), undefined)
  t.strictSame(siteWarnings('r', siteOf(''), HERE), [])
})

const WARNED: readonly [what: string, network: string, place: Partial<ServerPlace>, says: RegExp][] = [
  [
    'DHCP that is off',
    '',
    { dhcp: false },
    /^DHCP is off in this server, and site r has "dhcp: full".* without --no-dhcp/,
  ],
  ['a proxy that is off', ', dhcp: proxy', { dhcp: false }, /"dhcp: proxy"/],
  [
    'DHCP on loopback',
    '',
    { address: '127.0.0.1', addresses: [] },
    /at 127\.0\.0\.1, which is not an address of 10\.40\.0\.0\/24: its DHCP does not answer/,
  ],
  [
    'DHCP elsewhere, where the host is on the network',
    '',
    { address: '10.9.0.1', addresses: ['10.9.0.1', '10.40.0.5'] },
    /Start it with {2}--address 10\.40\.0\.5$/,
  ],
  ['DHCP on every address', '', { address: '0.0.0.0' }, /--address 10\.40\.0\.5$/],
  [
    'a gateway that forwards nothing',
    '',
    { address: '10.40.0.1', addresses: ['10.40.0.1'], forwards: false },
    /^The gateway 10\.40\.0\.1, which the file of site r leaves out, is this server/,
  ],
  [
    'a time server that is this host, where nothing serves time',
    ', ntp: [192.0.2.1, 10.40.0.5]',
    { servesTime: false },
    /^The time server 10\.40\.0\.5 of site r is this host, .* allow 10\.40\.0\.0\/24 , or name another as {2}network\.ntp\.$/,
  ],
]
for (const [what, network, place, says] of WARNED)
  t.test(`warns of ${what}`, async t => {
    const warnings = siteWarnings('r', siteOf(network), { ...HERE, ...place })
    t.equal(warnings.length, 1)
    t.match(warnings[0], says)
  })

const fixOf = (place: Partial<ServerPlace>) =>
  siteObstacles('r', siteOf(''), { ...HERE, dhcp: false, ...place })

t.test(
  'the command of a server without DHCP names an address of the subnet, and its other flags',
  async t => {
    const other = ' beside its other flags, such as --state-path, without --no-dhcp'
    t.match(fixOf({}), [{ fix: `pilotlight serve --address 10.40.0.5  ${other}`, remedy: /loader\.$/ }])
    t.match(fixOf({ address: '127.0.0.1' }), [
      {
        fix: `pilotlight serve --address 10.40.0.5  ${other}`,
        remedy: /also needs .*--address 10\.40\.0\.5$/,
      },
    ])
    t.match(fixOf({ address: '127.0.0.1', addresses: [] }), [
      { fix: 'ip -brief address', remedy: /also needs .*give the host one/ },
    ])
  },
)

t.test('does not warn of what the site file asks for', async t => {
  for (const servesTime of [true, undefined])
    t.strictSame(siteWarnings('r', siteOf(', ntp: [10.40.0.5]'), { ...HERE, servesTime }), [])
  t.strictSame(siteWarnings('r', siteOf(', ntp: [10.40.0.6]'), { ...HERE, servesTime: false }), [])
  t.strictSame(siteWarnings('r', siteOf(', dhcp: off'), { ...HERE, dhcp: false, address: '127.0.0.1' }), [])
  const own = { ...HERE, address: '10.40.0.1', addresses: ['10.40.0.1'] }
  t.strictSame(siteWarnings('r', siteOf(', gateway: 10.40.0.1'), { ...own, forwards: false }), [])
  t.strictSame(siteWarnings('r', siteOf(''), { ...own, forwards: undefined }), [])
})

t.test('what was chosen may be chosen anew, unless the machine has it already', async t => {
  const own = ['10.40.0.11', '10.40.0.12', '192.0.2.1']
  t.strictSame(refusal(siteOf(''), own)?.avoid, ['10.40.0.11', '10.40.0.12'], "the server's in this subnet")
  t.strictSame(refusal(siteOf(', pool: 10.40.0.50-10.40.0.60'), ['10.40.0.55'])?.avoid, [])
  t.strictSame(refusal(siteOf(''), ['10.40.0.155'])?.avoid, ['10.40.0.155'])
  t.strictSame(refusal(siteOf('', ', address: 10.40.0.11'), own)?.avoid, [], 'the file says so')
  t.strictSame(refusal(siteOf(''), own, { declared: () => '10.40.0.11' })?.avoid, [], 'the machine runs')
  t.strictSame(refusal(siteOf(''), own, { declared: () => '10.40.0.12' })?.avoid.length, 2)
})

const says = (address: string, addresses = [address]) => refusal(siteOf(''), addresses, { address })?.message

t.test('refuses pods and services at the address by which machines reach the server', async t => {
  t.match(
    says('10.2.7.1'),
    'cluster.podCidr 10.2.0.0/16 of site r contains 10.2.7.1, which is an address of this server. Choose another cluster.podCidr, since nodes send it to pods.',
  )
  t.match(says('10.3.0.200'), /^cluster\.serviceCidr .* nodes send it to services/)
  t.match(says('0.0.0.0', ['10.2.7.1']), /^cluster\.podCidr/)
  t.equal(says('0.0.0.0', ['10.40.0.5', '10.2.7.1']), undefined, 'machines reach it by 10.40.0.5')
  t.equal(says('10.40.0.5', ['10.40.0.5', '10.2.7.1']), undefined, 'a bridge of another program')
})

const WRONG: readonly [what: string, change: object, machine: object, pointer: string, says: RegExp][] = [
  ['a subnet with host bits', { subnet: '10.40.0.7/24' }, {}, '/network/subnet', /not an IPv4 network/],
  ['a subnet of loopback', { subnet: '127.0.0.0/24' }, {}, '/network/subnet', /is loopback/],
  [
    'a gateway elsewhere',
    { gateway: '10.41.0.1' },
    {},
    '/network/gateway',
    /not an address of 10\.40\.0\.0\/24/,
  ],
  ['a DNS server of loopback', { dns: ['9.9.9.9', '127.0.0.1'] }, {}, '/network/dns/1', /is loopback/],
  [
    'a pool that runs backwards',
    { pool: { first: '10.40.0.9', last: '10.40.0.8' } },
    {},
    '/network/pool',
    /not a range/,
  ],
  [
    'a pool elsewhere',
    { pool: { first: '10.40.0.250', last: '10.40.1.8' } },
    {},
    '/network/pool',
    /not a range/,
  ],
  [
    'a pool with the gateway',
    { pool: { first: '10.40.0.1', last: '10.40.0.5' } },
    {},
    '/network/pool',
    /the gateway/,
  ],
  ['a machine elsewhere', {}, { address: '10.41.0.11' }, '/machines/0/address', /not an address of/],
  [
    'a machine at the broadcast address',
    {},
    { address: '10.40.0.255' },
    '/machines/0/address',
    /not an address of/,
  ],
  ['a machine at the gateway', {}, { address: '10.40.0.1' }, '/machines/0/address', /is the gateway/],
  ['a machine in the pool', {}, { address: '10.40.0.150' }, '/machines/0/address', /is in the pool/],
]
for (const [what, change, machine, pointer, says] of WRONG)
  t.test(`finds ${what}`, async t => {
    const { network, machines, ...rest } = siteOf('')
    const site = {
      ...rest,
      network: { ...network, ...change },
      machines: machines.map(one => ({ ...one, ...machine })),
    }
    const faults = siteFaults(site).filter(fault => fault.pointer === pointer)
    t.equal(faults.length, 1)
    t.match(faults[0]?.detail, says)
  })

t.test('finds the same UUID in the other order of bytes, and nothing in a right site', async t => {
  const site = siteOf('')
  const [head] = site.machines
  const twice = [
    { ...head!, uuid: '8d2c1c3e-6a70-4c2f-9d4b-0a1b2c3d4e5f' },
    { ...head!, name: 'b', address: '10.40.0.12', uuid: '3e1c2c8d-706a-2f4c-9d4b-0a1b2c3d4e5f' },
  ]
  t.match(siteFaults({ ...site, machines: twice }), [
    { pointer: '/machines/1/uuid', detail: /^machine b: .* is also the uuid of head$/ },
  ])
  t.strictSame(siteFaults(site), [])
})

t.test('refuses a subnet that another site has a part of', async t => {
  const others = [{ name: 'other', subnet: '10.40.0.128/25' }]
  t.throws(() => refuseOverlap('r', siteOf(''), others), {
    code: 'SITE_CONFLICT',
    statusCode: 409,
    message: /^Subnet 10\.40\.0\.0\/24 of site r overlaps 10\.40\.0\.128\/25 of site other/,
  })
  refuseOverlap('other', siteOf(''), others)
  refuseOverlap('r', siteOf(''), [{ name: 'third', subnet: '10.41.0.0/24' }])
})

t.test('warns of what the machines fetch and do not get', async t => {
  const profile = {
    id: 'controller',
    boot: { kernel: '{{ server.url }}/assets/live/vmlinuz', initrd: ['/assets/live/initrd'], args: [] },
  }
  const warned = (place: Partial<ServerPlace>) =>
    siteWarnings('r', siteOf(''), { ...HERE, ...place }, id => (id === 'controller' ? profile : undefined))
  t.match(warned({ assetsPath: undefined }), [
    /^This server has no assets folder, and the machines of site r fetch \/assets\/live\/vmlinuz and 1 more from it/,
  ])
  t.match(warned({ hasAsset: path => path === 'live/vmlinuz' }), [
    /^\/assets\/live\/initrd, which the machines of site r fetch, is not in \/srv\/assets/,
  ])
  t.strictSame(warned({}), [])
})
