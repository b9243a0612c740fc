// What the initrd does where the slot is of another kernel than the one that runs (images/live/dracut/disk/own-kernel): the program
// itself, with the commands that would end this host in its place.

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '../../../images/live')
const GLOBAL = '8be4df61-93ca-11d2-aa0d-00e098032b8c'
const ESP = '0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9'
/** The same as a UEFI device path has it: three little-endian numbers, then bytes. */
const ESP_BYTES = Buffer.from('3d2c1b0a5f4e71608293a4b5c6d7e8f9', 'hex')

/** A load option with a hard drive node (UEFI 10.3.5.1) of a partition. */
const entry = (guid: Buffer) =>
  Buffer.concat([
    Buffer.from([7, 0, 0, 0, 1, 0, 0, 0, 0x74, 0]),
    Buffer.from('Pilotlight\0', 'utf16le'),
    Buffer.from([4, 1, 42, 0, 2, 0, 0, 0]),
    Buffer.alloc(16),
    guid,
    Buffer.from([2, 2, 0x7f, 0xff, 4, 0]),
  ])

/** Runs the program for slot a of /dev/vda; gives what was printed, and which commands would have run. */
function run(folder: string, cmdline: string): { readonly status: number | null; readonly said: string } {
  writeFileSync(join(folder, 'cmdline'), cmdline)
  const here = (name: string) =>
    readFileSync(join(ROOT, name), 'utf8')
      .replaceAll('/proc/cmdline', `${folder}/cmdline`)
      .replaceAll('/run/own-kernel', `${folder}/kernel`)
      .replaceAll('run=/run/pilotlight', `run=${folder}`)
      .replaceAll('/sys/firmware/efi/efivars', `${folder}/efivars`)
  const commands = `
mount_esp() { mkdir -p $esp/pilotlight/abc; for it in vmlinuz initrd.img; do echo $it > $esp/pilotlight/abc/$it; done
    echo 'set cmdline="quiet pilotlight.disk"' > $esp/pilotlight/abc/slot.cfg; }
umount_esp() { :; }; umount() { :; }; veritysetup() { :; }; sync() { :; }; sleep() { :; }; replace() { cat > /dev/null; }
leaving() { echo "leaves by $1" >&2; }
kexec() { echo "kexec $*"; echo 'Operation not permitted' >&2; return 1; }
systemctl() { echo "systemctl $*"; }
sgdisk() { echo 'Partition unique GUID: ${ESP}'; }
DISKS=/dev/vda,/dev/vdb SLOT=a VERSION=abc
`
  const text = `${here('root/usr/lib/pilotlight/disk-common')}\n${commands}\n${here('dracut/disk/own-kernel')}`
  const { status, stdout, stderr } = spawnSync('sh', ['-euc', text], { encoding: 'utf8' })
  return { status, said: stdout + stderr }
}

t.test('a boot from the disk ends here, so that the loader counts it', async t => {
  const { status, said } = run(t.testdir(), 'roothash=00 pilotlight.disk pilotlight.slot=abc')
  t.equal(status, 1)
  t.match(said, /^pilotlight: slot a of \/dev\/vda,\/dev\/vdb has no modules of its own kernel/)
  t.notMatch(said, /kexec|systemctl/)
})

t.test('where kexec is refused, UEFI starts the loader on this disk next', async t => {
  const folder = t.testdir({ efivars: {} })
  const file = (name: string) => join(folder, 'efivars', `${name}-${GLOBAL}`)
  writeFileSync(file('Boot0003'), entry(Buffer.alloc(16, 7)))
  writeFileSync(file('Boot12AF'), entry(ESP_BYTES))
  const { status, said } = run(folder, 'ignition.firstboot')
  t.equal(status, 1)
  t.match(said, /kexec --kexec-syscall-auto --load .*--command-line=quiet pilotlight\.disk/)
  t.match(said, /systemctl reboot --force/)
  t.notMatch(said, /has no entry/)
  t.strictSame([...readFileSync(file('BootNext'))], [7, 0, 0, 0, 0xaf, 0x12])
})

t.test('without such an entry it says what the firmware does', async t => {
  const folder = t.testdir({ efivars: {} })
  writeFileSync(join(folder, 'efivars', `Boot0003-${GLOBAL}`), entry(Buffer.alloc(16, 7)))
  t.match(run(folder, '').said, /the firmware has no entry for \/dev\/vda: .*\nsystemctl reboot/)
  t.match(run(t.testdir(), '').said, /the firmware has no entry for \/dev\/vda: .*\nsystemctl reboot/)
})
