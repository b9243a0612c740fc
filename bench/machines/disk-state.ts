// What a disk holds after a power cut during an install, read from a file by sgdisk, wipefs, mtools and debugfs without privilege. One of:
//   blank       nothing that wipefs knows: the network boot installs
//   begun       a partition table without our partitions, and nothing that firmware starts: the server knows that an install began there
//   unfinished  our partitions, machine.json of this machine without a version, nothing that firmware starts: it installs again
//   unnamed     the same without machine.json: the initrd takes it for unfinished, too, and a disk of another machine never looks so
//   whole       firmware starts something, and all that it needs is there with the right digests
//   wrong       anything else: half a system that would be started, or a disk that no boot would install to

import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync, rmSync } from 'node:fs'
import type { Slot } from '#model/slot.ts'

/** Bytes of a sector in a partition table. */
export const SECTOR = 512

/** A disk as a file, and the file that its state partition is in, from a byte on. */
export type Disk = {
  readonly file: string
  readonly state?: { readonly file: string; readonly offset: number }
}

/** What is to be on the disk. */
export type Expected = { readonly slot: Slot; readonly firmware: 'bios' | 'uefi' }

/** A state of the list above, and why it is wrong. */
export type DiskState = {
  readonly state: 'blank' | 'begun' | 'unnamed' | 'unfinished' | 'whole' | 'wrong'
  readonly why: string
}

/** The first sector of a partition in what sgdisk prints; NaN when there is none. */
export function partitionStart(table: string, number: number): number {
  return Number(new RegExp(`^ +${number} +(\\d+)`, 'm').exec(table)?.[1] ?? Number.NaN)
}

/** What a boot would find. */
export function look(disk: Disk, { slot, firmware }: Expected): DiskState {
  const known = run('wipefs', ['--noheadings', '--output', 'TYPE', disk.file])
  if (known === '') return { state: 'blank', why: '' }
  const table = run('sgdisk', ['--print', disk.file])
  const start = (number: number) => partitionStart(table, number)
  const uefi = firmware === 'uefi'
  if (Number.isNaN(start(7))) {
    const bare = known.split(/\s+/).every(type => ['gpt', 'PMBR', 'dos'].includes(type))
    if (bare && !/^ +\d/m.test(table) && (uefi || bootCode(disk.file) === undefined))
      return { state: 'begun', why: '' }
    return { state: 'wrong', why: `wipefs knows ${known}, and the table is not ours:\n${table}` }
  }
  const state = disk.state ?? { file: disk.file, offset: start(7) * SECTOR }
  const machine = json(stateFile(state, '/pilotlight/machine.json'))
  const startsBy = uefi ? espFile(disk.file, start(2), '/EFI/BOOT/BOOTX64.EFI') : bootCode(disk.file)
  if (startsBy === undefined) {
    if (machine === undefined) return { state: 'unnamed', why: '' }
    if (machine['version'] === undefined) return { state: 'unfinished', why: '' }
    return { state: 'wrong', why: 'machine.json has a version, and firmware starts nothing' }
  }
  if (startsBy.every(byte => byte === 0)) return { state: 'wrong', why: 'a BIOS hangs in its first sector' }
  const faults = [
    ...partition(slot, disk.file, start(3), 'rootfs.squashfs'),
    ...partition(slot, disk.file, start(4), 'rootfs.verity'),
    ...label(slot, disk.file, 3, slot.roothash.slice(0, 32)),
    ...label(slot, disk.file, 4, slot.roothash.slice(32)),
    ...started({ slot, firmware }, disk.file, start(2), startsBy),
  ]
  for (const path of ['/pilotlight/config.ign', '/pilotlight/machine.key', '/etc/pilotlight/authorization']) {
    if ((stateFile(state, path)?.length ?? 0) === 0) faults.push(`${path} is missing or empty`)
  }
  if (json(stateFile(state, '/pilotlight/config.ign'))?.['ignition'] === undefined)
    faults.push('config.ign cannot be read')
  return faults.length === 0
    ? { state: 'whole', why: '' }
    : { state: 'wrong', why: `firmware starts it, but ${faults.join('; ')}` }
}

