// What the programs of an installed machine agree on (images/live/root/usr/lib/pilotlight/disk-common): names of partitions, and
// how a root hash names a slot. With a partition table in a file, by the tool that the initrd uses.

import { execFileSync } from 'node:child_process'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { absent } from '../../absent.ts'

const COMMON = join(import.meta.dirname, '../../../images/live/root/usr/lib/pilotlight/disk-common')
const ROOT_HASH = '0123456789abcdef0123456789abcdeffedcba9876543210fedcba9876543210'
const skip = absent('sgdisk')

/** What the shell prints for `text`, after the common part. */
function shell(text: string): string {
  return execFileSync('sh', ['-euc', `. ${COMMON}; ${text}`], { encoding: 'utf8' }).trimEnd()
}

t.test('names partitions as the kernel does', async t => {
  for (const [disk, name] of [
    ['/dev/sda', '/dev/sda7'],
    ['/dev/vdb', '/dev/vdb7'],
    ['/dev/nvme0n1', '/dev/nvme0n1p7'],
    ['/dev/md127', '/dev/md127p7'],
  ]) {
    t.equal(shell(`part ${disk} 7`), name)
  }
})

t.test('an argument that the command line does not have is empty', async t => {
  t.equal(shell('value=of-another-place; argument pilotlight.no-such-argument'), '')
})

t.test('an image whose /var is not copied ends the start with the reason', async t => {
  const folder = t.testdir({ 'disk.env': 'DISKS=/dev/sda SLOT=a VERSION=aaaaaaaaaaaa ENTERED=disk\n' })
  const state = join(import.meta.dirname, '../../../images/live/dracut/disk/state')
  const full = 'cp() { echo "cp: error writing /var/x: No space left on device" >&2; return 1; }'
  const text = `. ${state}; run=${folder} state=${folder}/state; ${full}; (bind_state) 2>&1 || echo "ended $?"`
  t.equal(
    shell(text),
    'pilotlight: what aaaaaaaaaaaa brings for /var does not fit on the state partition: cp: error writing /var/x: No space left on device\nended 1',
  )
})

t.test('a root hash is the UUIDs of its slot', async t => {
  t.equal(shell(`root_uuid ${ROOT_HASH}`), '01234567-89ab-cdef-0123-456789abcdef')
  t.equal(shell(`verity_uuid ${ROOT_HASH}`), 'fedcba98-7654-3210-fedc-ba9876543210')
})

t.test('a slot holds a version when both of its partitions say so', { skip }, async t => {
  const disk = join(t.testdir({ disk: '' }), 'disk')
  execFileSync('truncate', ['--size=64M', disk])
  const parts = ['bios', 'esp', '_empty', '_empty', '_empty', '_empty', 'state']
  const options = parts.flatMap((label, at) => [`--new=${at + 1}:0:+4M`, `--change-name=${at + 1}:${label}`])
  execFileSync('sgdisk', [...options, disk])
  const version = (slot: string) => shell(`slot_version ${disk} ${slot}`)
  t.strictSame([version('a'), version('b')], ['', ''])
  execFileSync('sgdisk', ['--change-name=3:pilotlight_aaaaaaaaaaaa', disk])
  t.equal(version('a'), '', 'one label alone says nothing')
  execFileSync('sgdisk', ['--change-name=4:pilotlight_aaaaaaaaaaaa', disk])
  t.strictSame([version('a'), version('b')], ['aaaaaaaaaaaa', ''])
})

t.test('a file that is replaced is never seen half', async t => {
  const folder = t.testdir({ file: 'old\n' })
  t.equal(shell(`echo new | replace ${folder}/file; cat ${folder}/file; ls ${folder}`), 'new\nfile')
})

