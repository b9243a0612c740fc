// The `disk` and `hardware` of a site file: what holds for every machine, and what one machine has instead.

import {
  DISK_ENCRYPTIONS,
  DISK_TYPES,
  LEAST_DISK_BYTES,
  MOST_DISK_BYTES,
  matchSchema,
  type DiskChoice,
  type DiskMatch,
  type MachineDisk,
} from '#model/disk.ts'
import { HARDWARE, type Machine } from '#model/machine.ts'
import type { Path, YamlReader } from './document.ts'
import { choiceOf, readBoolean } from './read-fields.ts'
import { SITE_KEYS } from './site-keys.ts'

/** What a site file says of a machine beside who it is: its own, or that of the file. */
export type MachineBuild = { readonly disk?: MachineDisk; readonly hardware?: Machine['hardware'] & string }

const DISK_REMEDY =
  'write  disk: none  to run from RAM, or  disk: { match: { type: nvme } } ; without the key the smallest empty disk is taken'
const MATCH_REMEDY =
  'give at least one of by-id serial model type minSize, or leave  match  out: the smallest empty disk is then taken'
const SIZE_REMEDY = 'write a number with GB, TB, GiB or TiB, for example  minSize: 100GB'

/** Reads `disk` and `hardware` of the mapping at `path`. */
export function readBuild(reader: YamlReader, path: Path): MachineBuild {
  const disk = readDisk(reader, [...path, 'disk'])
  const hardware = choiceOf(
    reader,
    [...path, 'hardware'],
    HARDWARE,
    'server: all drivers; vm: those of virtual machines alone',
  )
  return { ...(disk === undefined ? {} : { disk }), ...(hardware === undefined ? {} : { hardware }) }
}

function readDisk(reader: YamlReader, path: Path): MachineDisk | undefined {
  if (!reader.has(path)) return undefined
  if (!reader.isMap(path)) {
    if (reader.plain(path) === null) {
      reader.complain('PL-1003', path, 'says nothing', DISK_REMEDY)
      return undefined
    }
    const text = reader.isList(path) ? undefined : reader.text(path)
    if (text === 'none') return 'none'
    if (reader.isList(path)) reader.complain('PL-1004', path, 'must be none or a mapping', DISK_REMEDY)
    else if (text !== undefined)
      reader.complain('PL-1004', path, `"${text}" is neither none nor a mapping`, DISK_REMEDY)
    return undefined
  }
  reader.expectKeys(path, Object.keys(SITE_KEYS.disk.keys))
  if (reader.keys(path).length === 0) reader.complain('PL-1003', path, 'says nothing', DISK_REMEDY)
  const at = (key: string): Path => [...path, key]
  const match = readMatch(reader, at('match'))
  const mirror = readBoolean(reader, at('mirror'))
  const overwrite = readBoolean(reader, at('overwrite'))
  const encryptions =
    'no: not encrypted; tpm: its TPM opens it; server: the server does; auto: the TPM where there is one, else the server'
  const encrypt = choiceOf(reader, at('encrypt'), DISK_ENCRYPTIONS, encryptions) ?? 'no'
  expectSense(reader, path, match, { mirror, overwrite })
  return { match, explicit: true, mirror, encrypt, overwrite }
}

function readMatch(reader: YamlReader, path: Path): DiskMatch {
  if (!reader.has(path)) return {}
  if (!reader.expectKeys(path, Object.keys(SITE_KEYS.disk.keys.match.keys))) return {}
  if (reader.keys(path).length === 0) reader.complain('PL-1003', path, 'no condition', MATCH_REMEDY)
  const at = (key: string): Path => [...path, key]
  const byId = named(reader, at('by-id'), 'byId')
  const serial = named(reader, at('serial'), 'serial')
  const model = named(reader, at('model'), 'model')
  const types = 'nvme; ssd: another disk without rotating platters; hdd: with them'
  const type = choiceOf(reader, at('type'), DISK_TYPES, types)
  const minSize = readSize(reader, at('minSize'))
  return {
    ...(byId === undefined ? {} : { byId }),
    ...(serial === undefined ? {} : { serial }),
    ...(model === undefined ? {} : { model }),
    ...(type === undefined ? {} : { type }),
    ...(minSize === undefined ? {} : { minSize }),
  }
}

const NAMED = {
  byId: {
    what: 'is not a name of a whole disk in /dev/disk/by-id',
    remedy: 'copy it from  ls /dev/disk/by-id , without a folder and not one that ends with -part1',
  },
  serial: {
    what: 'is not a serial number of a disk',
    remedy: 'copy it from  lsblk --nodeps --output NAME,SERIAL',
  },
  model: {
    what: 'is not a model of a disk',
    remedy: 'copy it from  lsblk --nodeps --output NAME,MODEL ; * is any text, ? one character',
  },
} as const

