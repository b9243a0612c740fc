// Site files: what a good one becomes, and one clear message for each mistake.

import t from 'tap'
import { compileSite } from '#rack/site/compile.ts'
import { parseSite } from '#rack/site/read.ts'
import { problemsOf } from './problems-of.ts'

const GOOD = `name: rack-1
network: { subnet: 10.20.0.0/24 }
machines:
  - { name: ctl-1, mac: 52-54-00-20-00-01, role: controller }
  - { name: cmp-1, uuid: 4C4C4544-0000-2010-8020-80C04F202020, role: compute, labels: { rack: a } }
`

t.test('what a file leaves out is filled in', async t => {
  const site = parseSite('site.yaml', GOOD)
  t.match(site.network, {
    gateway: '10.20.0.1',
    dhcp: 'full',
    pool: { first: '10.20.0.100', last: '10.20.0.199' },
    dns: ['10.20.0.1'],
  })
  t.equal(site.cluster.kubernetes, '1.36.3')
  t.equal(site.cluster.apiAddress, '10.20.0.11')
  t.strictSame(site.openstack.external, { cidr: '172.24.4.0/24' })
  t.strictSame(
    site.machines.map(({ name, macs, uuid, address }) => [name, macs, uuid, address]),
    [
      ['ctl-1', ['52:54:00:20:00:01'], undefined, '10.20.0.11'],
      ['cmp-1', [], '4c4c4544-0000-2010-8020-80c04f202020', '10.20.0.12'],
    ],
  )
})

t.test('what an operator notes on a machine stays with it', async t => {
  const text = GOOD.replace('role: controller }', "role: controller, notes: 'rail 3, its fan is loud' }")
  t.match(parseSite('site.yaml', text).machines, [
    { name: 'ctl-1', notes: 'rail 3, its fan is loud' },
    { name: 'cmp-1' },
  ])
})

t.test('a site compiles to one group a machine, with its role as profile', async t => {
  const { groups } = compileSite(parseSite('site.yaml', GOOD))
  t.strictSame(
    groups.map(({ id, profile, selector }) => [id, profile, selector]),
    [
      ['rack-1-ctl-1', 'controller', { mac: '52:54:00:20:00:01' }],
      ['rack-1-cmp-1', 'compute', { uuid: '4c4c4544-0000-2010-8020-80c04f202020' }],
    ],
  )
})

t.test('a machine may have the fingerprint of its TPM', async t => {
  const digits = '0aB1'.repeat(16)
  const { machines } = compileSite(
    parseSite('site.yaml', GOOD.replace('role: controller', `role: controller, tpm: sha256:${digits}`)),
  )
  t.strictSame(
    machines.map(({ tpm }) => tpm),
    [`SHA256:${digits.toLowerCase()}`, undefined],
  )
  const twice = GOOD.replaceAll(/role: \w+/g, `$&, tpm: SHA256:${digits}`)
  t.throws(() => parseSite('site.yaml', twice), { message: /is also the tpm of "ctl-1"/ })
})

t.test("a machine's group has what its firewall is about", async t => {
  const text = `${GOOD}cluster: { openToPods: [9100, 10250, 9100] }\n`
  const [of] = compileSite(parseSite('site.yaml', text)).groups
  t.match(of?.metadata, {
    subnet: '10.20.0.0/24',
    dns: ['10.20.0.1'],
    podCidr: '10.2.0.0/16',
    serviceCidr: '10.3.0.0/24',
    openToPods: [9100, 10250],
    floatingCidr: '172.24.4.0/24',
  })
  const outward = `${GOOD}openstack: { external: { cidr: 192.0.2.0/24, interface: eth1 } }\n`
  const [led] = compileSite(parseSite('site.yaml', outward)).groups
  t.notOk(
    led?.metadata?.['floatingCidr'],
    'where the network is beyond an interface, its addresses are not ours',
  )
})

t.test('an address that the file gives is not given again', async t => {
  const text = `${GOOD}  - { name: cmp-2, mac: 52:54:00:20:00:03, role: compute, address: 10.20.0.12 }\n`
  const addresses = parseSite('site.yaml', text).machines.map(({ address }) => address)
  t.strictSame(addresses, ['10.20.0.11', '10.20.0.13', '10.20.0.12'])
})

