// `live/slot.json` of the assets: which files make one slot of a machine's disk. images/ writes it, a server compares the files
// with it before a disk is written, and the machine does so again. docs/disk.md has the slots.

import { isRecord } from './record.ts'

/** A file of a slot: its SHA-256 in hexadecimal digits, and its length. */
export type SlotFile = { readonly sha256: string; readonly bytes: number }

/** What a `slot.json` holds. */
export type Slot = {
  /** The first twelve hexadecimal digits of the root hash: see {@link slotVersion}. */
  readonly version: string
  /** dm-verity's, of the root image: 64 hexadecimal digits. Its halves are the UUIDs of the slot's partitions. */
  readonly roothash: string
  /** The Kubernetes whose kubelet and images are in the root image, for example `1.36.3`. */
  readonly kubernetes?: string
  /** By their names beside `slot.json`, for example `grub/core.img`. */
  readonly files: Readonly<Record<string, SlotFile>>
  /** The kernel's command line when it boots from the disk. */
  readonly cmdline: string
}

/** The largest `slot.json` that is read: one of a dozen files takes about 2 KB. */
export const MOST_SLOT_BYTES = 64 << 10
/** How many files it may name, and how large each may be: a root partition has 3 GiB. */
const MOST_FILES = 32
const MOST_FILE_BYTES = 3 * 2 ** 30
/** What every slot has, whatever its loader. */
const NEEDED = ['rootfs.squashfs', 'vmlinuz', 'initrd.img'] as const
const HEX_64 = /^[0-9a-f]{64}$/
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)?$/
const KUBERNETES = /^\d+\.\d+\.\d+[A-Za-z0-9.+-]{0,40}$/

/** The version of a slot with this root hash: how partitions, loader entries and people name it. */
export function slotVersion(roothash: string): string {
  return roothash.slice(0, 12)
}

/**
 * Reads the text of a `slot.json`; fields that are not known here are kept.
 *
 * @param unfit makes the error that is thrown when it is not one, of what is wrong with it, for example `is not JSON`
 */
export function slotIn(text: string, unfit: (what: string) => Error): Slot {
  if (text.length > MOST_SLOT_BYTES) throw unfit(`is larger than ${MOST_SLOT_BYTES} bytes`)
  let slot: unknown
  try {
    slot = JSON.parse(text)
  } catch {
    throw unfit('is not JSON')
  }
  if (!isRecord(slot) || !isRecord(slot['files'])) throw unfit('has no files')
  const { version, roothash, cmdline, kubernetes } = slot
  if (typeof roothash !== 'string' || !HEX_64.test(roothash)) throw unfit('has no root hash of 64 digits')
  if (version !== slotVersion(roothash)) throw unfit('has a version that is not that of its root hash')
  if (typeof cmdline !== 'string' || !cmdline.split(' ').includes(`roothash=${roothash}`))
    throw unfit('has a command line without its root hash')
  if (kubernetes !== undefined && !(typeof kubernetes === 'string' && KUBERNETES.test(kubernetes)))
    throw unfit('has a version of Kubernetes that is not one')
  const files = Object.entries(slot['files'])
  if (files.length > MOST_FILES) throw unfit(`names ${files.length} files, more than ${MOST_FILES}`)
  for (const name of NEEDED) if (!files.some(([one]) => one === name)) throw unfit(`names no ${name}`)
  for (const [name, file] of files) requireFile(name, file, unfit)
  return slot as Slot // each field was checked above
}

function requireFile(name: string, file: unknown, unfit: (what: string) => Error): void {
  if (!NAME.test(name)) throw unfit(`names a file ${JSON.stringify(name.slice(0, 64))}`)
  const { sha256, bytes } = isRecord(file) ? file : {}
  if (typeof sha256 !== 'string' || !HEX_64.test(sha256)) throw unfit(`has no SHA-256 of ${name}`)
  if (typeof bytes !== 'number' || !Number.isInteger(bytes) || bytes < 0 || bytes > MOST_FILE_BYTES)
    throw unfit(`has no size of ${name} that fits a slot`)
}