function named(reader: YamlReader, path: Path, key: keyof typeof NAMED): string | undefined {
  const given = reader.text(path)
  if (given === undefined) return undefined
  const text = key === 'byId' ? given.replace(/^\/dev\/disk\/by-id\//, '') : given
  if (new RegExp(matchSchema.properties[key].pattern).test(text)) {
    if (key !== 'byId' || !NEVER_TAKEN.test(text)) return text
    const what = `"${text}" is on USB, or made of other disks: no machine is installed to it`
    reader.complain('PL-1004', path, what, 'name a disk that is built in:  ls /dev/disk/by-id')
    return undefined
  }
  reader.complain('PL-1004', path, `"${given}" ${NAMED[key].what}`, NAMED[key].remedy)
  return undefined
}

/** Names that udev gives to what is never chosen: disks on USB, and device mapper and RAID by software. */
const NEVER_TAKEN = /^(usb|dm|md)-/

const UNITS: Readonly<Record<string, number>> = { GB: 1e9, TB: 1e12, GiB: 2 ** 30, TiB: 2 ** 40 }

function readSize(reader: YamlReader, path: Path): number | undefined {
  const text = reader.text(path)
  if (text === undefined) return undefined
  const [, number = '', unit = ''] = /^(\d{1,7}(?:\.\d{1,3})?)(GB|TB|GiB|TiB)$/.exec(text) ?? []
  const bytes = Math.ceil(Number(number) * (UNITS[unit] ?? 0))
  if (number === '') reader.complain('PL-1004', path, `"${text}" is not a size of a disk`, SIZE_REMEDY)
  else if (bytes < LEAST_DISK_BYTES) {
    const what = `${text} is less than 16GiB, which a disk has at least in any case`
    reader.complain('PL-1004', path, what, 'leave it out, or ask for more')
  } else if (bytes > MOST_DISK_BYTES)
    reader.complain('PL-1004', path, `${text} is more than 1000TB, which no disk has`, SIZE_REMEDY)
  else return bytes
  return undefined
}

/** Complains about keys of a disk that cannot hold together. */
function expectSense(
  reader: YamlReader,
  path: Path,
  match: DiskMatch,
  { mirror, overwrite }: Pick<DiskChoice, 'mirror' | 'overwrite'>,
): void {
  const one = match.byId === undefined ? (match.serial === undefined ? undefined : 'serial') : 'by-id'
  const others = reader.keys([...path, 'match']).filter(key => key !== one)
  if (one !== undefined && others.length > 0) {
    const what = `${one} names one disk, and ${others.join(' and ')} can only exclude it`
    reader.complain(
      'PL-1004',
      [...path, 'match', others[0] ?? ''],
      what,
      `keep  ${one}  alone, or leave it out`,
    )
  }
  if (one !== undefined && mirror) {
    const remedy = 'match two disks by model, type or minSize, or leave  mirror  out'
    reader.complain('PL-1004', [...path, 'mirror'], `a mirror takes two disks, and ${one} names one`, remedy)
  }
  if (overwrite && !reader.has([...path, 'match'])) {
    const what = 'without a match it would delete the smallest disk of each machine, whatever is on it'
    const remedy = 'say which disk may be lost, for example  match: { type: nvme }'
    reader.complain('PL-1004', [...path, 'overwrite'], what, remedy)
  }
}

/** A disk of a machine, and where the file says it. */
export type PlacedDisk = {
  readonly name: string
  readonly hardware: string
  readonly disk: MachineDisk
  /** Of its `disk`, which may be that of the file. */
  readonly path: Path
}

/** Complains where one physical disk is that of two machines. Virtual machines have such names in common (QM00001). */
export function expectOwnDisks(reader: YamlReader, machines: readonly PlacedDisk[]): void {
  const seen = new Map<string, string>()
  for (const { name, hardware, disk, path } of machines) {
    // With other conditions beside it, it has been complained about.
    if (disk === 'none' || hardware === 'vm' || Object.keys(disk.match).length !== 1) continue
    const key = disk.match.byId === undefined ? 'serial' : 'by-id'
    const value = disk.match.byId ?? disk.match.serial
    if (value === undefined) continue
    const first = seen.get(`${key} ${value}`)
    if (first === undefined) {
      seen.set(`${key} ${value}`, name)
      continue
    }
    const remedy = `write it below  machines , for the one machine that has this disk; or say  hardware: vm  where virtual disks are called alike`
    const what = `${value} is one disk, and both ${first} and ${name} would be installed to it`
    reader.complain('PL-1007', [...path, 'match', key], what, remedy)
    if (path.length === 1) return // the file's own: one complaint, not one for each machine
  }
}
