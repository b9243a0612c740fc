// How a machine starts from its disk (images/live/dracut/disk/disk-boot): the program itself with those that it sources, unchanged, in a
// mount namespace whose /sys, /dev and /run are made here. The state is ext4 on a loop device. What this host's kernel lacks is
// replaced: of mirrors there is what mdadm prints, and dm-verity opens nothing.

import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'

const LIVE = join(import.meta.dirname, '../../../images/live')
const skip = process.getuid?.() !== 0 && 'needs root, for a mount namespace and a loop device'
const UUID = '5a0e7f00-1111-4222-8333-444455556666'
const ROOTHASH = '00112233445566778899aabbccddeeffffeeddccbbaa99887766554433221100'
/** The UUIDs of the partitions that it names: the root and its tree. */
const SLOT_UUIDS = ['00112233-4455-6677-8899-aabbccddeeff', 'ffeeddcc-bbaa-9988-7766-554433221100']

/** A disk: the number of its root partition if it is the one that was started, and what is on its state partition. */
type SeenDisk = { readonly root?: 3 | 5; readonly state: 'ext4' | { readonly mirror: string } }

const PROGRAMS = {
  modprobe: ':',
  sleep: ':', // what this program waits for is there, or never comes
  veritysetup: 'echo "veritysetup $*" >> /run/calls',
  blkid: 'for last; do :; done; cat "/run/types/${last##*/}" 2> /dev/null',
  // The halves of a mirror name it; the one that runs is in /run/started. Starting it has the kernel show its members.
  mdadm: `echo "mdadm $*" >> /run/calls
for last; do :; done
case "$*" in
*--examine*--export*) echo "MD_UUID=$(cat "/run/mirrors/\${last##*/}")" ;;
*--examine*) echo '   Array State : AA (x)' ;;
*--detail*) [ ! -e /run/started ] || echo "MD_UUID=$(cat /run/started)" ;;
*--assemble*)
    cat "/run/mirrors/\${last##*/}" > /run/started
    mkdir -p /dev/md /sys/class/block/md127/slaves
    ln -s ../md127 /dev/md/pilotlight-state
    for word; do case $word in /dev/sd*) : > "/sys/class/block/md127/slaves/\${word##*/}" ;; esac; done ;;
esac`,
}

/** Runs in `folder`, which is also the place of the host's files; `$1` is the number of the loop device with the state. */
const ENTER = `set -eu
mount -t overlay none -o "lowerdir=$PWD/lib:/usr/lib" /usr/lib
mount --bind cmdline /proc/cmdline
mount --bind run /run
mount -t tmpfs none /sys
cp -a sys/. /sys/
mount -t tmpfs none /dev
cp -a dev/. /dev/
mknod -m 666 /dev/null c 1 3
for name in $(cat blocks); do mknod "/dev/$name" b 7 "$1"; done
for name in $(cat members); do mknod "/dev/$name" b 7 1000; done # no such loop device: what is in a mirror is not mounted itself
PATH=$PWD/bin:$PATH
exec /usr/lib/pilotlight/disk-boot`

