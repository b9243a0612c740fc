import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { compareWithSite, parseRack, readRack } from '#lab/rack.ts'
import type { Problem } from '#rack/site/problems.ts'
import { readSiteFile } from '#rack/site/read.ts'

const MACHINE =
  '{ name: a, mac: 52:54:00:20:00:01, uuid: 5a0e7f00-0020-4000-8000-000000000001, driver: qemu }'
const GOOD = `name: small
bridge: { address: 10.20.0.1/24 }
site: site.yaml
machines:
  - ${MACHINE}
`

t.test('a rack file becomes a rack: paths count from its folder, what is left out has a value', async t => {
  t.same(parseRack(GOOD, '/racks/small/rack.yaml'), {
    name: 'small',
    bridge: { address: '10.20.0.1', prefix: 24 },
    site: '/racks/small/site.yaml',
    machines: [
      {
        name: 'a',
        mac: '52:54:00:20:00:01',
        uuid: '5a0e7f00-0020-4000-8000-000000000001',
        driver: 'qemu',
        firmware: 'bios',
        accelerator: 'tcg',
      },
    ],
  })
})

t.test('a machine has a TPM where its rack says so', async t => {
  for (const [said, tpm] of [
    ['true', true],
    ['false', undefined],
  ] as const) {
    const [machine] = parseRack(GOOD.replace('qemu', `qemu, tpm: ${said}`), '/r.yaml').machines
    t.equal(machine?.tpm, tpm)
  }
})

t.test('the hardware of a machine is what its rack says', async t => {
  const read = (hardware: string) =>
    parseRack(GOOD.replace('driver: qemu', `driver: qemu, ${hardware}`), '/racks/small/rack.yaml').machines[0]
  t.match(read('diskGiB: 20'), {
    disks: [{ type: 'virtio', gib: 20, serial: 'PL000000000001-1', cache: 'kept' }],
    diskGiB: undefined,
  })
  t.match(
    read(
      'disks: [{ type: nvme, gib: 16, serial: A-1 }, { type: ahci, gib: 17, cache: volatile }], boot: network',
    ),
    {
      disks: [
        { type: 'nvme', gib: 16, serial: 'A-1', cache: 'kept' },
        { type: 'ahci', gib: 17, serial: 'PL000000000001-2', cache: 'volatile' },
      ],
      boot: 'network',
    },
  )
  t.same(read('network: e1000e')?.network, [{ card: 'e1000e', mac: '52:54:00:20:00:01' }])
  t.same(read('network: [virtio, { card: igb, mac: 52:54:00:20:01:0A }]')?.network, [
    { card: 'virtio', mac: '52:54:00:20:00:01' },
    { card: 'igb', mac: '52:54:00:20:01:0a' },
  ])
  t.match(read('firmware: uefi, secureBoot: true, variables: own.fd, medium: ../a.iso, serial: SN-1'), {
    secureBoot: true,
    variables: '/racks/small/own.fd',
    medium: '/racks/a.iso',
    serial: 'SN-1',
  })
  t.equal(read('medium: ipxe')?.medium, 'ipxe')
  const container = parseRack(
    GOOD.replace('driver: qemu', 'driver: container, diskGiB: 4'),
    '/r.yaml',
  ).machines
  t.match(container, [{ diskGiB: 4, disks: undefined }])
})

/** What a thrown FileProblems must look like. */
const problems = (...problems: readonly Partial<Record<keyof Problem, unknown>>[]) => ({
  code: 'FILE_PROBLEMS',
  problems,
})

