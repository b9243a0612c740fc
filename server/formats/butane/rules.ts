// What Butane itself warns of: modes without their leading zero, and partitions that are not those that their labels mean.

import type { Report } from '../ignition/findings.ts'
import { octal } from '../ignition/rules-nodes.ts'
import type { Disk, Integer } from '../ignition/types.ts'
import type { ButaneConfig } from './types.ts'

/** Warns of each mode of a file or directory that is decimal where octal was meant. */
export function modeRules({ storage = {} }: ButaneConfig, { warning }: Report): void {
  for (const kind of ['directories', 'files'] as const) {
    for (const [index, { mode }] of (storage[kind] ?? []).entries()) {
      if (mode === undefined || !isDecimalMode(mode, kind === 'directories')) continue
      const message = `${mode} without a leading zero is the mode ${octal(mode)}; 0${mode} is probably meant`
      warning('decimal-mode', ['storage', kind, index, 'mode'], message)
    }
  }
}

/** Says whether a mode is an unusual one, and a usual one when its decimal digits are read as octal. */
export function isDecimalMode(mode: Integer, isDirectory: boolean): boolean {
  if (!/^[0-7]{1,4}$/.test(String(mode))) return false
  return !isUsualMode(Number(mode), isDirectory) && isUsualMode(Number.parseInt(String(mode), 8), isDirectory)
}

/**
 * Says whether a mode is one that people give: each of owner, group and others has all bits of those after it, and may
 * read if it may do anything. Special bits are usual only where they have their usual use.
 */
function isUsualMode(mode: number, isDirectory: boolean): boolean {
  if (mode === 0) return true // root ignores modes
  const wider = [mode & 7, (mode >> 3) & 7, (mode >> 6) & 7]
  let before = 0
  for (const bits of wider) {
    const isWithoutRead = (bits & R) === 0 && bits !== 0
    const isReadBeforeRun = (bits & X) !== 0 && (before & R) !== 0 && (before & X) === 0
    if ((bits & before) !== before || isWithoutRead || isReadBeforeRun) return false
    before = bits
  }
  const owner = mode >> 6
  if ((owner & R) === 0) return false
  const special = mode & 0o7000
  if (isDirectory) {
    const isShared = (special & (SETGID | STICKY)) === 0 || (owner & W) !== 0
    return (owner & X) !== 0 && (special & SETUID) === 0 && isShared
  }
  if ((special & (SETUID | SETGID)) !== 0 && ((owner & X) === 0 || (mode & W) !== 0)) return false
  return (special & STICKY) === 0
}

const [R, W, X] = [4, 2, 1]
const [SETUID, SETGID, STICKY] = [0o4000, 0o2000, 0o1000]

/** Numbers of the partitions of Fedora CoreOS's image, by label. */
const RESERVED: ReadonlyMap<string, number> = new Map([
  ['BIOS-BOOT', 1],
  ['PowerPC-PReP-boot', 1],
  ['EFI-SYSTEM', 2],
  ['boot', 3],
  ['root', 4],
])
const ROOT_MIB = 8192
/** The disk whose partitions Ignition may find by label, because the image made them. */
const BOOT_DISK = '/dev/disk/by-id/coreos-boot-disk'

/** Warns of partitions of fcos 1.`fcos`, in the config that comes out, where the root file system would suffer. */
export function partitionRules(disks: readonly Disk[], fcos: number, { warning }: Report): void {
  for (const [index, { partitions = [], wipeTable }] of disks.entries()) {
    for (const [number, { label, number: own = 0, sizeMiB = 0 }] of partitions.entries()) {
      const path = ['storage', 'disks', index, 'partitions', number]
      if (fcos >= 3 && label === 'root') {
        const isFollowed = partitions.some(({ startMiB = 0 }, other) => other !== number && startMiB === 0)
        if (sizeMiB === 0 && isFollowed) {
          const message = 'root cannot grow: it fills the free space, and another partition is put after it'
          warning('root-constrained', [...path, 'label'], message)
        } else if (sizeMiB !== 0 && sizeMiB < ROOT_MIB) {
          warning('root-too-small', [...path, 'sizeMiB'], `root has ${sizeMiB} MiB; it needs ${ROOT_MIB}`)
        }
      }
      const reserved = RESERVED.get(label ?? '')
      if (wipeTable !== true && reserved !== undefined && own !== reserved) {
        const message = `Ignition makes a new partition "${label}": the one of the image has number ${reserved}`
        warning('reserved-label', [...path, 'label'], message)
      }
    }
  }
}

/** Warns of partitions that are named by label alone on a disk which keeps its table (fcos 1.6.0 and later). */
export function reuseRules({ bootDevice, storage = {} }: ButaneConfig, { warning }: Report): void {
  const mirrored = bootDevice?.mirror?.devices ?? []
  for (const [index, { device = '', partitions = [], wipeTable }] of (storage.disks ?? []).entries()) {
    if (device === BOOT_DISK || wipeTable === true || mirrored.includes(device)) continue
    for (const [number, { label, number: own = 0 }] of partitions.entries()) {
      if (own !== 0 || label === undefined) continue
      const message = `partition "${label}" has no number, and is not found by its label when Ignition runs again`
      warning('reused-by-label', ['storage', 'disks', index, 'partitions', number, 'number'], message)
    }
  }
}