/** Starts a machine with these disks, by name, whose state says that it is that of `uuid`. */
function start(t: Test, disks: Readonly<Record<string, SeenDisk>>, uuid = UUID) {
  const folder = t.testdir({
    lib: { pilotlight: {} },
    bin: {},
    run: { types: {}, mirrors: {} },
    dev: { disk: { 'by-partuuid': {} } },
    sys: { class: { block: {}, dmi: { id: { product_uuid: `${UUID.toUpperCase()}\n` } } } },
    cmdline: `pilotlight.disk roothash=${ROOTHASH}\n`,
    seed: {
      pilotlight: {
        'machine.json': JSON.stringify({ machine: 'far-1', authority: 'f00d', uuid, version: 'abc' }),
        'config.ign': '{ "ignition": { "version": "3.4.0" } }',
        'machine.key': 'AGE-SECRET-KEY-1',
      },
    },
  })
  const at = (...path: readonly string[]) => join(folder, ...path)
  for (const name of ['disk-boot', 'own-disk', 'state', 'encryption', 'kept-network'])
    copyFileSync(join(LIVE, 'dracut/disk', name), at('lib/pilotlight', name))
  copyFileSync(join(LIVE, 'root/usr/lib/pilotlight/disk-common'), at('lib/pilotlight/disk-common'))
  for (const [name, text] of Object.entries(PROGRAMS)) {
    writeFileSync(at('bin', name), `#!/bin/sh\n${text}\n`)
    chmodSync(at('bin', name), 0o755)
  }
  const blocks = ['md127']
  const members: string[] = []
  for (const [disk, { root, state }] of Object.entries(disks)) {
    const numbers = [7, ...(root === undefined ? [] : [root, root + 1])]
    for (const number of numbers) {
      const name = `${disk}${number}`
      const device = `sys/devices/${disk}/${name}`
      mkdirSync(at(device), { recursive: true })
      writeFileSync(at(device, 'partition'), `${number}\n`)
      writeFileSync(at(device, 'uevent'), number === 7 ? 'PARTNAME=pilotlight-state\n' : '')
      writeFileSync(at('sys/devices', disk, 'removable'), '0\n')
      symlinkSync(`../../devices/${disk}/${name}`, at('sys/class/block', name))
      ;(number === 7 && state !== 'ext4' ? members : blocks).push(name)
    }
    if (root !== undefined)
      for (const [index, uuid] of SLOT_UUIDS.entries())
        symlinkSync(`../../${disk}${root + index}`, at('dev/disk/by-partuuid', uuid))
    writeFileSync(at('run/types', `${disk}7`), state === 'ext4' ? 'ext4' : 'linux_raid_member')
    if (state !== 'ext4') writeFileSync(at('run/mirrors', `${disk}7`), state.mirror)
  }
  writeFileSync(at('blocks'), blocks.join(' '))
  writeFileSync(at('members'), members.join(' '))
  writeFileSync(at('state'), '')
  truncateSync(at('state'), 8 << 20)
  execFileSync('mkfs.ext4', ['-q', '-F', '-d', at('seed'), at('state')])
  const before = readFileSync(at('state'))
  const loop = execFileSync('losetup', ['--find', '--show', at('state')], { encoding: 'utf8' }).trim()
  const words = ['--mount', 'sh', '-c', ENTER, 'sh', loop.replace('/dev/loop', '')]
  const ended = spawnSync('unshare', words, { cwd: folder, encoding: 'utf8', timeout: 60_000 })
  execFileSync('losetup', ['--detach', loop])
  const textOf = (path: string) => (existsSync(at('run', path)) ? readFileSync(at('run', path), 'utf8') : '')
  return {
    status: ended.status,
    said: ended.stdout + ended.stderr,
    /** What the system is told of the disks that it has. */
    disk: textOf('pilotlight/disk.env'),
    notes: textOf('pilotlight/notes'),
    calls: textOf('calls'),
    config: textOf('pilotlight/user.ign'),
    isStateUnchanged: before.equals(readFileSync(at('state'))),
  }
}

const ours = { mirror: 'u1' }
const another = { mirror: 'u2' }
const env = (disks: string, slot = 'a') =>
  `DISKS=${disks}\nSLOT=${slot}\nVERSION=001122334455\nENTERED=disk\nOPENED=\n`

t.test('a machine with one disk has that disk alone, whatever is on another', { skip }, async t => {
  const { disk, said, config, calls } = start(t, {
    sda: { state: 'ext4' },
    sdb: { state: 'ext4', root: 5 },
    sdc: { state: ours },
  })
  t.equal(disk, env('/dev/sdb', 'b'), said)
  t.match(said, /^pilotlight: slot b of \/dev\/sdb with 001122334455$/m)
  t.match(config, '3.4.0')
  t.match(calls, /^veritysetup open \S+ root \S+ 00112233\S+00$/m)
  t.notMatch(calls, 'mdadm')
})

t.test('a mirror has its own two disks, and none of another mirror', { skip }, async t => {
  const { disk, said, notes, calls } = start(t, {
    sda: { state: another },
    sdb: { state: ours },
    sdc: { state: ours, root: 3 },
    sdd: { state: 'ext4' },
  })
  // What is in DISKS gets the loader, the ESP and the slots of each upgrade.
  t.equal(disk, env('/dev/sdb,/dev/sdc'), said)
  t.match(calls, /^mdadm --assemble \S+ \S+ \S+ \/dev\/md\/pilotlight-state \/dev\/sdb7 \/dev\/sdc7$/m)
  t.match(calls, /^mdadm --readwrite /m)
  t.match(notes, /^\/dev\/sda7 is of another mirror, and is left alone$/m)
  t.notMatch(notes, 'missing')
})

t.test('a mirror without one of its disks has the one that is left', { skip }, async t => {
  const { disk, said, notes } = start(t, { sda: { state: ours, root: 3 }, sdb: { state: another } })
  t.equal(disk, env('/dev/sda'), said)
  t.match(notes, /^one disk of the mirror is missing$/m)
})

t.test('the state of another machine is not written to, and no system is started', { skip }, async t => {
  const disks: readonly Readonly<Record<string, SeenDisk>>[] = [
    { sda: { state: 'ext4', root: 3 } },
    { sda: { state: ours, root: 3 }, sdb: { state: ours } },
  ]
  for (const each of disks) {
    const seen = start(t, each, UUID.replace('5a', '5b'))
    t.match(seen, { status: 1, disk: '', config: '', isStateUnchanged: true }, seen.said)
    t.match(
      seen.said,
      /the state partition \S+ is that of far-1, whose UUID is 5b0e7f00-\S+, and this machine's/,
    )
    t.notMatch(seen.calls, '--readwrite')
  }
})