/** Lines of the same form, `N` being their number. */
function lines(count: number, line: string): string[] {
  return Array.from({ length: count }, (_, at) => line.replace('N', `${at}`))
}

t.test('a file that would take minutes to read is refused at once', async t => {
  for (const [text, says] of [
    [
      `a: ${'['.repeat(200_000)}${']'.repeat(200_000)}\n`,
      /^PL-1010 site\.yaml:1:1 its values are more than 100 deep/,
    ],
    [`name: x\n${'- '.repeat(200_000)}`, /^PL-1010 site\.yaml:\d:1 its values are more than 100 deep/],
    [
      lines(200, 'a:')
        .map((line, at) => ' '.repeat(at) + line)
        .join('\n'),
      /^PL-1010 .*:\d+:1 its values are more/,
    ],
    ['# '.padEnd(5 << 20, 'x'), /^PL-1010 site\.yaml:1:1 has 5242880 characters; at most 4194304 are read/],
    [
      lines(200_000, 'keyN: 1').join('\n'),
      /^PL-1010 site\.yaml:1\d{3}:1 has more than 1000 keys in a mapping/,
    ],
    [`a:\n${lines(200_000, '- N').join('\n')}`, /^PL-1010 .* has more than 20000 items in a list/],
    [`a: ${'&a '.repeat(100_000)}`, /^PL-1010 .* has more than 1000 anchors, aliases and tags/],
  ] as const) {
    const start = performance.now()
    t.throws(() => parseSite('site.yaml', text), { code: 'FILE_PROBLEMS', message: says })
    t.ok(performance.now() - start < 5000, 'in no time, on a busy machine')
  }
})

/** A change to the good file, and the one message that it must give. */
const MISTAKES: [title: string, from: string | RegExp, to: string, says: RegExp][] = [
  ['broken YAML', 'machines:', 'machines: [', /^PL-1001 site\.yaml:\d+:\d+ /],
  [
    'unknown key',
    'role: compute',
    'rol: compute',
    /PL-1002 site\.yaml:5:\d+ machines\[1\]\.rol: unknown key\n {2}did you mean "role"\?/,
  ],
  ['missing key', 'name: cmp-1, ', '', /^PL-1003 site\.yaml:5:\d+ machines\[1\]\.name: missing/],
  [
    'a MAC that is none',
    '52-54-00-20-00-01',
    '52-54-00-20-00',
    /^PL-1004 site\.yaml:4:\d+ machines\[0\]\.mac: "52-54-00-20-00" is not a MAC/,
  ],
  [
    'unknown role',
    'role: compute',
    'role: computer',
    /^PL-1005 site\.yaml:5:\d+ machines\[1\]\.role: unknown role "computer"\n {2}did you mean "compute"\? roles: controller compute$/,
  ],
  [
    'overlapping networks',
    '/24 }',
    '/24 }\ncluster: { podCidr: 10.20.0.0/16 }',
    /^PL-1006 site\.yaml:3:12 cluster\.podCidr: 10\.20\.0\.0\/16 overlaps network\.subnet 10\.20\.0\.0\/24/,
  ],
  [
    'a subnet over the default pods',
    'subnet: 10.20.0.0/24',
    'subnet: 10.2.8.0/24',
    /^PL-1006 site\.yaml:2:12 network\.subnet: 10\.2\.8\.0\/24 overlaps cluster\.podCidr/,
  ],
  [
    'floating IPs over the machines',
    '/24 }',
    '/24 }\nopenstack: { external: { cidr: 10.20.0.128/25 } }',
    /^PL-1006 site\.yaml:3:26 openstack\.external\.cidr: 10\.20\.0\.128\/25 overlaps network\.subnet/,
  ],
  [
    'an external network with host bits',
    '/24 }',
    '/24 }\nopenstack: { external: { cidr: 172.24.4.1/24 } }',
    /^PL-1004 site\.yaml:3:26 openstack\.external\.cidr: "172\.24\.4\.1\/24" is not an IPv4 network/,
  ],
  [
    'an optional service that there is not',
    '/24 }',
    '/24 }\nopenstack: { waves: [heat, zinder] }',
    /^PL-1004 site\.yaml:3:28 openstack\.waves\[1\]: unknown service "zinder"\n {2}did you mean "cinder"\?/,
  ],
  [
    'an interface that Linux has no room for',
    '/24 }',
    '/24 }\nopenstack: { external: { interface: enp129s0f1np1.2001 } }',
    /^PL-1004 site\.yaml:3:26 openstack\.external\.interface: "enp129s0f1np1\.2001" is not the name of an interface/,
  ],
  [
    'a MAC written twice',
    'uuid: 4C4C4544-0000-2010-8020-80C04F202020',
    'mac: 52:54:00:20:00:01',
    /^PL-1007 site\.yaml:5:\d+ machines\[1\]\.mac: 52:54:00:20:00:01 is also the mac of "ctl-1"/,
  ],
  [
    'a digest that is none',
    'role: controller',
    'role: controller, tpm: SHA256:12',
    /^PL-1004 site\.yaml:4:\d+ machines\[0\]\.tpm: "SHA256:12" is not a digest like SHA256:0123/,
  ],
  [
    'an address in the pool',
    'role: controller',
    'role: controller, address: 10.20.0.150',
    /^PL-1007 site\.yaml:4:\d+ machines\[0\]\.address: 10\.20\.0\.150 is inside the pool/,
  ],
  [
    'a port that is none',
    /$/,
    'cluster: { openToPods: [http] }\n',
    /^PL-1004 site\.yaml:6:\d+ cluster\.openToPods\[0\]: "http" is not a TCP port/,
  ],
  [
    'a second controller',
    'role: compute',
    'role: controller',
    /^PL-1009 site\.yaml:3:1 machines: 2 controllers/,
  ],
]

