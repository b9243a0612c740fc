// The disks of an emulated machine: sparse files in its folder, the words for QEMU, and the process behind a disk whose cache
// a power cut empties.

import type { ChildProcess } from 'node:child_process'
import { existsSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../errors.ts'
import type { Disk } from '../rack.ts'
import { startBeside } from './beside.ts'
import type { Hardware } from './hardware.ts'

/** The cache of a disk that forgets it when its power is cut. */
export type VolatileCache = {
  /** Takes its power: what was not flushed is lost. */
  cut(): void
  /** Resolves when its process has ended, which this begins; after a clean end of the machine nothing is left in it. */
  end(): Promise<void>
}

/** Makes the files of the disks that are not there yet, all of them empty. */
export function makeDisks(directory: string, disks: readonly Disk[]): void {
  for (const [at, { gib }] of disks.entries()) {
    const file = join(directory, diskFile(at))
    if (existsSync(file)) continue
    writeFileSync(file, '', { mode: 0o600 })
    truncateSync(file, gib * 1024 ** 3)
  }
}

/**
 * Starts a disk's cache, as nbdkit has it: writes stay in a file that has no name, until the machine flushes.
 *
 * @throws {LabError} NO_TOOL when nbdkit cannot be started; {WaitedTooLong} when it does not listen within 10 s
 */
export async function startCache(
  hardware: Pick<Hardware, 'directory' | 'console'>,
  at: number,
): Promise<VolatileCache> {
  // A socket's path has at most 107 bytes, and nbdkit makes a relative one absolute. The cache is in TMPDIR: it can be large.
  const listen = ['--unix', `/proc/self/cwd/${diskSocket(at)}`]
  const words = ['--foreground', '--exit-with-parent', ...listen, '--filter=cache', 'file']
  const { child, ended } = await startBeside(hardware, {
    program: 'nbdkit',
    args: [...words, diskFile(at), 'cache=writeback'],
    socket: diskSocket(at),
    what: "the disk's cache listens",
    env: { ...process.env, TMPDIR: hardware.directory },
    stop: loseCache,
    failure: reason => {
      const what = `This machine has a disk with cache: volatile, and no nbdkit: ${reason}`
      return new LabError('NO_TOOL', what, { remedy: 'apt-get install nbdkit, or leave the cache out' })
    },
  })
  return { cut: () => void child.kill('SIGKILL'), end: () => loseCache(child, ended) }
}

/** What the machine did not flush before its end is not on the disk. */
async function loseCache(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGKILL')
  await ended
}

/**
 * The words for QEMU, run in the machine's folder; `first` is the place of the first disk in the boot order. What QEMU has
 * written to a file is in this host's page cache, and survives the end of QEMU: so a flush needs to reach no real disk
 * (`cache=unsafe`).
 */
export function diskArguments(disks: readonly Disk[], first: number): string[] {
  const controllers = new Map([
    ['megasas', ['-device', 'megasas-gen2,id=raid']],
    ['usb', ['-device', 'qemu-xhci,id=usb']],
  ])
  const used = new Set<string>(disks.map(({ type }) => type))
  const ports = { ahci: 0, megasas: 0 }
  const words = disks.flatMap((disk, at) => {
    const id = `disk${at + 1}`
    const device = {
      virtio: () => 'virtio-blk-pci',
      nvme: () => 'nvme',
      ahci: () => `ide-hd,bus=ide.${ports.ahci++}`,
      megasas: () => `scsi-hd,bus=raid.0,scsi-id=${ports.megasas++}`,
      usb: () => 'usb-storage,bus=usb.0,removable=on',
    }[disk.type]()
    const file =
      disk.cache === 'volatile'
        ? `file=nbd:unix:${diskSocket(at)},cache=writeback`
        : `file=${diskFile(at)},cache=unsafe`
    return [
      '-drive',
      `${file},if=none,id=${id},format=raw,discard=unmap`,
      '-device',
      `${device},drive=${id},serial=${disk.serial},bootindex=${first + at}`,
    ]
  })
  return [...[...controllers].flatMap(([type, device]) => (used.has(type) ? device : [])), ...words]
}

/** Name of a disk's file in the machine's folder. */
function diskFile(at: number): string {
  return at === 0 ? 'disk.img' : `disk-${at + 1}.img`
}

function diskSocket(at: number): string {
  return `disk-${at + 1}.socket`
}