/** What is wrong with what the loader would start. */
function started({ slot, firmware }: Expected, disk: string, esp: number, startsBy: Buffer): string[] {
  if (firmware === 'uefi') {
    const kernels = run('mdir', ['-b', '-i', `${disk}@@${esp * SECTOR}`, '::/EFI/Linux'])
      .split('\n')
      .filter(line => line.endsWith('.efi'))
    const name = kernels[0]?.slice(2) ?? ''
    return [
      ...digest(slot, startsBy, 'systemd-bootx64.efi'),
      ...(kernels.length === 1
        ? digest(slot, espFile(disk, esp, name), 'pilotlight.efi')
        : [`${kernels.length} kernels on the ESP`]),
    ]
  }
  return [
    ...digest(slot, espFile(disk, esp, `/pilotlight/${slot.version}/vmlinuz`), 'vmlinuz'),
    ...digest(slot, espFile(disk, esp, `/pilotlight/${slot.version}/microcode.img`), 'microcode.img'),
    ...digest(slot, espFile(disk, esp, `/pilotlight/${slot.version}/initrd.img`), 'initrd.img'),
    ...digest(slot, espFile(disk, esp, '/grub/grub.cfg'), 'grub/grub.cfg'),
    ...(espFile(disk, esp, '/grub/grubenv')?.includes(`new=${slot.version}\n`)
      ? []
      : ['grubenv does not name the version']),
  ]
}

/**
 * The first bytes of a disk that a BIOS runs: those before the two bytes 55 aa. A first instruction int 0x18 makes it try the next device; zeros
 * make it hang.
 */
function bootCode(disk: string): Buffer | undefined {
  const sector = Buffer.alloc(SECTOR)
  const file = openSync(disk, 'r')
  readSync(file, sector, 0, SECTOR, 0)
  closeSync(file)
  if (sector.readUInt16BE(SECTOR - 2) !== 0x55aa || sector.readUInt16BE(0) === 0xcd18) return undefined
  return sector.subarray(0, 440)
}

function partition(slot: Slot, disk: string, start: number, name: string): string[] {
  const bytes = slot.files[name]?.bytes ?? 0
  const file = openSync(disk, 'r')
  const hash = createHash('sha256')
  const buffer = Buffer.alloc(1 << 22)
  for (let at = 0; at < bytes; at += buffer.length) {
    const read = readSync(file, buffer, 0, Math.min(buffer.length, bytes - at), start * SECTOR + at)
    hash.update(buffer.subarray(0, read))
  }
  closeSync(file)
  return hash.digest('hex') === slot.files[name]?.sha256
    ? []
    : [`${name} in its partition has another digest`]
}

function label(slot: Slot, disk: string, number: number, uuid: string): string[] {
  const info = run('sgdisk', [`--info=${number}`, disk])
  const named = info.includes(`'pilotlight_${slot.version}'`)
  const id = (/GUID: ([0-9A-F-]{36})\n.*\n/.exec(info.slice(info.indexOf('unique')))?.[1] ?? '')
    .replaceAll('-', '')
    .toLowerCase()
  return [
    ...(named ? [] : [`partition ${number} has another label`]),
    ...(id === uuid ? [] : [`partition ${number} has the UUID ${id}`]),
  ]
}

function digest(slot: Slot, content: Buffer | undefined, name: string): string[] {
  if (content === undefined) return [`${name} is missing`]
  return createHash('sha256').update(content).digest('hex') === slot.files[name]?.sha256
    ? []
    : [`${name} has another digest`]
}

/** A file of the ESP. */
function espFile(disk: string, start: number, path: string): Buffer | undefined {
  const { status, stdout } = spawnSync('mtype', ['-i', `${disk}@@${start * SECTOR}`, `::${path}`], {
    maxBuffer: 1 << 28,
    env: { ...process.env, MTOOLS_SKIP_CHECK: '1' },
  })
  return status === 0 ? stdout : undefined
}

/** A file of the state partition, after its journal was replayed, as the kernel does when it mounts. */
function stateFile({ file, offset }: { file: string; offset: number }, path: string): Buffer | undefined {
  const copy = `${file}.copy`
  execFileSync('cp', ['--sparse=auto', file, copy])
  const place = offset === 0 ? copy : `${copy}?offset=${offset}`
  spawnSync('e2fsck', ['-y', '-E', 'journal_only', place])
  const { stdout, stderr } = spawnSync('debugfs', ['-R', `cat ${path}`, place], { maxBuffer: 1 << 26 })
  rmSync(copy)
  return stdout.length === 0 && /not found|not open|Bad magic/.test(stderr.toString()) ? undefined : stdout
}

function json(text: Buffer | undefined): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text?.toString() ?? '') as Record<string, unknown>
  } catch {
    return undefined
  }
}

/** What a program prints; it may end with any status. */
export function run(program: string, words: readonly string[]): string {
  const { stdout, error } = spawnSync(program, words, { encoding: 'utf8', maxBuffer: 1 << 26 })
  if (error) throw error
  return stdout.trim()
}
