// What is left on a disk after `pilotlight wipe` (images/live/dracut/disk/install), on a loop device.

import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'

const HEAD = ['root/usr/lib/pilotlight/disk-common', 'dracut/disk/state', 'dracut/disk/install']
  .map(name => `. ${resolve('images/live', name)}`)
  .join('; ')
const skip = process.getuid?.() !== 0 && 'needs root, for a loop device'
const BYTES = 64 << 20

/** Wipes a disk full of data with a state partition; `more` is shell before it. Gives what was said, and the disk. */
function wipe(folder: string, more: string) {
  const file = join(folder, 'disk')
  mkdirSync(join(folder, 'work'))
  writeFileSync(file, randomBytes(BYTES))
  execFileSync('sgdisk', ['--clear', '--new=7:0:0', '--change-name=7:pilotlight-state', file])
  const device = execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim()
  try {
    const text = `${HEAD}; work=${folder}/work; end=9999999999; ${more}; wipe_disk ${device}; echo "$problem"`
    const said = execFileSync('sh', ['-euc', text], { encoding: 'utf8' })
    const holds = execFileSync('sh', [resolve('images/live/dracut/disk/holds'), device], { encoding: 'utf8' })
    return { said, holds, content: readFileSync(file) }
  } finally {
    execFileSync('losetup', ['--detach', device])
  }
}

t.test('all of a wiped disk is zeros, but for a mark, and it counts as empty', { skip }, async t => {
  const { said, holds, content } = wipe(t.testdir(), ':')
  t.equal(said, 'all of it is zeros\n')
  t.equal(holds, '\n')
  t.match(content.toString('latin1', 0, 64), /^pilotlight: wiped by order of an operator\0+$/)
  t.ok(content.subarray(64).every(byte => byte === 0))
})

t.test('of an encrypted state the key slots are erased before all else', { skip }, async t => {
  const folder = t.testdir()
  const encrypt = `printf secret > ${folder}/key; at=2048
truncate -s 48M ${folder}/luks
cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file ${folder}/key ${folder}/luks
dd if=${folder}/luks of=${folder}/disk bs=512 seek=$at count=36864 conv=notrunc status=none
losetup --offset $((at * 512)) --find --show ${folder}/disk > ${folder}/part
part() { cat ${folder}/part; }`
  const { said, content } = wipe(
    folder,
    `${encrypt}; end=0; blkdiscard() { return 1; }; trap 'losetup --detach $(cat ${folder}/part)' EXIT`,
  )
  t.equal(
    said,
    'not discarded, 0 % of it is zeros, and the rest of the state is encrypted with a key that was erased first\n',
  )
  const header = content.subarray(1 << 20, 17 << 20)
  t.ok(header.every(byte => byte === 0))
  t.ok(
    content.subarray(20 << 20, 40 << 20).some(byte => byte !== 0),
    'the rest is still there',
  )
})

t.test('a disk that takes too long says how much of it can still be read', { skip }, async t => {
  const { said, holds, content } = wipe(t.testdir(), 'end=0; blkdiscard() { return 1; }')
  t.equal(said, 'not discarded, 0 % of it is zeros, and the rest can be read by anyone who has the disk\n')
  t.equal(holds, '\n', 'and it may be installed to all the same')
  t.ok(content.subarray(1 << 20, BYTES - (1 << 20)).some(byte => byte !== 0))
  for (const [from, to] of [
    [64, 1 << 20],
    [BYTES - (1 << 20), BYTES],
  ] as const)
    t.ok(
      content.subarray(from, to).every(byte => byte === 0),
      'neither table is left',
    )
})

