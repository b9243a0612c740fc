// The `disk` and `hardware` of a site file: what they become, and what is said of each mistake.

import t from 'tap'
import { compileSite } from '#rack/site/compile.ts'
import { parseSite } from '#rack/site/read.ts'
import { diskSentences } from '#rack/up/plan-disk.ts'
import { problemsOf } from './problems-of.ts'

/** A rack of three machines: the keys at the root, and those that each of them has more. */
const rack = (root: string, ctl = '', cmp1 = '', cmp2 = '') => `name: rack-1
network: { subnet: 10.20.0.0/24 }
${root}
machines:
  - { name: ctl-1, mac: 52-54-00-20-00-01, role: controller${ctl} }
  - { name: cmp-1, mac: 52-54-00-20-00-02, role: compute${cmp1} }
  - { name: cmp-2, mac: 52-54-00-20-00-03, role: compute${cmp2} }
`
const disksOf = (text: string) => parseSite('site.yaml', text).machines.map(({ disk }) => disk)
const none = { mirror: false, encrypt: 'no', overwrite: false } as const

t.test('a file that does not speak of disks asks for none, and takes one where there is one', async t => {
  const usual = { match: {}, explicit: false, ...none }
  t.strictSame(disksOf(rack('')), [usual, usual, usual])
})

t.test('the disk of a machine replaces the whole disk of the file, and is published', async t => {
  const text = rack(
    'disk: { match: { type: nvme, minSize: 1.92TB }, mirror: true, encrypt: no }\nhardware: vm',
    ', disk: none',
    ', hardware: server, disk: { match: { by-id: /dev/disk/by-id/wwn-0x5000c500a1b2c3d4 }, overwrite: true }',
  )
  const disks = [
    'none',
    { match: { byId: 'wwn-0x5000c500a1b2c3d4' }, explicit: true, ...none, overwrite: true },
    {
      match: { type: 'nvme', minSize: 1_920_000_000_000 },
      explicit: true,
      ...none,
      mirror: true,
    },
  ]
  const site = parseSite('site.yaml', text)
  t.strictSame(
    site.machines.map(({ disk }) => disk),
    disks,
  )
  const { machines, groups } = compileSite(site)
  t.strictSame(
    machines.map(({ disk, hardware }) => [disk, hardware]),
    [
      [disks[0], 'vm'],
      [disks[1], 'server'],
      [disks[2], 'vm'],
    ],
  )
  t.strictSame(
    groups.map(({ metadata }) => metadata?.['hardware']),
    ['vm', 'server', 'vm'],
  )
})

t.test('sizes are bytes, and never less than was asked for', async t => {
  for (const [size, bytes] of [
    ['16GiB', 2 ** 34],
    ['100GB', 1e11],
    ['200GiB', 200 * 2 ** 30],
    ['1.5TiB', 1.5 * 2 ** 40],
    ['17.179869184GB', undefined],
    ['0.1TB', 1e11],
  ] as const) {
    const text = rack(`disk: { match: { minSize: ${size} } }`)
    if (bytes === undefined) t.match(problemsOf(text).message, /is not a size of a disk/)
    else t.match(disksOf(text)[0], { match: { minSize: bytes } }, size)
  }
})

t.test('each mistake is said once, at its place, with what to write', async t => {
  const rows: [string, string, RegExp][] = [
    ['disk: nvme', '3:1', /"nvme" is neither none nor a mapping\n {2}write {2}disk: none/],
    ['disk:', '3:1', /PL-1003 .*disk: says nothing\n {2}write {2}disk: none/],
    ...['usb-Kingston_DT_0', 'dm-name-vg-root', 'md-uuid-1'].map((id): [string, string, RegExp] => [
      `disk: { match: { by-id: ${id} } }`,
      '3:18',
      /is on USB, or made of other disks: no machine is installed to it\n {2}name a disk that is built in/,
    ]),
    ['disk: {}', '3:1', /PL-1003 .*disk: says nothing/],
    ['disk: { match: {} }', '3:9', /PL-1003 .*no condition\n {2}give at least one of by-id serial/],
    ['disk: { wipe: true }', '3:9', /unknown key\n {2}allowed: match mirror encrypt overwrite/],
    ['disk: { match: { byId: a } }', '3:18', /unknown key\n {2}did you mean "by-id"\?/],
    ['disk: { match: { minsize: 1TB } }', '3:18', /did you mean "minSize"\?/],
    ['disk: { match: { type: nvm } }', '3:18', /"nvm" is none of nvme, ssd, hdd\n {2}did you mean "nvme"\?/],
    ['disk: { match: { type: [nvme, ssd] } }', '3:18', /must be a text/],
    [
      'disk: { match: { serial: a, type: nvme } }',
      '3:29',
      /serial names one disk, and type can only exclude it/,
    ],
    ['disk: { match: { by-id: a, serial: b } }', '3:28', /by-id names one disk, and serial can only/],
    ['disk: { match: { model: "*" } }', '3:18', /"\*" is not a model of a disk\n {2}copy it from {2}lsblk/],
    ['disk: { encrypt: yes }', '3:9', /"yes" is none of no, tpm, server, auto/],
    ['disk: { encrypt: true }', '3:9', /"true" is none of no, tpm, server, auto/],
    [
      'disk: { mirror: yes }',
      '3:9',
      /"yes" is neither true nor false\n {2}write true or false, without quotes/,
    ],
    ['disk: { overwrite: true }', '3:9', /would delete the smallest disk of each machine/],
    ['disk: { match: { serial: A1 } }', '3:18', /PL-1007 .*A1 is one disk, and both ctl-1 and cmp-1 would/],
    ['hardware: virtual', '3:1', /"virtual" is none of server, vm\n/],
    ['hardware: [vm]', '3:1', /must be a text/],
    ['disk: { match: { serial: "$(reboot)" } }', '3:18', /is not a serial number/],
    ['disk: { match: { serial: "a\\u0000b" } }', '3:18', /contains the character U\+0000/],
    ['disk: !!binary bm9uZQ==', '3:1', /has the tag !!binary/],
    ['disk: { match: { minSize: 10GB } }', '3:18', /10GB is less than 16GiB/],
    ['disk: { match: { minSize: 5000TB } }', '3:18', /5000TB is more than 1000TB/],
    ['disk: { <<: { mirror: true } }', '3:9', /a merge key, which a site file does not have/],
  ]
  for (const [root, place, says] of rows) {
    const { problems, message } = problemsOf(rack(root))
    t.equal(problems.length, 1, `${root}: ${message}`)
    t.match(message, says, root)
    t.match(message, ` site.yaml:${place} `, root)
  }
})

