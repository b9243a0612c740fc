// What a boot may do with its disks, as a table: a disk is written only with a reason, and what it holds is lost only on
// someone's word.

import t from 'tap'
import fc from 'fast-check'
import type { DiskChoice } from '#model/disk.ts'
import type { FoundState, SeenDisk } from '#model/install.ts'
import { decideInstall, type InstallDecision, type InstallQuestion } from '#server/disks/install-decision.ts'
import type { Install, KeptOrder } from '#server/store/machine-records.ts'

const DAY = 24 * 3_600_000
const AUTHORITY = 'a'.repeat(64)
const disk: SeenDisk = {
  name: 'nvme0n1',
  path: '/dev/nvme0n1',
  bytes: 960e9,
  model: 'M1',
  serial: 'S1',
  byId: 'nvme-M1_S1',
  type: 'nvme',
  removable: false,
  holds: null,
}
const other: SeenDisk = { ...disk, name: 'sda', serial: 'S2', byId: 'ata-S2' }
const choice: DiskChoice = { match: {}, explicit: false, mirror: false, encrypt: 'no', overwrite: false }
const own: FoundState = { machine: 'ctl-1', authority: AUTHORITY, uuid: 'u', version: 'v1' }
/** Its own state as other hardware shows it. */
const moved: FoundState = { ...own, disk: 'nvme0n1' }
const inOther: SeenDisk = { ...disk, own: 'other' }
const confirmed: Install = {
  machine: 'ctl-1',
  boot: 'b-0001',
  disks: [disk],
  version: 'v1',
  overwrite: false,
  grantedAt: 1,
  installedAt: 2,
  confirmedAt: 3,
}
const TABLE = '9d0a1c3e-0000-4000-8000-000000000001'
const { installedAt: _, confirmedAt: __, ...unfinished } = confirmed
/** What a boot was granted, and did not finish; and its disk, which shows the partition table of that grant. */
const begun: Install = { ...unfinished, table: TABLE }
const begunOn: SeenDisk = { ...disk, holds: 'gpt on nvme0n1, unknown data', table: TABLE }
const made = { run: 'r', at: 0 }
const reinstall: KeptOrder = { machine: 'ctl-1', verb: 'reinstall', at: 5, until: 9, who: 'ada', made }

type Given = Partial<Omit<InstallQuestion, 'asked' | 'machine'>> & {
  readonly disks?: readonly SeenDisk[]
  readonly chosen?: readonly string[]
  readonly found?: FoundState | null
  readonly choice?: DiskChoice | 'none'
}

function decide(given: Given): InstallDecision {
  const { disks = [disk], chosen = ['nvme0n1'], found = null, choice: site = choice, ...more } = given
  return decideInstall({
    machine: { name: 'ctl-1', disk: site },
    boot: 'b-0002',
    authority: AUTHORITY,
    installs: [],
    now: 10,
    asked: { action: 'install', disks, chosen, found },
    ...more,
  })
}