for (const [title, from, to, says] of MISTAKES) {
  t.test(`${title} gives one message with file, line and remedy`, async t => {
    const problems = problemsOf(GOOD.replace(from, to))
    t.match(problems.message, says)
    t.equal(problems.problems.filter(({ code }) => says.source.includes(code)).length, 1)
    for (const { remedy } of problems.problems) t.ok(remedy.length > 10)
  })
}

t.test('a small subnet has its pool in its upper half, and machines below', async t => {
  const { network, machines } = parseSite('site.yaml', GOOD.replace('10.20.0.0/24', '10.20.0.64/28'))
  t.strictSame(network.pool, { first: '10.20.0.72', last: '10.20.0.78' })
  t.strictSame(
    machines.map(({ address }) => address),
    ['10.20.0.66', '10.20.0.67'],
  )
})

t.test('a subnet without room for a machine is a mistake, reported at the machine', async t => {
  const { message } = problemsOf(GOOD.replace('10.20.0.0/24', '10.20.0.0/30'))
  t.match(message, /PL-1004 site\.yaml:\d+:\d+ machines\[\d\]: no address of the subnet is left/)
})

t.test('a subnet without room for a machine has no remedy but a larger one', async t => {
  const withAddress = GOOD.replace('10.20.0.0/24', '10.20.0.0/30').replace(
    /(role: controller)/,
    'address: 10.20.0.2, $1',
  )
  const { message } = problemsOf(withAddress)
  t.match(message, /10\.20\.0\.2 is (?:inside the pool|the gateway)\n +.*larger/)
  t.notMatch(message, /choose one outside/)
})

t.test('a file that is not a mapping is one mistake', async t => {
  t.equal(problemsOf('').problems.length, 1)
  t.equal(problemsOf('- a\n').problems.length, 1)
})

t.test('several mistakes are reported at once, in the order of the file', async t => {
  const { problems } = problemsOf(GOOD.replace('role: controller', 'role: boss').replace('subnet:', 'sub:'))
  t.strictSame(
    problems.map(({ code }) => code),
    ['PL-1003', 'PL-1002', 'PL-1003', 'PL-1005'],
  )
})
