// What an install does to a disk before anything of its own is on it (images/live/dracut/disk/install): on a file in the place of the
// disk, by the tools of the built live root. A power cut in between must leave a disk that firmware passes over.

import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { findArtefact } from '#host/cache.ts'
import { run } from '#host/command.ts'
import { liveRootRecipe } from '#images/live-root.ts'

const IN_ROOT = resolve('images/scripts/in-root.sh')
const root = process.getuid?.() === 0 ? ((await findArtefact(liveRootRecipe))?.path ?? '') : ''
const skip = root === '' && 'needs root and built images: pilotlight images build'
/** int 0x18, by which a BIOS goes on to the next device, and what follows where it returns. */
const NEXT_DEVICE = 'cd18f4ebfd'
t.setTimeout(120_000)

/** Runs `text` in the live root with a sparse disk of 17 GiB at /out/disk; gives its output. */
async function onDisk(folder: string, text: string): Promise<string> {
  const disk = join(folder, 'disk')
  writeFileSync(disk, '')
  truncateSync(disk, 17 * 2 ** 30)
  const disks = ['install', 'inventory', 'state'].map(name => `dracut/disk/${name}`)
  for (const name of ['root/usr/lib/pilotlight/disk-common', ...disks])
    copyFileSync(resolve('images/live', name), join(folder, name.split('/').at(-1) ?? ''))
  const head = `set -eu; . /out/disk-common; . /out/install; . /out/state; work=/run/work; mkdir -p $work $run
udevadm() { :; }
wait_for() { shift; "$@"; }
# A file is no block device: it has the size of the disk, and the kernel no partitions of it.
blockdev() { case $1 in --getsz) echo $(($(stat -c %s "$2") / 512)) ;; --getsize64) stat -c %s "$2" ;; --getss) echo 512 ;; --rereadpt) ;; *) exit 9 ;; esac; }
cd /out
table_id=''
eval "$(sed -n '/^table_of()/,/^}/p' inventory)"
`
  writeFileSync(join(folder, 'run'), head + text)
  const words = ['--mount', '--pid', '--fork', '--mount-proc', 'bash', IN_ROOT, join(root, 'root'), folder]
  return (await run('unshare', [...words, '--', 'sh', '/out/run'], { limitSeconds: 100 })).stdout
}

const bytes = (path: string, at: number, count: number) => {
  const words = [`if=${path}`, 'bs=1', `skip=${at}`, `count=${count}`, 'status=none']
  return execFileSync('dd', words).toString('hex')
}

t.test('no moment has a partition table whose first sector a BIOS would run', { skip }, async t => {
  const folder = t.testdir()
  const text = `
dd() { command dd "$@"; case "$*" in *of=disk*) od -An -tx1 -N 5 disk; od -An -tx1 -j 510 -N 2 disk ;; esac; }
empty_table disk
mkdir -p $work/repart
definition 10-bios 21686148-6449-6e6f-744e-656564454649 pilotlight-bios 1M 1M
definition 70-state linux-generic pilotlight-state 1G ''
repart disk refuse no
sgdisk --print disk > printed; sgdisk --verify disk > verified`
  const seen = (await onDisk(folder, text)).replaceAll(' ', '').split('\n').filter(Boolean)
  // After each write to the disk: the first bytes, and the two that make a BIOS run them.
  t.strictSame(seen, ['0000000000', '0000', '0000000000', '0000', NEXT_DEVICE, '55aa'])
  t.equal(bytes(join(folder, 'disk'), 0, 5), NEXT_DEVICE, 'systemd-repart leaves it as it is')
  t.match(readFileSync(join(folder, 'verified'), 'utf8'), /No problems found/)
  t.match(readFileSync(join(folder, 'printed'), 'utf8'), /1 +2048 .*pilotlight-bios\n +2 .*pilotlight-state/)
})

t.test(
  'from its first write on the table has the id of the grant, which shows whose it is',
  { skip },
  async t => {
    const ID = '9d0a1c3e-5b7f-4c2d-8e1f-00112233aabb'
    const text = `
table_id=${ID}
dd() { command dd "$@"; case "$*" in *of=disk*) table_of disk ;; esac; }
table_of disk
empty_table disk
mkdir -p $work/repart
definition 70-state linux-generic pilotlight-state 1G ''
repart disk refuse no
table_of disk`
    const seen = await onDisk(t.testdir(), text)
    t.same(seen.trim().split('\n'), Array(4).fill(ID), 'also once systemd-repart made partitions in it')
    const other = () => onDisk(t.testdir(), 'empty_table disk; table_of disk')
    const [one, two] = [await other(), await other()]
    t.match(
      one,
      /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\n$/,
      'without one in the grant it has one of its own',
    )
    t.not(one, two)
    t.equal(
      await onDisk(t.testdir(), 'printf "x%.0s" $(seq 4096) > small; table_of small; table_of disk'),
      '',
    )
  },
)

t.test('a loader goes before what it starts', { skip }, async t => {
  const folder = t.testdir()
  // What stands for the second partition of /out/disk is /out/disk2.
  const text = `
sgdisk --new=1:0:+1M --new=2:0:+64M --typecode=2:ef00 --change-name=2:pilotlight-esp disk > made
printf '\\353\\143\\220' | dd of=disk conv=notrunc 2> made # a program
truncate -s 64M disk2; mkfs.fat disk2 > made; blkid -p disk2
disarm disk; blkid -p disk2 || echo gone`
  const shown = await onDisk(folder, text)
  t.match(shown, /TYPE="vfat".*\ngone/s, 'the file system that UEFI looks at is erased')
  t.equal(bytes(join(folder, 'disk'), 0, 6), `${NEXT_DEVICE}00`, 'and a BIOS goes on to the next device')
})
