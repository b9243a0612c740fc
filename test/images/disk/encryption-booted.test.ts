// The programs of the initrd that encrypt a state partition and open it, in a booted initrd with a disk and a TPM (swtpm):
// LUKS2 and device-mapper are the kernel's, systemd-repart makes the partitions, and only the server is absent.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { findArtefact } from '#host/cache.ts'
import { words } from '#images/commands.ts'
import { cpioArchive, cpioPadding } from '#images/cpio.ts'
import { initrdRecipe } from '#images/initrd.ts'
import { startTpm, TPM_ARGUMENTS } from '#lab/machines/tpm.ts'
import { waitUntil } from '#progress/wait.ts'

const DROP_IN = 'etc/systemd/system/pilotlight-live-network.service.d/'
const MINE = '5a0e7f00-0023-4000-8000-000000000001'
const LIMIT_SECONDS = 900
/** In the place of the network's: it comes after udev, and before anything waits for a root. */
const UNIT = '[Service]\nExecStart=\nExecStart=/program\nTimeoutStartSec=900\n'

/** Each line `STEP name result` is one that is looked for below. What ends the program is shown as `STEP failed`. */
const PROGRAM = String.raw`#!/bin/sh
exec > /dev/ttyS0 2>&1
echo 1 > /proc/sys/kernel/printk
set -eu
finish() { echo "STEP ended $1"; echo o > /proc/sysrq-trigger; sleep 60; }
trap 'finish $?' EXIT
. /usr/lib/pilotlight/disk-common
. $lib/state
. $lib/encryption
. $lib/install
step() { echo "STEP $*"; }
work=$run/install MACHINE=ctl-1 AGENT_URL=https://192.0.2.1:8443 authority=$run/ca.of.config encrypt=auto
mkdir -p $work
echo 'an authority' > $authority
post() { cp "$2" $run/sent; echo 204; }
report() { :; }
KEY_SECONDS=20
network_for_key() { :; }
ask_unlock() { reason='the server is not reached'; return 1; }
modprobe -aq ext4 vfat nls_cp437 nls_ascii loop squashfs overlay virtio_blk || true
wait_for 30 test -b /dev/vda
device=/dev/vda7

can_encrypt || { step refused "$problem"; exit 1; }
prepare_key
cp $run/disk.secret $run/kept.secret
step key "$holder $(jq --raw-output '.secret | test("^[A-Z2-7]{32}$")' $run/sent) $(jq --raw-output '.recipient | length' $run/sent)"
partition /dev/vda || { step partition "$problem"; exit 1; }
step own "$(own_of_encrypted $device /dev/vda) $(luks_uuid $device | grep -cx "$luks") $(blkid -p -s LABEL -o value $device)"
mount_state $device
mkdir -p $kept/network
printf 'ADDRESS=10.20.0.11\n' > $kept/lease
printf '[Match]\n' > $kept/network/10-pilotlight-boot.network
write_machine 0123456789ab | replace $kept/machine.json
write_clear $device $kept/machine.json
rm -f $run/disk.secret $run/disk.identity
umount $state
cryptsetup close pilotlight-state
step installed "$(own_of_encrypted $device /dev/vda)"
step clear "$(clear_record $device | jq --compact-output '[.holder, .url, .ca, .lease, .network, (.identity | startswith("AGE-SECRET-KEY-1")), .machine.machine]')"
step secret-in-header "$(dd if=$device bs=1M count=16 2> /dev/null | grep -c "$(cat $run/kept.secret)" || true)"

open_encrypted $device
step opened "$OPENED $(mount_state $device && own_of && umount $state)"
cryptsetup close pilotlight-state

udevadm settle --timeout=120 # as look does: udev may read the table anew, and its partitions are away meanwhile
look_at_states > $run/looked
step looked "$(cat $run/looked) $(jq --raw-output '.machine + " " + .version + " " + .disk' $run/found.json)"
real=$(machine_uuid)
before=$(sha256sum $device.head 2> /dev/null || dd if=$device bs=1M count=16 2> /dev/null | sha256sum)
step other "$(machine_uuid() { echo 11111111-2222-4333-8444-555555555555; }; own_of_encrypted $device /dev/vda) $(jq --raw-output '.machine + " " + .uuid' $run/seen.json)"
[ "$before" = "$(dd if=$device bs=1M count=16 2> /dev/null | sha256sum)" ] && step untouched yes

# As after another TPM came in its place: what is sealed was made by none that is here.
cryptsetup token export --token-id 0 $device | jq --compact-output '.["tpm2-blob"] |= .[:60] + "AAAAAAAA" + .[68:]' > $run/foreign
cryptsetup token import --token-id 0 --token-replace --json-file $run/foreign $device
step refused "$( (open_encrypted $device) 2>&1 | tr '\n' ' ')"
typed() { until [ -e $run/disk.key ]; do sleep 0.2; done; sleep "$1"; printf %s "$2" > $run/typed.test.new; mv $run/typed.test.new $run/typed.test; }
{ typed 2 WRONG; typed 6 "$(cat $run/kept.secret)"; } &
open_encrypted $device > $run/said
step typed "$OPENED $(grep -c 'what was typed is not the recovery key' $run/said) $(grep -c 'sealed to the TPM as it is now' $run/said)"
step forgotten "$(ls $run/disk.secret $run/disk.key $run/typed.* 2> /dev/null | wc -l)"
cryptsetup close pilotlight-state
open_encrypted $device
step again "$OPENED"
cryptsetup close pilotlight-state

erase_keys /dev/vda
step erased "$(echo $erased) $(is_encrypted $device && echo encrypted || echo blank) $(cryptsetup open --test-passphrase --key-file $run/kept.secret $device 2> /dev/null && echo opens || echo closed)"
prepare_key
partition /dev/vda || { step partition "$problem"; exit 1; }
step anew "$(own_of_encrypted $device /dev/vda)"
`

