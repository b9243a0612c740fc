// Rules for disks, file systems, RAID and LUKS.

import { pathProblem } from './paths.ts'
import type { Report } from './findings.ts'
import type { Disk, Filesystem, Integer, Luks, Partition, Raid, Storage } from './types.ts'
import { parseGoUrl, sourceProblem } from './url.ts'

/** Rules for partition tables. */
export function diskRules(disks: readonly Disk[], report: Report): void {
  for (const [index, { device = '', partitions = [] }] of disks.entries()) {
    const path = ['storage', 'disks', index]
    report.error([...path, 'device'], pathProblem(device))
    for (const [number, partition] of partitions.entries()) {
      partitionRules(partition, [...path, 'partitions', number], report)
    }
    if (device === '') continue
    const collision = (keyOf: (partition: Partition) => string | Integer | undefined, message: string) => {
      const at = secondOf(partitions.map(keyOf))
      if (at >= 0) report.error([...path, 'partitions', at], message)
    }
    collision(({ number }) => number || undefined, 'another partition of this disk has the same number')
    collision(({ label }) => label, 'another partition of this disk has the same label')
    const overlap = partitions
      .map(one => partitions.findIndex(other => overlaps(one, other)))
      .find(other => other >= 0)
    if (overlap !== undefined)
      report.error([...path, 'partitions', overlap], 'this partition overlaps another')
    const isRemoving = partitions.some(({ shouldExist }) => shouldExist === false)
    if (isRemoving && partitions.some(({ number = 0 }) => number === 0)) {
      report.error([...path, 'partitions'], 'partitions without a number do not go with shouldExist: false')
    }
  }
}

function partitionRules(partition: Partition, path: readonly (string | number)[], { error }: Report): void {
  const { guid = '', label, number = 0, shouldExist, sizeMiB, startMiB, typeGuid = '' } = partition
  const isDescribed = [label, sizeMiB, startMiB].some(value => value !== undefined) || guid || typeGuid
  if (shouldExist === false && isDescribed) error(path, 'a partition to remove has a number and nothing else')
  if (number === 0 && label === undefined) error(path, 'a partition needs a number or a label')
  if (label !== undefined && Buffer.byteLength(label) > 36) {
    error([...path, 'label'], 'a partition label has 36 bytes at most')
  } else if (label?.includes(':')) error([...path, 'label'], 'a partition label has no colon')
  for (const [name, value] of Object.entries({ guid, typeGuid })) {
    if (!GUID.test(value))
      error([...path, name], `"${value}" is not a GUID (01234567-89AB-CDEF-EDCB-0123456789AB)`)
  }
}

const GUID = /^(?:|[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12})$/i

/** Says whether two partitions with a fixed place share a part of the disk. */
function overlaps(one: Partition, other: Partition): boolean {
  if (one === other || !one.startMiB || !other.startMiB) return false
  if (one.sizeMiB === undefined || other.sizeMiB === undefined) return false
  return one.startMiB <= lastMiBOf(other) && other.startMiB <= lastMiBOf(one)
}

/** A size of 0 means the rest of the disk, of which only the start is known. */
function lastMiBOf({ startMiB = 0, sizeMiB = 0 }: Partition): Integer {
  if (sizeMiB === 0) return startMiB
  return BigInt.asIntN(64, BigInt(startMiB) + BigInt(sizeMiB) - 1n) // Go's integers wrap
}

/** Rules for file systems. */
export function filesystemRules(
  { disks = [], filesystems = [] }: Storage,
  spec: number,
  report: Report,
): void {
  for (const [index, filesystem] of filesystems.entries()) {
    const at = ['storage', 'filesystems', index]
    const { device = '', format = '', path = '' } = filesystem
    report.error([...at, 'device'], pathProblem(device))
    if (path !== '') report.error([...at, 'path'], pathProblem(path))
    if (format === '') report.error([...at, 'format'], withoutFormat(filesystem))
    else if (!FORMATS.has(format) || (format === 'none' && spec < 3)) {
      report.error([...at, 'format'], `"${format}" is not a format that this spec knows`)
    }
    report.error([...at, 'label'], labelProblem(filesystem))
    const disk = disks.find(disk => disk.device === device)
    if (disk?.partitions?.length) {
      report.warning(
        'partitions-overwritten',
        [...at, 'device'],
        'the disk has partitions in this config, which the file system overwrites',
      )
    } else if (disk?.wipeTable && !filesystem.wipeFilesystem) {
      report.warning(
        'implicit-wipe',
        [...at, 'device'],
        'wiping the partition table of the disk wipes this file system as well',
      )
    }
  }
}

function withoutFormat(filesystem: Filesystem): string | undefined {
  const { path = '', label = '', uuid = '', wipeFilesystem, mountOptions = [], options = [] } = filesystem
  const isDescribed = path || label || uuid || wipeFilesystem || mountOptions.length || options.length
  return isDescribed ? 'a format is wanted (ext4, btrfs, xfs, vfat, swap)' : undefined
}