t.test("a loader's entry is behind the network and before the firmware's own programs", async t => {
  // As efibootmgr prints what OVMF makes for a card and two disks, with an old system's entry added.
  const entries = [
    'BootOrder: 0003,0004,0005,0001,0002,0000,0007',
    'Boot0000* UiApp\tFvVol(7cb8bdc9)/FvFile(462caa21)',
    'Boot0001* UEFI Misc Device\tPciRoot(0x0)/Pci(0x3,0x0)/Pci(0x0,0x0){auto_created_boot_option}',
    'Boot0002* debian\tHD(1,GPT,06235edc,0x800,0x1000)/File(\\EFI\\debian\\shimx64.efi)',
    'Boot0003* UEFI PXEv4 (MAC:525400200012)\tPciRoot(0x0)/Pci(0x2,0x0)/MAC(525400200012,1)/IPv4(0.0.0.00.0.0.0,0,0)',
    'Boot0004* UEFI PXEv6 (MAC:525400200012)\tPciRoot(0x0)/Pci(0x2,0x0)/MAC(525400200012,1)/IPv6([::]:<->[::]:,0,0)',
    'Boot0005* UEFI HTTPv4 (MAC:525400200012)\tPciRoot(0x0)/Pci(0x2,0x0)/MAC(525400200012,1)/IPv4(0.0.0.0)/Uri()',
    'Boot0007* EFI Internal Shell\tFvVol(7cb8bdc9)/FvFile(7c04a583)',
  ].join('\n')
  const file = join(t.testdir({ entries }), 'entries')
  for (const [order, expected] of [
    ['0003,0004,0005,0001,0002,0000,0007', '0003,0004,0005,0001,0002,0008,0000,0007'],
    ['0001,0002,0003,0007', '0001,0002,0003,0008,0007'],
    ['0007,0003', '0007,0003,0008'], // a person put the shell first
    ['0000,0007', '0008,0000,0007'],
    ['0002', '0002,0008'],
    ['', '0008'],
  ]) {
    t.equal(shell(`boot_order '${order}' 0008 ${file}`), expected, `from ${order}`)
  }
})

t.test('a file that cannot be replaced stays as it was', async t => {
  const folder = t.testdir({ file: 'old\n' })
  const full = `ln -s /dev/full ${folder}/file.new; echo new | replace ${folder}/file 2> /dev/null || echo failed`
  t.equal(shell(`${full}; cat ${folder}/file; ls ${folder}`), 'failed\nold\nfile')
})

t.test(
  'an EFI system partition is checked where it was not unmounted, and only then',
  { skip: absent('fsck.fat', 'mkfs.fat') },
  async t => {
    const folder = t.testdir({ esp: '' })
    const esp = join(folder, 'esp')
    truncateSync(esp, 64 << 20)
    execFileSync('mkfs.fat', ['-F', '32', esp])
    const check = () => shell(`run=${folder}; check_esp ${esp} 2>&1`)
    const state = () => readFileSync(esp)[65]
    t.equal(state(), 0)
    t.equal(check(), '')
    const mounted = readFileSync(esp)
    mounted[65] = 1 // as while it is mounted
    writeFileSync(esp, mounted)
    t.match(check(), /^pilotlight: the EFI system partition \S+esp was not unmounted, and is checked$/)
    t.equal(state(), 0)
    writeFileSync(esp, Buffer.alloc(1 << 20, 1))
    t.match(check(), /esp is not repaired: \S/, 'what is no FAT file system')
    writeFileSync(esp, '')
    t.equal(check(), '', 'what cannot be read')
  },
)

t.test('none is checked while another program has it mounted', async t => {
  const folder = t.testdir()
  const mount = `run=${folder} esp=${folder}/esp; check_esp() { echo checked; }; mount() { echo mounted; }; sync() { :; }; umount() { :; }`
  t.equal(
    shell(`${mount}; mount_esp /dev/sda; umount_esp; mount_esp /dev/sda`),
    'checked\nmounted\nchecked\nmounted',
  )
  const another = `exec 5> ${folder}/esp.lock; flock --shared 5`
  t.equal(shell(`${mount}; ${another}; mount_esp /dev/sda`), 'mounted')
})
