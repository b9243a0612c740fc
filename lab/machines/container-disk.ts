// The disk of a container machine on the host's side: its file, and what becomes of it when the power is cut.

import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

/** Where a container machine's disk is: the file of its state, and the folder of the image that it starts from. */
export type ContainerDisk = { readonly file: string; readonly slot: string }

/** The disk's places in the machine's folder. */
export function diskOf(directory: string): ContainerDisk {
  return { file: join(directory, 'disk.img'), slot: join(directory, 'slot') }
}

/** Makes the disk, empty and sparse, unless it is there. */
export function makeDisk({ file, slot }: ContainerDisk, gib: number): void {
  mkdirSync(slot, { recursive: true, mode: 0o700 })
  if (existsSync(file)) return
  writeFileSync(file, '', { mode: 0o600 })
  truncateSync(file, gib * 1024 ** 3)
}

/** Names of the loop devices whose file this is, such as `loop3`; found by its inode, since a machine sees it at another path. */
export function loopsOf(file: string): string[] {
  const { stdout } = spawnSync('losetup', ['--associated', file], { encoding: 'utf8', timeout: 5000 })
  return [...stdout.matchAll(/^\/dev\/(loop\d+):/gm)].map(([, name = '']) => name)
}

/**
 * Stops the file system on the disk at once, as a power cut does: what its kernel had not written is lost, and an unmount
 * writes nothing more (ext4's EXT4_IOC_SHUTDOWN with NOLOGFLUSH, the way in which xfstests cut the power). What was written
 * stays: it is in the file, or in this host's page cache of it. Safe when there is no such file system.
 *
 * `pids` are processes that may see it mounted.
 */
export function cutDisk({ file }: ContainerDisk, pids: readonly number[]): void {
  for (const loop of loopsOf(file)) {
    const device = textAt(`/sys/block/${loop}/dev`)?.trim() // 7:3
    if (device === undefined) continue
    for (const pid of pids) {
      const path = mountPointOf(pid, device)
      if (path === undefined) continue
      const { status } = spawnSync('perl', ['-e', SHUTDOWN, `/proc/${pid}/root${path}`, device], {
        stdio: 'ignore',
        timeout: 5000,
      })
      if (status === 0) return
    }
  }
}

/** Looks at the device again: nothing but this file system may be stopped. */
const SHUTDOWN = `my ($path, $device) = @ARGV; open(my $at, '<', $path) or exit 1; my $dev = (stat $at)[0];
my $seen = (($dev >> 8) & 0xfff) . ':' . (($dev & 0xff) | (($dev >> 12) & 0xfff00)); $seen eq $device or exit 2;
my $flag = pack('L', 2); ioctl($at, 0x8004587D, $flag) or exit 3`

/** Where a process sees the root of this device's file system mounted. */
function mountPointOf(pid: number, device: string): string | undefined {
  const table = textAt(`/proc/${pid}/mountinfo`) ?? ''
  for (const line of table.split('\n')) {
    const [, , seen, root, point] = line.split(' ')
    if (seen === device && root === '/')
      return point?.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)))
  }
  return undefined
}

/** The text of a file of the kernel's; undefined where there is none, also where what it is about has just gone. */
function textAt(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** The processes of this network namespace, and `first` before them. */
export function processesOf(namespacePath: string, first: number | undefined): number[] {
  if (!existsSync(namespacePath)) return []
  const { ino } = statSync(namespacePath)
  const all = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  const inside = all.filter(pid => {
    try {
      return statSync(`/proc/${pid}/ns/net`).ino === ino
    } catch {
      return false // it ended meanwhile
    }
  })
  return [...(first === undefined ? [] : [first]), ...inside.map(Number)]
}