t.test('a mirror takes two disks: not with a name of one', async t => {
  const text = rack('', ', disk: { match: { by-id: wwn-0x5 }, mirror: true }')
  t.match(
    problemsOf(text).message,
    /5:97 machines\[0\]\.disk\.mirror: a mirror takes two disks, and by-id names one/,
  )
})

t.test('one disk cannot be that of two servers; virtual disks may have one name', async t => {
  const own = ', disk: { match: { serial: QM00001 } }'
  const { problems, message } = problemsOf(rack('', own, own))
  t.equal(problems.length, 1)
  t.match(message, 'machines[1].disk.match.serial: QM00001 is one disk, and both ctl-1 and cmp-1')
  t.doesNotThrow(() => disksOf(rack('hardware: vm', own, own)))
  t.doesNotThrow(() => disksOf(rack('hardware: vm\ndisk: { match: { serial: QM00001 } }')))
  t.doesNotThrow(() => disksOf(rack('disk: { match: { serial: A1 } }', '', ', disk: none', ', disk: none')))
})

t.test('plan says of each role what its disk means', async t => {
  t.strictSame(diskSentences(parseSite('site.yaml', rack(''))), [
    "ctl-1 (controller): installed to its smallest disk that holds nothing; without one it runs from RAM, and a power cut loses etcd and every secret, and the cloud's databases, images and volumes on this machine",
    'cmp-1 cmp-2 (compute): each installed to its smallest disk that holds nothing; without one it runs from RAM, and a power cut loses every guest disk on these machines',
  ])
  t.strictSame(
    diskSentences(
      parseSite(
        'site.yaml',
        rack(
          'disk: none',
          ', disk: { match: { model: "PERC*", minSize: 1TB }, mirror: true, overwrite: true }',
          '',
          ', disk: { match: { serial: A1 } }',
        ),
      ),
    ),
    [
      'ctl-1 (controller): installed to its two smallest disks with the model PERC* and at least 1000 GB, mirrored, empty ones first, else whatever they hold: that is overwritten; without both the boot stops and says why',
      'cmp-1 (compute): RAM, since its disk is none: a power cut loses every guest disk on this machine',
      'cmp-2 (compute): installed to the disk with the serial number A1, if it holds nothing; without it the boot stops and says why',
    ],
  )
})

t.test('what opens an encrypted disk is said for all machines, or for one', async t => {
  const disks = disksOf(
    rack('disk: { encrypt: tpm }', ', disk: { encrypt: server }', ', disk: { encrypt: auto }'),
  )
  t.strictSame(
    disks.map(disk => typeof disk === 'object' && disk.encrypt),
    ['server', 'auto', 'tpm'],
  )
})

t.test('plan says where the key of an encrypted disk is', async t => {
  for (const [encrypt, said] of [
    ['tpm', 'encrypted with a key in its TPM;'],
    ['server', 'encrypted with a key of the server, without which it does not start;'],
    ['auto', 'encrypted with a key in its TPM, or of the server where it has none;'],
  ] as const) {
    const site = parseSite('site.yaml', rack(''))
    const machines = site.machines.map(it => ({
      ...it,
      disk: { match: {}, explicit: true, ...none, encrypt },
    }))
    t.match(diskSentences({ ...site, machines })[0], said)
  }
})

t.test('an all-in-one machine loses both, and of many machines some are named', async t => {
  const [alone] = diskSentences(
    parseSite(
      'site.yaml',
      'name: r\nnetwork: { subnet: 10.20.0.0/24 }\ndisk: none\nmachines: [{ name: a, mac: 52-54-00-20-00-01, role: controller }]\n',
    ),
  )
  t.match(alone, /loses etcd .* volumes, and every guest disk on this machine$/)
  const many = Array.from(
    { length: 12 },
    (_, at) => `  - { name: c-${at}, mac: 52-54-00-20-01-${String(at + 10)}, role: compute }\n`,
  ).join('')
  t.match(
    diskSentences(parseSite('site.yaml', rack('') + many))[1],
    /^cmp-1 cmp-2 c-0 c-1 c-2 c-3 c-4 c-5 and 6 more \(compute\)/,
  )
})