function labelProblem({ format = '', label = '' }: Filesystem): string | undefined {
  if (label === '') return undefined
  if (format === '') return 'a label needs a format'
  const longest = LABEL_BYTES.get(format)
  if (longest === undefined || Buffer.byteLength(label) <= longest) return undefined
  return `a label of ${format} has ${longest} bytes at most`
}

const FORMATS: ReadonlySet<string> = new Set(['ext4', 'btrfs', 'xfs', 'swap', 'vfat', 'none'])
const LABEL_BYTES: ReadonlyMap<string, number> = new Map([
  ['ext4', 16],
  ['btrfs', 256],
  ['xfs', 12],
  ['swap', 15],
  ['vfat', 11],
])

/** Rules for RAID arrays. */
export function raidRules(raids: readonly Raid[], { error }: Report): void {
  for (const [index, { devices = [], level = '', spares = 0 }] of raids.entries()) {
    const path = ['storage', 'raid', index]
    if (!RAID_LEVELS.has(level))
      error([...path, 'level'], `"${level}" is not a RAID level; write raid1, for example`)
    else if (spares !== 0 && WITHOUT_SPARES.has(level)) error([...path, 'level'], `${level} has no spares`)
    if (devices.length === 0) error([...path, 'devices'], 'a RAID needs devices')
    for (const [number, device] of devices.entries()) error([...path, 'devices', number], pathProblem(device))
  }
}

const WITHOUT_SPARES: ReadonlySet<string> = new Set(['linear', 'raid0', '0', 'stripe'])
const RAID_LEVELS: ReadonlySet<string> = new Set([
  ...WITHOUT_SPARES,
  'raid1',
  '1',
  'mirror',
  'raid4',
  '4',
  'raid5',
  '5',
  'raid6',
  '6',
  'raid10',
  '10',
])

/** Rules for encrypted volumes. */
export function luksRules(volumes: readonly Luks[], spec: number, report: Report): void {
  const { error } = report
  for (const [index, luks] of volumes.entries()) {
    const path = ['storage', 'luks', index]
    const { cex, clevis = {}, device = '', keyFile, label = '', name = '' } = luks
    if (name.includes('/')) error([...path, 'name'], 'a LUKS name has no slash')
    if (Buffer.byteLength(label) > 47) error([...path, 'label'], 'a LUKS label has 47 bytes at most')
    error([...path, 'device'], pathProblem(device))
    if (keyFile?.source && sourceProblem(keyFile.source, spec) !== undefined) {
      error([...path, 'keys'], 'the key file cannot be fetched from its source')
    }
    const { custom, tang = [], threshold = 0, tpm2 = false } = clevis
    const isCustom = spec >= 3 ? (custom?.pin ?? '') !== '' : custom !== undefined
    const isUsual = tang.length > 0 || tpm2 || threshold !== 0
    if (isCustom && isUsual) error([...path, 'clevis'], 'custom does not go with tang, tpm2 or threshold')
    if (custom !== undefined) customRules(custom, [...path, 'clevis', 'custom'], spec, report)
    for (const [number, { advertisement = '', thumbprint = '', url = '' }] of tang.entries()) {
      const at = [...path, 'clevis', 'tang', number]
      const scheme = parseGoUrl(url)?.scheme
      if (scheme !== 'http' && scheme !== 'https')
        error([...at, 'url'], 'a Tang server has an http: or https: URL')
      if (thumbprint === '') error([...at, 'thumbprint'], 'a thumbprint is wanted')
      if (advertisement !== '' && !isJson(advertisement)) error([...at, 'advertisement'], 'this is not JSON')
    }
    if (!cex?.enabled) continue
    if (isCustom || isUsual) error([...path, 'cex'], 'cex does not go with clevis')
    if (keyFile?.source) error([...path, 'cex'], 'cex does not go with a key file')
  }
}

function customRules(
  custom: { readonly config?: string; readonly needsNetwork?: boolean; readonly pin?: string },
  path: readonly (string | number)[],
  spec: number,
  { error }: Report,
): void {
  const { config = '', needsNetwork = false, pin = '' } = custom
  if (config === '' && pin === '' && (spec < 3 || !needsNetwork)) return
  if (pin === '' && spec >= 3) error([...path, 'pin'], 'a pin is wanted')
  else if (spec < 6 && !PINS.has(pin)) error([...path, 'pin'], `"${pin}" is not a pin that this spec knows`)
  if (config === '') error([...path, 'config'], 'the pin needs a config')
}

const PINS: ReadonlySet<string> = new Set(['tpm2', 'tang', 'sss'])

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The index of the first value that was there before; -1 when all differ. */
function secondOf(values: readonly (string | Integer | undefined)[]): number {
  return values.findIndex((value, index) => value !== undefined && values.indexOf(value) < index)
}