const MISTAKES: [title: string, text: string, place: string, message: RegExp][] = [
  ['a text that is not YAML', 'name: [', '1:8', /^PL-1001/],
  ['an empty file', '', '1:1', /PL-1003 .*the file is empty/],
  ['an unknown key', GOOD.replace('site:', 'sites:'), '3:1', /PL-1002 .*sites: unknown key\n.*mean "site"/],
  ['a missing name', GOOD.replace('name: small\n', ''), '1:1', /PL-1003 .*name: missing/],
  ['a name that no namespace can have', GOOD.replace('small', 'Small_1'), '1:1', /must be lower case/],
  ['a name that leads out of the folder', GOOD.replace('small', '..'), '1:1', /must be lower case/],
  ['a bridge without prefix', GOOD.replace('/24', ''), '2:11', /must be an IPv4 address with its prefix/],
  [
    'a bridge that is not an address',
    GOOD.replace('10.20.0.1/', '10.20.0.300/'),
    '2:11',
    /not the address of a network/,
  ],
  ['a driver that is none', GOOD.replace('driver: qemu', 'driver: xen'), '5:84', /must be qemu or container/],
  ['a missing driver', GOOD.replace(', driver: qemu', ''), '5:5', /driver: missing/],
  ['a short MAC', GOOD.replace('52:54:00:20:00:01', '52:54:00'), '5:16', /must be a MAC address/],
  [
    'a firmware for a container machine',
    GOOD.replace('driver: qemu', 'driver: container, firmware: uefi'),
    '5:103',
    /has no firmware/,
  ],
  [
    'a TPM for a container machine',
    GOOD.replace('driver: qemu', 'driver: container, tpm: true'),
    '5:103',
    /has no tpm/,
  ],
  [
    'a TPM that is neither',
    GOOD.replace('driver: qemu', 'driver: qemu, tpm: 2.0'),
    '5:98',
    /must be true or false/,
  ],
  [
    'a disk that is none',
    GOOD.replace('qemu', 'qemu, disks: [{ type: ide, gib: 9 }]'),
    '5:108',
    /must be virtio or/,
  ],
  ['a disk without a size', GOOD.replace('qemu', 'qemu, disks: [{ type: ahci }]'), '5:106', /gib: missing/],
  ['no list of disks', GOOD.replace('qemu', 'qemu, disks: 3'), '5:98', /disks/],
  [
    'two spellings of disks',
    GOOD.replace('qemu', 'qemu, diskGiB: 3, disks: []'),
    '5:98',
    /keep one of the two/,
  ],
  ['a card that is none', GOOD.replace('qemu', 'qemu, network: ne2k'), '5:98', /must be virtio or e1000e/],
  [
    'a second card without a MAC',
    GOOD.replace('qemu', 'qemu, network: [virtio, igb]'),
    '5:116',
    /its MAC is missing/,
  ],
  [
    'a MAC that two cards have',
    GOOD.replace('qemu', 'qemu, network: [virtio, { card: igb, mac: 52:54:00:20:00:01 }]'),
    '5:116',
    /PL-1007 .*another card has the MAC/,
  ],
  [
    'a serial that two disks have',
    GOOD.replace(
      'qemu',
      'qemu, disks: [{ type: nvme, gib: 1, serial: a }, { type: nvme, gib: 1, serial: a }]',
    ),
    '5:141',
    /PL-1007 .*another disk has the serial a/,
  ],
  [
    'Secure Boot of a BIOS',
    GOOD.replace('qemu', 'qemu, secureBoot: true'),
    '5:98',
    /only for .*firmware: uefi/,
  ],
  [
    'a disk with a cache that is none',
    GOOD.replace('qemu', 'qemu, disks: [{ type: nvme, gib: 1, cache: none }]'),
    '5:128',
    /must be kept or volatile/,
  ],
  [
    'cards of a container machine',
    GOOD.replace('qemu', 'container, network: igb'),
    '5:103',
    /has no network/,
  ],
  [
    'a fraction of memory',
    GOOD.replace('driver: qemu', 'driver: qemu, memoryMiB: 0.5'),
    '5:98',
    /whole number/,
  ],
  ['two machines of one name', `${GOOD}  - ${MACHINE}\n`, '6:7', /PL-1007 .*another machine has the name a/],
]

for (const [title, text, place, message] of MISTAKES)
  t.test(`${title} is reported with its line and column`, async t => {
    const thrown = t.throws(() => parseRack(text, '/r.yaml'), { code: 'FILE_PROBLEMS', message })
    t.match(String(thrown), `/r.yaml:${place} `)
  })

t.test('every mistake of a file is reported at once', async t => {
  const text = GOOD.replace('small', 'Small').replace('qemu', 'xen')
  t.throws(() => parseRack(text, '/r.yaml'), problems({ line: 1 }, { line: 5 }))
})

t.test('a file that is missing, the rack or one that it names, is PL-1008', async t => {
  await t.rejects(readRack('/nowhere/rack.yaml'), problems({ code: 'PL-1008' }))
  const file = join(t.testdir({ 'rack.yaml': `${GOOD}data: no-data\nobjects: no.json\n` }), 'rack.yaml')
  await t.rejects(
    readRack(file),
    problems(
      { code: 'PL-1008', line: 3, what: /site: there is no file/ },
      { code: 'PL-1008', line: 6, what: /data: there is no directory/ },
      { code: 'PL-1008', line: 7, what: /objects: there is no file/ },
    ),
  )
})

t.test('a rack that contradicts its site is reported with the place', async t => {
  const file = 'lab/racks/small/rack.yaml'
  const text = readFileSync(file, 'utf8')
  const { site = '' } = await readRack(file)
  const read = await readSiteFile(site)
  t.doesNotThrow(() => compareWithSite(text, file, read))
  const other = (from: string, to: string, what: RegExp): void => {
    t.throws(() => compareWithSite(text.replace(from, to), file, read), problems({ what }))
  }
  other('10.20.0.1/24', '10.20.0.2/24', /bridge.address: the site's gateway is 10.20.0.1\/24/)
  other('10.20.0.1/24', '10.20.0.1/25', /bridge.address: the site's gateway is 10.20.0.1\/24/)
  other('52:54:00:20:00:02', '52:54:00:20:00:03', /machines\[1\].mac: the site knows cmp-1 as 52:/)
  t.throws(
    () => compareWithSite(text.replace('cmp-1', 'cmp-9'), file, read),
    problems({ what: /the site's machine cmp-1 is missing/ }, { what: /the site has no machine cmp-9/ }),
  )
  const [controller, compute] = read.machines
  const byUuid = { ...read, machines: [controller!, { ...compute!, macs: [], uuid: 'another' }] } // it has two
  t.throws(
    () => compareWithSite(text, file, byUuid),
    problems({ what: /machines\[1\].uuid: the site knows cmp-1 as another/ }),
  )
})

t.test("the project's own racks are sound, and each machine of a site is in its rack", async t => {
  for (const name of ['small', 'small-disk', 'all-in-one', 'mixed', 'firmware', 'disk']) {
    const file = `lab/racks/${name}/rack.yaml`
    const rack = await readRack(file)
    t.equal(rack.name, name)
    if (rack.site === undefined) continue
    const site = await readSiteFile(rack.site)
    t.doesNotThrow(() => compareWithSite(readFileSync(file, 'utf8'), file, site))
  }
})
