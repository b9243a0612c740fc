// Which disk a machine is installed to (images/live/dracut/disk/choose.jq), from what the kernel says of its disks.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'

const PROGRAM = join(import.meta.dirname, '../../../images/live/dracut/disk/choose.jq')
const LEAST = 16 * 1024 ** 3

type Disk = Record<string, unknown> & { readonly name: string }
type Choice = { readonly chosen: readonly string[]; readonly error: boolean; readonly why: string }

/** A disk that would do, with what differs. */
function disk(name: string, differs: Record<string, unknown> = {}): Disk {
  return {
    name,
    path: `/dev/${name}`,
    bytes: 480e9,
    model: 'INTEL SSDSC2KG48',
    serial: `S-${name}`,
    byId: `ata-INTEL_S-${name}`,
    byIds: [`ata-INTEL_S-${name}`, `wwn-0x5${name}`],
    type: 'ssd',
    removable: false,
    readOnly: false,
    busy: false,
    holds: null,
    own: null,
    ...differs,
  }
}

function choose(disks: readonly Disk[], choice: Record<string, unknown> = {}, uefi = true): Choice {
  const asked = { match: {}, explicit: 'match' in choice, mirror: false, ...choice }
  const input = JSON.stringify({ disks, choice: asked, least: LEAST, uefi })
  return JSON.parse(execFileSync('jq', ['--from-file', PROGRAM], { input, encoding: 'utf8' })) as Choice
}

t.test('takes the smallest disk that is large enough', async t => {
  const disks = [
    disk('sda', { bytes: 4e12 }),
    disk('sdb', { bytes: LEAST - 1 }),
    disk('sdc', { bytes: LEAST }),
  ]
  t.strictSame(choose(disks).chosen, ['sdc'])
})

for (const [what, differs] of [
  ['removable', { removable: true }],
  ['read-only', { readOnly: true }],
  ['in use', { busy: true }],
] as const) {
  t.test(`never takes a disk that is ${what}, even when the site names it`, async t => {
    const disks = [disk('sda', { ...differs, bytes: 20e9 })]
    const named = choose(disks, { match: { serial: 'S-sda' } })
    t.match(named, { chosen: [], error: true })
    t.match(named.why, `sda (20 GB ssd, model INTEL SSDSC2KG48, serial S-sda, ${what})`)
    t.strictSame(choose([...disks, disk('sdb')]).chosen, ['sdb'])
  })
}