const full = { ...disk, holds: 'ext4 on nvme0n1' }
const cases: [string, Given, object][] = [
  ['an empty disk is written', {}, { grant: 'install', overwrite: false, spends: false }],
  ['"disk: none" is RAM, also with an order', { choice: 'none', order: reinstall }, { grant: 'ram' }],
  ['no disk that fits is RAM', { chosen: [] }, { grant: 'ram', why: /none of its disks/ }],
  [
    'a disk that holds something is left alone',
    { disks: [full] },
    { refused: 'DISK_IN_USE', why: /holds something \(ext4.*pilotlight reinstall ctl-1 --count 1$/ },
  ],
  [
    'unless the site says that it may be lost',
    { disks: [full], choice: { ...choice, overwrite: true } },
    { grant: 'install', overwrite: true },
  ],
  [
    'or an operator ordered it',
    { disks: [full], order: reinstall },
    { grant: 'install', overwrite: true, spends: true, orderedBy: 'ada' },
  ],
  [
    'an order that no disk fits is refused, and not spent: the machine does not run from RAM instead',
    { disks: [full], chosen: [], order: reinstall },
    {
      refused: 'INSTALLED_ELSEWHERE',
      why: /ada ordered.*without it no disk is taken.*pilotlight reinstall ctl-1 --undo$/,
    },
  ],
  ['a wipe goes before all else', { order: { ...reinstall, verb: 'wipe' } }, { grant: 'wipe', who: 'ada' }],
  [
    'a wipe takes a disk whose state cannot be read where the machine was installed on it, and no other one',
    {
      order: { ...reinstall, verb: 'wipe' },
      installs: [confirmed],
      disks: [
        { ...disk, own: 'unreadable' },
        { ...other, own: 'unreadable' },
      ],
    },
    { grant: 'wipe', unreadable: ['nvme0n1'] },
  ],
  [
    'none, where it was never installed',
    { order: { ...reinstall, verb: 'wipe' }, disks: [{ ...disk, own: 'unreadable' }] },
    { grant: 'wipe', unreadable: [] },
  ],
  ['its own state is entered', { found: own, installs: [confirmed] }, { grant: 'enter', version: 'v1' }],
  ['also without a record of it', { found: own }, { grant: 'enter' }],
  [
    'and with a record when the authority is another one by now',
    { found: { ...own, authority: 'b'.repeat(64) }, installs: [confirmed] },
    { grant: 'enter' },
  ],
  [
    'also in other hardware, where the record names its disk: a mainboard was replaced',
    { found: moved, disks: [inOther], installs: [confirmed] },
    { grant: 'enter', disks: [{ serial: 'S1' }], movedFrom: 'u' },
  ],
  [
    'and by whichever name the kernel of the other hardware has for that disk',
    {
      found: { ...moved, disk: 'sdb' },
      disks: [other, { ...inOther, name: 'sdb' }],
      chosen: ['sda'],
      installs: [confirmed],
    },
    { grant: 'enter', disks: [{ name: 'sdb' }] },
  ],
  [
    'but not in other hardware without a record of the disk',
    { found: moved, disks: [inOther] },
    {
      refused: 'STATE_OF_ANOTHER_MACHINE',
      why: /a ctl-1 in other hardware \(UUID u\).*replace-a-mainboard.*pilotlight reinstall ctl-1/,
    },
  ],
  [
    'nor from the disk of an earlier machine of that name',
    {
      found: { ...moved, disk: 'sda' },
      disks: [{ ...other, own: 'other' }],
      chosen: [],
      installs: [confirmed],
    },
    { refused: 'STATE_OF_ANOTHER_MACHINE' },
  ],
  [
    'nor that of another machine, though the record names its disk',
    { found: { ...moved, machine: 'cmp-1' }, disks: [inOther], installs: [confirmed] },
    { refused: 'STATE_OF_ANOTHER_MACHINE', why: /state of cmp-1/ },
  ],
  [
    'and never from a disk that can be pulled out',
    { found: { ...own, disk: 'nvme0n1' }, disks: [{ ...disk, removable: true }], chosen: [] },
    { refused: 'STATE_OF_ANOTHER_MACHINE', why: /can be pulled out/ },
  ],
  [
    'an installed machine without a disk that fits its order does not run its role from RAM',
    { chosen: [], order: reinstall, installs: [confirmed] },
    { refused: 'INSTALLED_ELSEWHERE', why: /ada ordered.*pilotlight reinstall ctl-1 --undo$/ },
  ],
  [
    'the state of another authority is not',
    { found: { ...own, authority: 'b'.repeat(64) } },
    { refused: 'STATE_OF_ANOTHER_MACHINE', why: /another authority installed/ },
  ],
  [
    'nor that of another machine, even where the site says overwrite',
    { found: { ...own, machine: 'cmp-1' }, choice: { ...choice, overwrite: true } },
    { refused: 'STATE_OF_ANOTHER_MACHINE', why: /holds the state of cmp-1.*pilotlight reinstall ctl-1/ },
  ],
  [
    'that of another machine is lost by an order that names this one',
    { found: { ...own, machine: 'cmp-1' }, order: reinstall },
    { grant: 'install', overwrite: true },
  ],
  [
    'an installed machine without its disk is not installed on another',
    { disks: [other], chosen: ['sda'], installs: [confirmed] },
    { refused: 'INSTALLED_ELSEWHERE', why: /is installed on nvme0n1 \(S1, 960 GB\), which it does not show/ },
  ],
  [
    'nor anew on its own disk, whose state is gone',
    { installs: [confirmed] },
    { refused: 'STATE_MISSING', why: /no state of it was found/ },
  ],
  [
    'asked again in the same boot it is the same grant',
    { boot: 'b-0001', installs: [begun], disks: [begunOn] },
    { grant: 'install', overwrite: true, spends: false, table: TABLE },
  ],
  [
    'which is no leave to overwrite what is not of this install',
    { boot: 'b-0001', installs: [begun], disks: [{ ...disk, holds: 'gpt on nvme0n1' }] },
    { grant: 'install', overwrite: false },
  ],
  [
    'but for that disk alone',
    { boot: 'b-0001', installs: [begun], disks: [disk, other], chosen: ['sda'] },
    { refused: 'INSTALLED_ELSEWHERE', why: /may write nvme0n1 .* asks for sda/ },
  ],
  [
    'an install that a power loss cut off goes on in the next boot, whatever it left, at any time',
    { installs: [begun], disks: [begunOn], now: 9 * DAY },
    { grant: 'install', overwrite: true, table: TABLE, spends: false },
  ],
  [
    'of a mirror also where the second disk has no table yet',
    {
      installs: [{ ...begun, disks: [disk, other] }],
      disks: [begunOn, other],
      chosen: ['nvme0n1', 'sda'],
    },
    { grant: 'install', overwrite: true },
  ],
  [
    'unless that one holds something of another',
    {
      installs: [{ ...begun, disks: [disk, other] }],
      disks: [begunOn, { ...other, holds: 'ext4 on sda' }],
      chosen: ['nvme0n1', 'sda'],
    },
    { refused: 'DISK_IN_USE' },
  ],
  ...[
    { ...begunOn, table: undefined },
    { ...begunOn, table: '9d0a1c3e-0000-4000-8000-000000000002' },
    { ...disk, holds: 'gpt on nvme0n1, vfat on nvme0n1p2, ext4 "pilotlight-state" on nvme0n1p7' },
  ].map(({ table, ...seen }): [string, Given, object] => [
    `a stranger that was granted the disk of a machine has nothing overwritten there: ${seen.holds}, ${table}`,
    { installs: [begun], disks: [table === undefined ? seen : { ...seen, table }] },
    { refused: 'DISK_IN_USE' },
  ]),
  [
    'nor where neither the disk nor the grant has an id',
    { installs: [unfinished], disks: [full] },
    { refused: 'DISK_IN_USE' },
  ],
  [
    'a state of this machine on which nothing was kept shows it as well',
    {
      installs: [unfinished],
      disks: [{ ...disk, holds: 'gpt on nvme0n1', own: 'unfinished' }],
      now: DAY + 2,
    },
    { grant: 'install', overwrite: true },
  ],
  [
    'one that cannot be read is never overwritten by that',
    { installs: [begun], disks: [{ ...begunOn, own: 'unreadable' }] },
    { refused: 'STATE_MISSING' },
  ],
  [
    'a state that cannot be read is not overwritten because the site says overwrite',
    { disks: [{ ...full, own: 'unreadable' }], choice: { ...choice, overwrite: true } },
    { refused: 'STATE_MISSING', why: /cannot be read.*pilotlight reinstall ctl-1/ },
  ],
  [
    'an ordered one is over a day after its grant, and the state is entered',
    {
      installs: [{ ...begun, boot: 'b-0005', orderedBy: 'ada', grantedAt: 4 }, confirmed],
      boot: 'b-0006',
      found: own,
      disks: [full],
      now: DAY + 5,
    },
    { grant: 'enter' },
  ],
  [
    'an ordered one goes on whatever is there, and over the old state',
    {
      installs: [{ ...begun, boot: 'b-0005', orderedBy: 'ada', grantedAt: 4 }, confirmed],
      boot: 'b-0006',
      found: own,
      disks: [full],
    },
    { grant: 'install', overwrite: true, orderedBy: 'ada', spends: false },
  ],
  [
    'what another boot was granted in its name does not count once the machine is installed',
    { installs: [{ ...begun, boot: 'b-0005', grantedAt: 4 }, confirmed], boot: 'b-0006' },
    { refused: 'STATE_MISSING' },
  ],
]

/** A disk with data, which the initrd chose while that of the machine is there as well, its state unreadable. */
const data: SeenDisk = {
  ...disk,
  name: 'nvme1n1',
  serial: 'DATA',
  byId: 'nvme-DATA',
  bytes: 400e9,
  holds: 'LVM2_member on nvme1n1',
}
const { confirmedAt: ___, ...wiped } = confirmed
const onOther: FoundState = { ...own, disk: 'sda' }
const beside = {
  disks: [{ ...full, own: 'unreadable' }, data],
  chosen: ['nvme1n1'],
  installs: [confirmed],
} as const
const byMatch = (match: DiskChoice['match']): DiskChoice => ({ ...choice, match, explicit: true })
cases.push(
  [
    'an order does not overwrite a disk with data beside the one that the machine is installed on',
    { ...beside, choice: byMatch({ type: 'nvme' }), order: { ...reinstall, withoutProof: true } },
    {
      refused: 'INSTALLED_ELSEWHERE',
      why: /installed on nvme0n1 \(S1, 960 GB\), and its initrd chose nvme1n1 \(DATA, 400 GB\), which holds something \(LVM2.*serial.*--undo$/,
    },
  ],
  [
    'nor after a wipe that nothing proves: what was known still protects',
    { ...beside, installs: [wiped], earlier: wiped, order: { ...reinstall, withoutProof: true } },
    { refused: 'INSTALLED_ELSEWHERE', why: /installed on nvme0n1/ },
  ],
  [
    'an earlier disk of the machine is not entered while the one that it is installed on is there',
    {
      disks: [{ ...other, own: 'installed', table: TABLE }, full],
      chosen: ['sda'],
      found: onOther,
      installs: [confirmed],
    },
    {
      refused: 'INSTALLED_ELSEWHERE',
      why: /is installed on nvme0n1 .* a state of it on sda .* Take out sda/,
    },
  ],
  [
    'but where it shows what the machine wrote last',
    {
      disks: [{ ...other, own: 'installed', table: TABLE }, full],
      chosen: ['sda'],
      found: onOther,
      installs: [{ ...begun, disks: [other] }, confirmed],
    },
    { grant: 'enter' },
  ],
  [
    'and where the other one is not there',
    { disks: [{ ...other, own: 'installed' }], chosen: ['sda'], found: onOther, installs: [confirmed] },
    { grant: 'enter' },
  ],
  [
    'nor where the disk of the machine is known as one of other hardware',
    { ...beside, disks: [inOther, data], order: reinstall },
    { refused: 'INSTALLED_ELSEWHERE' },
  ],
  [
    'nor as the second disk of a mirror',
    {
      ...beside,
      choice: { ...choice, mirror: true },
      chosen: ['nvme0n1', 'nvme1n1'],
      order: reinstall,
    },
    { refused: 'INSTALLED_ELSEWHERE', why: /Empty that disk, or write "overwrite: true"/ },
  ],
  [
    'unless the site file says so of mirrors',
    {
      ...beside,
      choice: { ...choice, mirror: true, overwrite: true },
      chosen: ['nvme0n1', 'nvme1n1'],
      order: reinstall,
    },
    { grant: 'install' },
  ],
  [
    'or names that disk by its serial number',
    { ...beside, choice: byMatch({ serial: 'DATA' }), order: reinstall },
    { grant: 'install', disks: [{ serial: 'DATA' }] },
  ],
  [
    'or by an id',
    { ...beside, choice: byMatch({ byId: 'wwn-0x5' }), order: reinstall },
    { grant: 'install', disks: [{ serial: 'DATA' }] },
  ],
  [
    'but a boot that began before the site file named the right disk overwrites no other',
    { ...beside, choice: byMatch({ serial: 'S1' }), order: reinstall },
    { refused: 'INSTALLED_ELSEWHERE' },
  ],
  [
    'by its id neither',
    { ...beside, choice: byMatch({ byId: 'nvme-M1_S1' }), order: reinstall },
    { refused: 'INSTALLED_ELSEWHERE' },
  ],
  [
    'an empty disk beside it is installed',
    { ...beside, disks: [full, { ...data, holds: null }], order: reinstall },
    { grant: 'install', disks: [{ serial: 'DATA' }] },
  ],
  [
    'and so is the disk of the machine itself, whatever it holds',
    { ...beside, chosen: ['nvme0n1'], order: reinstall },
    { grant: 'install', disks: [{ serial: 'S1' }] },
  ],
  [
    'where the state is missing, the command that installs it anew comes with the disk that has to be named first',
    beside,
    {
      refused: 'STATE_MISSING',
      why: /installed \(v1\) on nvme0n1 .*Its initrd chose nvme1n1 \(DATA, 400 GB\).*serial.*; then, to install it anew: {2}pilotlight reinstall ctl-1 --count 1 --without-proof$/,
    },
  ],
  [
    'also where its initrd chose none',
    { ...beside, chosen: [] },
    { refused: 'STATE_MISSING', why: /None of its disks fits.*serial.*--without-proof$/ },
  ],
  [
    'and where its disk is gone',
    { ...beside, disks: [data] },
    {
      refused: 'INSTALLED_ELSEWHERE',
      why: /does not show now.*Its initrd chose nvme1n1 \(DATA, 400 GB\), which holds something \(LVM2.*serial.*; then, to install it anew: {2}pilotlight reinstall ctl-1 --count 1 --without-proof$/,
    },
  ],
  [
    'once it is named, with the disk that is lost',
    { ...beside, disks: [data], choice: byMatch({ serial: 'DATA' }) },
    {
      refused: 'INSTALLED_ELSEWHERE',
      why: /does not show now.*To install it anew on nvme1n1 \(DATA, 400 GB\), which holds something \(LVM2.*that is lost then: {2}pilotlight reinstall ctl-1 --count 1 --without-proof$/,
    },
  ],
  [
    'an order does not overwrite a disk with data where the disk of the machine is not shown',
    {
      ...beside,
      disks: [data],
      choice: byMatch({ type: 'nvme' }),
      order: { ...reinstall, withoutProof: true },
    },
    {
      refused: 'INSTALLED_ELSEWHERE',
      why: /installed on nvme0n1 \(S1, 960 GB\), which it does not show now, and its initrd chose nvme1n1 \(DATA, 400 GB\), which holds something.*serial.*--undo$/,
    },
  ],
  [
    'nor two of them as a mirror',
    {
      ...beside,
      disks: [data, { ...other, holds: 'ext4 on sda' }],
      chosen: ['nvme1n1', 'sda'],
      choice: { ...choice, mirror: true },
      order: reinstall,
    },
    { refused: 'INSTALLED_ELSEWHERE', why: /does not show now.*Empty that disk/ },
  ],
  [
    'unless the site file names the disk that took its place',
    { ...beside, disks: [data], choice: byMatch({ serial: 'DATA' }), order: reinstall },
    { grant: 'install', disks: [{ serial: 'DATA' }] },
  ],
  [
    'or that one is empty',
    { ...beside, disks: [{ ...data, holds: null }], order: reinstall },
    { grant: 'install', disks: [{ serial: 'DATA' }] },
  ],
  [
    'or has a state of the machine itself',
    { ...beside, disks: [{ ...data, own: 'installed' }], order: reinstall },
    { grant: 'install', disks: [{ serial: 'DATA' }] },
  ],
  [
    'or shows that an install of it was begun there',
    {
      ...beside,
      disks: [{ ...data, table: TABLE }],
      installs: [{ ...begun, boot: 'b-0003', disks: [data] }, confirmed],
      order: reinstall,
    },
    { grant: 'install', disks: [{ serial: 'DATA' }] },
  ],
)

const unproven = { installs: [confirmed], isUnproven: true } as const
cases.push(
  [
    'an order of an installed machine waits for a boot that shows its key',
    { ...unproven, disks: [full], found: own, order: reinstall },
    {
      refused: 'ORDER_NOT_PROVEN',
      why: /ada ordered reinstall.*boot b-0002 did not show.*pilotlight reinstall ctl-1 --count 1 --without-proof$/,
    },
  ],
  [
    'a wipe, too',
    { ...unproven, order: { ...reinstall, verb: 'wipe' } },
    { refused: 'ORDER_NOT_PROVEN', why: /pilotlight wipe ctl-1 --count 1 --without-proof$/ },
  ],
  [
    'unless an operator says that its disk is dead',
    { ...unproven, disks: [other], chosen: ['sda'], order: { ...reinstall, withoutProof: true } },
    { grant: 'install', overwrite: true, spends: true },
  ],
  [
    'or that it has to be wiped all the same',
    { ...unproven, order: { ...reinstall, verb: 'wipe', withoutProof: true } },
    { grant: 'wipe' },
  ],
  [
    'a wipe that a boot with the key began goes on without it: it was erased first',
    { ...unproven, order: { ...reinstall, verb: 'wipe', provenBoot: 'b-0001' } },
    { grant: 'wipe' },
  ],
  ['a boot without the key enters its disk as before', { ...unproven, found: own }, { grant: 'enter' }],
  [
    'and is told how to go on where there is none',
    { ...unproven, disks: [other], chosen: ['sda'] },
    { refused: 'INSTALLED_ELSEWHERE', why: /pilotlight reinstall ctl-1 --count 1 --without-proof$/ },
  ],
)

for (const [title, given, wanted] of cases) {
  t.test(title, async t => {
    t.match(decide(given), wanted)
  })
}

t.test('an installed machine is never granted RAM, unless the site says "disk: none"', async t => {
  for (const chosen of [[], ['nvme0n1']])
    for (const found of [null, own, moved, { ...own, machine: 'cmp-1' }])
      for (const order of [undefined, reinstall])
        for (const disks of [[], [disk], [full], [inOther], [other]]) {
          const decision = decide({ disks, chosen, found, order, installs: [confirmed] })
          t.notMatch(decision, { grant: 'ram' }, JSON.stringify({ chosen, found, disks }))
          t.notMatch(decision, { refused: 'DISK_IN_USE' }, 'which an initrd takes as leave to run from RAM')
        }
})

t.test(
  'no boot without an order, an overwrite or its own half install ever gets a disk that holds something',
  async t => {
    const holds = fc.constantFrom(null, 'ext4 on sda', 'gpt on sda, LVM2_member on sda3')
    const found = fc.constantFrom(null, own, { ...own, machine: 'cmp-1' })
    const installs = fc.constantFrom([], [confirmed], [begun], [begun, { ...confirmed, boot: 'b-0000' }])
    fc.assert(
      fc.property(
        holds,
        found,
        installs,
        fc.constantFrom('b-0001', 'b-0002'),
        (held, state, records, boot) => {
          const decision = decide({
            disks: [{ ...disk, holds: held }],
            found: state,
            installs: records,
            boot,
          })
          const writes = 'grant' in decision && decision.grant === 'install'
          const isInstalled = records.some(record => 'confirmedAt' in record)
          if (!writes) return true
          return (held === null || !decision.overwrite) && !(isInstalled && state !== null)
        },
      ),
    )
    t.pass()
  },
)