const images = (await findArtefact(initrdRecipe))?.path
const hasTools = ['qemu-system-x86_64', 'swtpm'].every(it => spawnSync('which', [it]).status === 0)
const skip =
  process.env['PILOTLIGHT_TEST_ENCRYPT'] === undefined
    ? 'takes minutes of an emulated machine: PILOTLIGHT_TEST_ENCRYPT=tpm'
    : images === undefined
      ? 'needs the built initrd'
      : hasTools
        ? false
        : 'needs QEMU and swtpm'

t.setTimeout((LIMIT_SECONDS + 60) * 1000)
await t.test(
  'a booted initrd encrypts a state partition, opens it by the TPM or by hand, and erases it',
  { skip },
  async t => {
    const said = await run(images ?? '')
    const step = (name: string) =>
      [...said.matchAll(new RegExp(`STEP ${name} ?(.*?)\r?$`, 'gm'))].map(([, rest]) => rest)
    t.same(step('key'), ['tpm true 62'], 'auto takes the TPM; the server is sent a key and a recipient')
    t.same(step('partition'), [])
    t.same(step('own'), ['unfinished 1 pilotlight-state'], 'the header says whose it is from the beginning')
    t.same(step('installed'), ['installed'])
    const clear = ['tpm', 'https://192.0.2.1:8443', 'an authority\n', 'ADDRESS=10.20.0.11\n']
    t.same(JSON.parse(step('clear')[0] ?? '[]'), [
      ...clear,
      { '10-pilotlight-boot.network': '[Match]\n' },
      true,
      'ctl-1',
    ])
    t.same(step('secret-in-header'), ['0'])
    t.same(step('opened'), ['tpm installed'])
    t.same(step('looked'), ['{"vda":"installed"} ctl-1 0123456789ab vda'])
    t.same(step('other'), [`other ctl-1 ${MINE}`], "another machine's is known without opening it")
    t.same(step('untouched'), ['yes'])
    t.match(
      step('refused')[0],
      /the TPM does not give the key .*PCR 7.*pilotlight disk unlock ctl-1.*recovery-key ctl-1/,
    )
    t.match(step('refused')[0], /no key opened the state partition \/dev\/vda7 .* within 0 minutes/)
    t.same(step('typed'), ['recovery 1 1'], 'a wrong key is said, the right one opens and is sealed anew')
    t.same(step('forgotten'), ['0'], 'and no key stays in memory')
    t.same(step('again'), ['tpm'])
    t.same(step('erased'), ['/dev/vda blank closed'])
    t.same(step('anew'), ['unfinished'])
    t.same(step('ended'), ['0'])
  },
)

/** Boots the initrd with the program behind its network service, and gives all that the serial port showed. */
async function run(images: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'encrypt-'))
  const initrd = readFileSync(join(images, 'initrd.img'))
  const added = cpioArchive([
    ...[...words('etc/ etc/systemd/ etc/systemd/system/'), DROP_IN].map(path => ({ path, mode: 0o755 })),
    { path: `${DROP_IN}program.conf`, mode: 0o644, content: UNIT },
    { path: 'program', mode: 0o755, content: PROGRAM },
  ])
  writeFileSync(join(directory, 'initrd.img'), Buffer.concat([initrd, cpioPadding(initrd.length), added]))
  writeFileSync(join(directory, 'disk.img'), '')
  truncateSync(join(directory, 'disk.img'), 17 * 2 ** 30)
  let console = ''
  const copy = process.env['PILOTLIGHT_TEST_CONSOLE'] // a file for a person who looks on
  const take = (bytes: Uint8Array) => {
    console += Buffer.from(bytes).toString()
    if (copy !== undefined) appendFileSync(copy, bytes)
  }
  const tpm = await startTpm({ directory, console: take })
  const machine = spawn(
    'nice',
    [
      ...words(
        'qemu-system-x86_64 -machine q35,graphics=off -accel tcg -cpu qemu64,-svm -smp 2 -m 1024 -device virtio-rng-pci',
      ),
      ...words(`-nodefaults -display none -serial stdio -no-reboot -uuid ${MINE}`),
      ...words('-drive file=disk.img,format=raw,if=virtio,cache=unsafe'),
      ...TPM_ARGUMENTS,
      '-kernel',
      join(images, 'vmlinuz'),
      ...words('-initrd initrd.img -append'),
      'console=ttyS0 systemd.show_status=no coreos.live.rootfs_url=http://192.0.2.1/root.squashfs',
    ],
    { cwd: directory },
  )
  const ended = once(machine, 'exit')
  for (const output of [machine.stdout, machine.stderr]) output.on('data', take)
  try {
    await waitUntil('the program ended', { limitSeconds: LIMIT_SECONDS, everyMs: 200 }, async () =>
      /^STEP ended/m.test(console) || machine.exitCode !== null
        ? { value: true }
        : { not: console.slice(-300) },
    )
  } finally {
    machine.kill('SIGKILL')
    await ended
    await tpm.end()
    rmSync(directory, { recursive: true })
  }
  return console
}