t.test('a BIOS is given no disk with sectors of 4096 bytes, which it could not start', async t => {
  const large = disk('sda', { sectorBytes: 4096, bytes: 100e9 })
  t.strictSame(choose([large, disk('sdb', { sectorBytes: 512 })], {}, false).chosen, ['sdb'])
  const none = choose([large], { match: {} }, false)
  t.match(none, { chosen: [], error: true })
  t.match(none.why, /with sectors of 512 bytes \(the firmware is a BIOS.*sda \(.*sectors of 4096 bytes\)$/)
  t.strictSame(choose([large]).chosen, ['sda'], 'UEFI starts from it')
})

t.test('chooses alike in whatever order the kernel found its disks', async t => {
  const one = disk('sda', { serial: 'B', byId: 'ata-B' })
  const other = disk('sdb', { serial: 'A', byId: 'ata-A' })
  t.strictSame(choose([one, other]).chosen, ['sdb'])
  const swapped = [
    { ...other, name: 'sda' },
    { ...one, name: 'sdb' },
  ]
  t.strictSame(choose(swapped).chosen, ['sda'], 'the same disk under its other name')
})

t.test(
  'without a selector takes a disk with a partition table alone, after those that are empty',
  async t => {
    const begun = disk('sda', { holds: 'gpt on sda, PMBR on sda' })
    t.match(choose([begun]), { chosen: ['sda'] })
    t.match(choose([begun, disk('sdb', { bytes: 4e12 })]), { chosen: ['sdb'] })
    t.match(choose([disk('sda', { holds: 'gpt on sda, ext4 on sda1' })]), { chosen: [], error: false })
  },
)

t.test('without a selector takes no disk that holds something, and does not end the boot', async t => {
  const full = disk('sda', { holds: 'ext4 "data" on sda1', bytes: 100e9 })
  t.strictSame(choose([full, disk('sdb')]).chosen, ['sdb'])
  const none = choose([full])
  t.match(none, { chosen: [], error: false })
  t.match(
    none.why,
    /^no disk is free to install to, .* there is: sda \(100 GB .*, holds ext4 "data" on sda1\)$/,
  )
})

t.test(
  'a disk that the site names is chosen with what it holds; the server says whether it may be lost',
  async t => {
    const full = disk('sda', { holds: 'LVM2_member on sda' })
    t.strictSame(choose([full, disk('sdb')], { match: { serial: 'S-sda' } }).chosen, ['sda'])
  },
)

t.test('says which disks there are when a selector fits none', async t => {
  const { chosen, error, why } = choose([disk('sda')], { match: { type: 'nvme' } })
  t.strictSame([chosen, error], [[], true])
  t.equal(
    why,
    'no disk fits (type nvme), of at least 17.2 GB, neither removable, read-only nor in use; there is: sda (480 GB ssd, model INTEL SSDSC2KG48, serial S-sda)',
  )
  t.match(choose([], { match: { type: 'nvme' } }).why, /this machine shows no disk$/)
  t.match(
    choose([], { match: { byId: 'wwn-1', minSize: 500e9 } }).why,
    /^no disk fits \(by-id wwn-1, minSize 500 GB\)/,
  )
})

t.test('refuses a selector that two disks of one size fit', async t => {
  const two = choose([disk('sda'), disk('sdb')], { match: { model: 'INTEL*' } })
  t.match(two, { chosen: [], error: true })
  t.match(
    two.why,
    /^2 disks fit \(model INTEL\*\), and sda and sdb have the same size: name one with by-id or serial; there is: /,
  )
  t.strictSame(choose([disk('sda'), disk('sdb', { bytes: 960e9 })], { match: { model: 'INTEL*' } }).chosen, [
    'sda',
  ])
  t.strictSame(
    choose([disk('sda'), disk('sdb', { own: 'installed', holds: 'gpt' })], { match: { model: 'INTEL*' } })
      .chosen,
    ['sdb'],
    'unless one of them is ours already',
  )
})

t.test('prefers the disk that this machine is installed on, and one whose install was cut short', async t => {
  for (const own of ['installed', 'unfinished']) {
    const ours = disk('sdb', { bytes: 4e12, own, holds: 'gpt' })
    t.strictSame(choose([disk('sda'), ours]).chosen, ['sdb'], own)
  }
})

t.test('prefers a disk whose state cannot be read to every other, with a selector and without', async t => {
  const damaged = disk('sdb', { bytes: 960e9, own: 'unreadable', holds: 'gpt on sdb, ext4 on sdb7' })
  const data = disk('sda', { holds: 'LVM2_member on sda' })
  t.strictSame(choose([data, damaged]).chosen, ['sdb'], 'so that an order can be spent on it')
  t.strictSame(choose([disk('sdc'), damaged]).chosen, ['sdb'], 'and not on a spare one')
  t.strictSame(choose([data, damaged], { match: { type: 'ssd' } }).chosen, ['sdb'], 'nor on data')
  const ofOneSize = { ...damaged, bytes: data['bytes'] }
  t.strictSame(choose([data, ofOneSize], { match: { type: 'ssd' } }).chosen, ['sdb'])
  t.strictSame(choose([damaged, disk('sdc', { own: 'installed', holds: 'gpt' })]).chosen, ['sdc'])
  const two = [ofOneSize, { ...ofOneSize, name: 'sdd', serial: 'S-sdd' }]
  t.match(choose(two, { match: { type: 'ssd' } }), { chosen: [], error: true })
})

t.test('reads each part of a selector', async t => {
  const disks = [
    disk('sda', { type: 'hdd', bytes: 4e12, model: 'ST4000NM [old]' }),
    disk('nvme0n1', { type: 'nvme', bytes: 960e9, model: 'SAMSUNG MZ' }),
    disk('sdb', { bytes: 240e9 }),
  ]
  const rows: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ byId: 'wwn-0x5sda' }, 'sda'],
    [{ byId: 'ata-INTEL_S-nvme0n1' }, 'nvme0n1'],
    [{ serial: 'S-sdb' }, 'sdb'],
    [{ model: 'ST4000NM [old]' }, 'sda'],
    [{ model: 'SAM?UNG*' }, 'nvme0n1'],
    [{ type: 'hdd' }, 'sda'],
    [{ minSize: 500e9 }, 'nvme0n1'],
    [{ minSize: 500e9, type: 'hdd' }, 'sda'],
  ]
  for (const [match, name] of rows)
    t.strictSame(choose(disks, { match }).chosen, [name], JSON.stringify(match))
  t.strictSame(choose(disks, { match: { model: 'ST4000' } }).chosen, [], 'a model is compared as a whole')
  t.strictSame(
    choose(disks, { match: { model: 'ST4000NM .old.' } }).chosen,
    [],
    'and has no regular expressions',
  )
})

t.test('a mirror takes the two smallest, and says when there is only one', async t => {
  const disks = [disk('sda', { bytes: 4e12 }), disk('sdb'), disk('sdc', { bytes: 500e9 })]
  t.strictSame(choose(disks, { mirror: true }).chosen, ['sdb', 'sdc'])
  t.match(choose([disk('sda')], { mirror: true, match: {} }), {
    chosen: [],
    error: true,
    why: /^a mirror needs two disks, and one fits, /,
  })
})