t.test(
  'a wipe takes the disk of this machine from its old mainboard, and none of another machine',
  async t => {
    const run = (isReadOnly: boolean) => {
      const folder = t.testdir({ answer: '{ "grant": "wipe" }' })
      const disks = [
        { name: 'vda', path: '/dev/vda', own: 'other', readOnly: isReadOnly },
        { name: 'vdb', path: '/dev/vdb', own: 'other', readOnly: false },
        { name: 'vdc', path: '/dev/vdc', own: 'unreadable', readOnly: false },
      ]
      writeFileSync(join(folder, 'disks.json'), JSON.stringify(disks))
      writeFileSync(join(folder, 'found.json'), JSON.stringify({ machine: 'ctl-1', disk: 'vda' }))
      writeFileSync(join(folder, 'moved'), 'vda\n')
      const stubs = `disarm() { :; }; erase_keys() { :; }; run=${folder}; work=${folder}; MACHINE=ctl-1; mdadm() { :; }; still_same() { :; }; lsblk() { echo pilotlight-state; }; sleep() { :; }
wipe_disk() { problem='all of it is zeros'; }; report() { echo "$1: $2"; }; fail() { echo "failed: $1"; exit 1; }; say() { :; }; systemctl() { :; }`
      return spawnSync('sh', ['-euc', `${HEAD}; ${stubs}; wipe`], { encoding: 'utf8' }).stdout
    }
    t.equal(run(false), 'wiped: vda: all of it is zeros; vdc: all of it is zeros\n')
    t.match(run(true), /^failed: vda holds the state of ctl-1 and cannot be wiped: it is read-only/)
  },
)

t.test('a disk that takes no writes keeps none of the others from being wiped, keys first', async t => {
  const folder = t.testdir({ 'found.json': 'null', answer: '{ "grant": "wipe" }' })
  const disks = ['vda', 'vdb', 'vdc'].map(name => ({ name, path: `/dev/${name}`, own: 'installed' }))
  writeFileSync(join(folder, 'disks.json'), JSON.stringify(disks))
  const stubs = `run=${folder}; work=${folder}; MACHINE=ctl-1; mdadm() { :; }; still_same() { :; }; sleep() { :; }; systemctl() { echo "systemctl $1"; }
lsblk() { case $* in *vdc) echo another ;; *) echo pilotlight-state ;; esac; }
report() { echo "$1: $2"; }; fail() { echo "failed: $1"; exit 1; }; say() { :; }
writes() { echo "$1 $2"; [ $2 != /dev/vda ] || { problem="$2 cannot be written"; return 1; }; }
disarm() { writes disarm $1; }; erase_keys() { writes erase_keys $1; }
wipe_disk() { writes wipe_disk $1 || return 1; problem='all of it is zeros'; }`
  const { status, stdout } = spawnSync('sh', ['-euc', `${HEAD}; ${stubs}; wipe`], { encoding: 'utf8' })
  t.equal(status, 1)
  t.strictSame(stdout.trim().split('\n'), [
    'disarm /dev/vda',
    'erase_keys /dev/vda',
    'disarm /dev/vdb',
    'erase_keys /dev/vdb',
    'wipe_disk /dev/vda',
    'wipe_disk /dev/vdb',
    'failed: not all disks were wiped: /dev/vda cannot be written. Wiped: vdb: all of it is zeros',
  ])
})

t.test('of disks whose state cannot be read only those that the server knows are wiped', async t => {
  const all = ['vda', 'vdb', 'vdc'].map(name => ({
    name,
    path: `/dev/${name}`,
    own: name === 'vda' ? 'installed' : 'unreadable',
  }))
  const wiped = (answer: object, disks: object[] = all) => {
    const folder = t.testdir({ 'found.json': 'null' })
    writeFileSync(join(folder, 'disks.json'), JSON.stringify(disks))
    writeFileSync(join(folder, 'answer'), JSON.stringify(answer))
    const stubs = `run=${folder}; work=${folder}; MACHINE=ctl-1; mdadm() { :; }; still_same() { :; }; sleep() { :; }; systemctl() { :; }
lsblk() { echo pilotlight-state; }; report() { echo "$1: $2"; }; fail() { echo "failed: $1"; exit 1; }; say() { :; }
disarm() { :; }; erase_keys() { :; }; wipe_disk() { problem=zeros; }`
    return spawnSync('sh', ['-euc', `${HEAD}; ${stubs}; wipe`], { encoding: 'utf8' }).stdout.trim()
  }
  t.equal(wiped({ grant: 'wipe' }), 'wiped: vda: zeros; vdb: zeros; vdc: zeros', 'an earlier server')
  t.equal(wiped({ grant: 'wipe', unreadable: ['vdb', 'vdc'] }), 'wiped: vda: zeros; vdb: zeros; vdc: zeros')
  t.equal(
    wiped({ grant: 'wipe', unreadable: ['vdc'] }),
    'wiped: vda: zeros; vdc: zeros; left alone: vdb, whose state cannot be read, and which the server does not know as a disk of ctl-1',
  )
  t.match(
    wiped({ grant: 'wipe', unreadable: [] }, all.slice(1)),
    /^failed: nothing was wiped; left alone: vdb, .*; left alone: vdc, /,
    'the order is not done',
  )
  t.equal(wiped({ grant: 'wipe', unreadable: [] }, []), 'wiped: no disk had our partitions')
})

