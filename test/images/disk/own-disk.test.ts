// Which disk a machine starts from (images/live/dracut/disk/own-disk) where several have the same image. What is on their state partitions is
// given, as look_at_state finds it (state.test.ts), and so is what sgdisk, blkid and mdadm print.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t, { type Test } from 'tap'

const LIVE = join(import.meta.dirname, '../../../images/live')
const ROOTHASH = '0'.repeat(64)

/** A disk: whose state it has, whether it has the image, the mirror that it is a half of, and the UUID of its ESP. */
type Disk = {
  readonly own: 'installed' | 'unfinished' | 'other' | 'unreadable'
  readonly image?: boolean
  readonly mirror?: string
  readonly esp?: string
  /** How many changes its half of the mirror has seen. */
  readonly changes?: number
}

/** The disk that is taken of those; the link names the first one. `late`: it appears after some looks. */
function taken(t: Test, disks: Readonly<Record<string, Disk>>, { started = '', late = '' } = {}): string {
  const folder = t.testdir({ looks: '' })
  const names = Object.keys(disks)
  const by = (value: (disk: Disk) => string) =>
    `case $1 in ${names.map(name => `/dev/${name}*) echo '${value(disks[name]!)}' ;;`).join(' ')} esac` // it is a key
  const text = `
. ${LIVE}/root/usr/lib/pilotlight/disk-common; . ${LIVE}/dracut/disk/state; . ${LIVE}/dracut/disk/own-disk
roothash=${ROOTHASH}
sleep() { :; }
state_partitions() { echo look >> ${folder}/looks
  for it in ${names.join(' ')}; do
    [ $it != "${late}" ] || [ "$(wc -l < ${folder}/looks)" -gt 30 ] || continue
    echo /dev/$it"7"; done; }
disk_of() { echo "\${1%7}"; }
slot_roothash() { [ "$2" = a ] || return 0; ${by(({ image = true }) => (image ? ROOTHASH : 'f'.repeat(64)))}; }
partuuid() { ${by(({ esp = '' }) => esp)}; }
started_from() { echo '${started}'; }
raid_member() { [ "$(array_of "$1")" != '' ]; }
array_of() { ${by(({ mirror = '' }) => mirror)}; }
look_at_state() { ! raid_member "$1" || echo "starts the mirror of $1"; own=$(${by(({ own }) => own)}); }
mdadm() { echo "mdadm $*" >&3; }
changes_of() { ${by(({ changes = 0 }) => String(changes))}; }
run=${folder}
disk=/dev/${names[0]}
own_disk
echo "$disk"`
  return execFileSync('sh', ['-euc', `exec 3>&1; ${text}`], { encoding: 'utf8' }).trim()
}

const own: Disk = { own: 'installed' }
const foreign: Disk = { own: 'other' }

t.test('takes the own disk, whichever the name of the image leads to', async t => {
  t.equal(taken(t, { sda: own }), '/dev/sda')
  t.equal(taken(t, { sda: foreign, sdb: own }), '/dev/sdb')
  t.equal(
    taken(t, { sda: foreign, sdb: { ...own, image: false }, sdc: own }),
    '/dev/sdc',
    'of those with the image',
  )
})

t.test('waits for the own disk while only that of another machine is there', async t => {
  t.equal(taken(t, { sda: foreign, sdb: own }, { late: 'sdb' }), '/dev/sdb')
  t.equal(taken(t, { sda: foreign }), '/dev/sda', 'then it is named in the message')
})

t.test('of two that are its own it takes the one that the firmware started', async t => {
  const two = { sda: { ...own, esp: 'e1' }, sdb: { ...own, esp: 'e2' } }
  t.equal(taken(t, two), '/dev/sda')
  t.equal(taken(t, two, { started: 'e2' }), '/dev/sdb')
  t.equal(
    taken(t, { sda: own, sdb: { ...foreign, esp: 'e2' } }, { started: 'e2' }),
    '/dev/sda',
    'but never another one',
  )
})

t.test('one whose state cannot be read is taken before those of others', async t => {
  t.equal(taken(t, { sda: foreign, sdb: { own: 'unreadable' } }), '/dev/sdb')
  t.equal(taken(t, { sda: { own: 'unreadable' }, sdb: own }), '/dev/sdb')
})

t.test('a mirror is not started to be looked at, and one that is, is stopped again', async t => {
  t.equal(taken(t, { sda: { ...own, mirror: 'aa:bb' }, sdb: { ...own, mirror: 'aa:bb' } }), '/dev/sda')
  t.match(
    taken(t, { sda: { ...foreign, mirror: 'aa:bb' }, sdb: { ...own, own: 'unfinished' } }),
    /^starts the mirror of \/dev\/sda7\nmdadm --stop --quiet \S+\n\/dev\/sdb$/,
  )
})

const half = (changes: number) => ({ ...own, mirror: 'aa:bb', changes })
t.test('of the halves of a mirror it takes the one that was written to last', async t => {
  t.equal(taken(t, { sda: half(9), sdb: half(9) }), '/dev/sda')
  t.equal(taken(t, { sda: half(11), sdb: half(9) }), '/dev/sda')
  t.match(
    taken(t, { sda: half(9), sdb: half(11) }),
    /^pilotlight: the mirror's half on \/dev\/sda is behind the one on \/dev\/sdb: .*\n\/dev\/sdb$/,
  )
  t.equal(
    taken(t, { sda: half(9), sdb: { ...half(11), image: false } }),
    '/dev/sda',
    'of those with the image',
  )
})
