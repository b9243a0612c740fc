// Booting a built initrd in an emulated machine with given devices, as far as its network: what found a driver there, and what
// that took. A program behind our network service writes it on the serial port, then the machine is off.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { words } from '#images/commands.ts'
import { cpioArchive, cpioPadding } from '#images/cpio.ts'
import { waitUntil } from '#progress/wait.ts'

/** Seconds for one boot, on a host that has other work. */
export const BOOT_LIMIT_SECONDS = 400

/** Runs behind our network service, whether it found a lease or not, and writes on the serial port what is there. */
const PROBE = `#!/bin/sh
exec > /dev/ttyS0 2>&1
echo 1 > /proc/sys/kernel/printk # else the kernel's lines break ours
udevadm settle --timeout=60
# usb-storage looks for its disk a second after it is bound, and no event waits for that (usb-storage's delay_use).
polls=0
for bound in /sys/bus/usb/drivers/usb-storage/*:*; do
    [ -e "$bound" ] || continue
    until ls -d "$bound"/host*/target*/*/block/* > /dev/null 2>&1 || [ $polls -ge 300 ]; do
        polls=$((polls + 1))
        sleep 0.2
    done
done
for device in /sys/bus/pci/devices/* /sys/bus/usb/devices/* /sys/bus/virtio/devices/*; do
    [ -e "$device/driver" ] || continue
    driver=$(readlink "$device/driver")
    echo "PROBE bound \${device##*/} \${driver##*/}"
done
for disk in /sys/block/[nsv]*; do echo "PROBE disk $(readlink -f "$disk") $(cat "$disk/size")"; done
for card in /sys/class/net/*; do
    address=$(ip -4 -brief address show dev "\${card##*/}")
    set -- $address
    echo "PROBE card $(cat "$card/address") \${3:-none} \${card##*/}"
done
for file in 10-pilotlight-boot 30-pilotlight-others; do
    while read -r line; do echo "PROBE file $file $line"; done < /run/systemd/network/$file.network
done
read -r up rest < /proc/uptime
echo "PROBE uptime $up s"
[ ! -e /also ] || /also
echo "PROBE done"
echo o > /proc/sysrq-trigger
`

const UNIT = '[Service]\nExecStartPost=/probe\nExecStopPost=/probe\n'
const FOLDERS = words('etc/ etc/systemd/ etc/systemd/system/')
const DROP_IN = 'etc/systemd/system/pilotlight-live-network.service.d/'

/** What a machine showed. */
export type Seen = {
  /** Drivers by the device's name on its bus, for example `0000:00:04.0`. */
  readonly bound: ReadonlyMap<string, string>
  /** Places of disks in /sys. */
  readonly disks: readonly string[]
  /** Addresses by MAC. */
  readonly cards: ReadonlyMap<string, string>
  /** What is handed to networkd in the system: `file line`, in order. */
  readonly files: readonly string[]
  /** What `also` said: the rest of each of its lines that begin with `PROBE also `. */
  readonly also: readonly string[]
  readonly console: string
  /**
   * Seconds of the guest's clock from its kernel's start to a lease; of the wall, and of the host's processors, from
   * power-on to the same.
   */
  readonly seconds: { readonly kernel: number; readonly wall: number; readonly processor: number }
}

/**
 * Boots `vmlinuz` of the folder `images` with its files `initrds`, one behind the other, and `devices`, QEMU's options; `bootMac` is
 * the card that booted. Disks are `a.img` to `e.img`, empty, of 64 MiB. `also` is a shell program that runs after the probe.
 */
export async function bootInitrd(...settings: Parameters<typeof bootOnce>): Promise<Seen> {
  // QEMU 7.2 without KVM now and then breaks a kernel with two processors in its first seconds: a kernel that panics is started once more.
  const seen = await bootOnce(...settings)
  return seen.console.includes('Kernel panic') ? bootOnce(...settings) : seen
}

async function bootOnce(
  images: string,
  initrds: readonly string[],
  bootMac: string,
  devices: readonly string[],
  also?: string,
): Promise<Seen> {
  const folder = mkdtempSync(join(tmpdir(), 'cards-'))
  const initrd = Buffer.concat(initrds.map(name => readFileSync(join(images, name))))
  const added = cpioArchive([
    ...[...FOLDERS, DROP_IN].map(path => ({ path, mode: 0o755 })),
    { path: `${DROP_IN}probe.conf`, mode: 0o644, content: UNIT },
    { path: 'probe', mode: 0o755, content: PROBE },
    ...(also === undefined ? [] : [{ path: 'also', mode: 0o755, content: also }]),
  ])
  const image = join(folder, 'initrd.img')
  writeFileSync(image, Buffer.concat([initrd, cpioPadding(initrd.length), added]))
  for (const name of words('a b c d e')) {
    writeFileSync(join(folder, `${name}.img`), '')
    truncateSync(join(folder, `${name}.img`), 64 << 20)
  }
  const append = words(
    'console=ttyS0 panic=1 systemd.show_status=no coreos.live.rootfs_url=http://192.0.2.1/root.squashfs',
    `BOOTIF=01-${bootMac.replaceAll(':', '-')}`,
  )
  const machine = spawn(
    'nice',
    [
      ...words('qemu-system-x86_64 -machine q35,graphics=off -accel tcg -cpu qemu64,-svm -smp 2 -m 1024'),
      ...words('-nodefaults -display none -serial stdio -no-reboot'),
      '-kernel',
      join(images, 'vmlinuz'),
      '-initrd',
      image,
      '-append',
      append.join(' '),
      ...words(...devices),
    ],
    { cwd: folder },
  )
  const ended = once(machine, 'exit')
  let console = ''
  let processor = 0
  const began = performance.now()
  for (const output of [machine.stdout, machine.stderr]) {
    output.on('data', (bytes: Buffer) => (console += bytes.toString()))
  }
  try {
    await waitUntil('the probe is done', { limitSeconds: BOOT_LIMIT_SECONDS, everyMs: 200 }, async () => {
      // Read while it runs: the machine switches itself off right after the last line.
      processor = processorSeconds(machine.pid ?? 0) ?? processor
      return /^PROBE done/m.test(console) || machine.exitCode !== null
        ? { value: true }
        : { not: console.slice(-200) }
    })
  } finally {
    machine.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true })
  }
  const wall = (performance.now() - began) / 1000
  const [, kernel = 'NaN'] = /^PROBE uptime (\S+) s/m.exec(console) ?? []
  const lines = (what: string) =>
    [...console.matchAll(new RegExp(`^PROBE ${what} (.*?)\\r?$`, 'gm'))].map(([, line]) => line ?? '')
  const seen = (what: string) => [...console.matchAll(new RegExp(`^PROBE ${what} (\\S+) (\\S+)`, 'gm'))]
  return {
    bound: new Map(seen('bound').map(([, device, driver]) => [device ?? '', driver ?? ''])),
    disks: seen('disk').map(([, place]) => place ?? ''),
    cards: new Map(seen('card').map(([, mac, address]) => [mac ?? '', address ?? ''])),
    files: lines('file'),
    also: lines('also'),
    console,
    seconds: { kernel: Number(kernel), wall, processor },
  }
}

/** What a process has had of the host's processors, in seconds (proc_pid_stat(5): fields 14 and 15, in hundredths). */
function processorSeconds(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return undefined // it has ended
  }
}