/** Two disks of one WWN with a state on each, as lsblk prints them. */
const SAME_WWN = ['A1', 'A2'].map((serial, at) => ({
  name: `vd${'ab'[at]}`,
  path: `/dev/vd${'ab'[at]}`,
  size: 480e9,
  serial,
  type: 'disk',
  wwn: '0x5000000000000000',
}))

t.test('two disks of one WWN are two, and two paths to one disk are one', async t => {
  const listed = (blockdevices: object[]) => {
    const folder = t.testdir({ 'list.json': JSON.stringify({ blockdevices }), holds: '' })
    copyFileSync(resolve('images/live/dracut/disk/inventory'), join(folder, 'inventory'))
    const lsblk = `#!/bin/sh\ncase $1 in --json) cat ${folder}/list.json ;; esac\n`
    writeFileSync(join(folder, 'lsblk'), lsblk, { mode: 0o755 })
    const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}` }
    const text = execFileSync('sh', [join(folder, 'inventory')], { encoding: 'utf8', env })
    return (JSON.parse(text) as { name: string }[]).map(({ name }) => name)
  }
  const without = SAME_WWN.map(disk => ({ ...disk, serial: null }))
  t.strictSame(listed(SAME_WWN), ['vda', 'vdb'])
  t.strictSame(listed(without), ['vda', 'vdb'], 'without a serial number')
  t.strictSame(listed(SAME_WWN.map(disk => ({ ...disk, serial: 'A1' }))), ['vda'])
})

const disk = (name: string, own = 'installed') => ({ name, path: `/dev/${name}`, own })
t.test('a wipe fails if the kernel shows a state on a disk that was not looked at', async t => {
  const wiped = (shown: string, disks: object[]) => {
    const folder = t.testdir({ 'found.json': 'null', answer: '{ "grant": "wipe" }' })
    writeFileSync(join(folder, 'disks.json'), JSON.stringify(disks))
    const stubs = `run=${folder}; work=${folder}; MACHINE=ctl-1; mdadm() { :; }; still_same() { :; }; sleep() { :; }; systemctl() { :; }
state_partitions() { for each in ${shown}; do echo /dev/$each"7"; done; }; disk_of() { echo "\${1%7}"; }
lsblk() { case $* in
*WWN*vd[ab]) echo 'WWN="0x5000" SERIAL="A1" SIZE="480"' ;; *WWN*vdc) echo 'WWN="0x5000" SERIAL="A2" SIZE="480"' ;;
*WWN*) echo 'WWN="" SERIAL="" SIZE="480"' ;; *) echo pilotlight-state ;; esac; }
report() { echo "$1: $2"; }; fail() { echo "failed: $1"; exit 1; }; say() { :; }
disarm() { :; }; erase_keys() { :; }; wipe_disk() { problem=zeros; }`
    return spawnSync('sh', ['-euc', `${HEAD}; ${stubs}; wipe`], { encoding: 'utf8' }).stdout.trim()
  }
  t.equal(wiped('vda vdb', [disk('vda')]), 'wiped: vda: zeros', 'a second path')
  t.equal(wiped('vda vdd', [disk('vda'), disk('vdd', 'other')]), 'wiped: vda: zeros', "another machine's")
  const failed =
    /^failed: not all disks were wiped: a state partition is on (.*) as well, .* Wiped: vda: zeros$/
  t.equal(failed.exec(wiped('vda vdc', [disk('vda')]))?.[1], 'vdc', 'the same WWN alone')
  t.equal(failed.exec(wiped('vda vdd vde', [disk('vda')]))?.[1], 'vdd,vde')
  const readOnly = { ...disk('vdd'), readOnly: true }
  t.equal(failed.exec(wiped('vda vdd', [disk('vda'), readOnly]))?.[1], 'vdd')
})
