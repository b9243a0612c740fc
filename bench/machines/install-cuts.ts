// Does a power cut at any moment of an install leave a disk that starts nothing, or a whole system? An install in QEMU is recorded
// write by write (QEMU's filter blklogwrites); then the disk is made again as it was after each of many prefixes of the record,
// once with all writes in order, and once as a disk with a volatile cache leaves it: everything up to the last flush, and any part of what
// came after it. None may be wrong (disk-state.ts).
//
//   node_modules/.bin/node bench/machines/install-cuts.ts --log FILE --slot FILE --size BYTES --firmware uefi|bios [--moments 200] [--seed 1]
//
// How a record is made: docs/runs/README.md. Linux with sgdisk, mtools, e2fsprogs, wipefs; no privilege.

import { execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { slotIn } from '#model/slot.ts'
import { look, partitionStart, run, SECTOR, type Disk as LookedAt } from './disk-state.ts'
import { sfc32 } from '../random.ts'

const { values: flags } = parseArgs({
  options: {
    log: { type: 'string', default: '' },
    slot: { type: 'string', default: '' },
    size: { type: 'string', default: String(17 * 1024 ** 3) },
    firmware: { type: 'string', default: 'uefi' },
    moments: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  },
})

const MAGIC = 0x6a736677736872n
const FLUSH = 1n
const DISCARD = 4n

/** One entry of the record: a write, whose data is at `at` in the file, or a flush. */
type Entry = {
  readonly kind: 'write' | 'flush'
  readonly sector: number
  readonly sectors: number
  readonly at: number
}

/** A disk as a file, and a copy of its state partition, from which the journal is replayed. */
type Disk = { readonly file: string; readonly state: string }

const log = openSync(flags.log, 'r')
const slot = slotIn(readFileSync(flags.slot, 'utf8'), what => new Error(`${flags.slot}: ${what}`))
const work = mkdtempSync(join(tmpdir(), 'install-cuts-'))
const firmware = flags.firmware === 'bios' ? 'bios' : 'uefi'
const random = sfc32(Number(flags.seed))

try {
  const entries = readEntries()
  const writes = entries.filter(({ kind }) => kind === 'write').length
  const moments = pick(entries, Number(flags.moments))
  const counts = new Map<string, number>()
  const wrong: string[] = []
  const whole = newDisk('whole', 0)
  apply(whole, entries, 0)
  const stateStart = partitionStart(run('sgdisk', ['--print', whole.file]), 7)
  const inOrder = newDisk('in-order', stateStart)
  const flushed = newDisk('flushed', stateStart)
  let done = 0
  let safe = 0 // entries that are in `flushed`
  for (const moment of moments) {
    apply(inOrder, entries.slice(done, moment), stateStart)
    done = moment
    judge(inOrder, `after ${moment} of ${entries.length} entries, in order`)
    const lastFlush = entries.slice(0, moment).findLastIndex(({ kind }) => kind === 'flush') + 1
    apply(flushed, entries.slice(safe, lastFlush), stateStart)
    safe = lastFlush
    const later = entries.slice(lastFlush, moment).filter(() => random() < 0.5)
    if (later.length === 0) continue
    const torn = newDisk('torn', stateStart)
    execFileSync('cp', ['--sparse=auto', flushed.file, torn.file])
    execFileSync('cp', ['--sparse=auto', flushed.state, torn.state])
    apply(torn, later, stateStart)
    judge(
      torn,
      `after ${moment} of ${entries.length} entries, with ${later.length} of those since the last flush`,
    )
  }
  const summary = [...counts].map(([state, count]) => `${count} ${state}`).join(', ')
  console.log(
    `${entries.length} entries, ${writes} of them writes; looked at ${[...counts.values()].reduce((a, b) => a + b, 0)} disks: ${summary}`,
  )
  for (const line of wrong) console.log(`WRONG ${line}`)
  if (wrong.length > 0 || !counts.has('whole') || !counts.has('blank')) process.exitCode = 1

  function judge(disk: Disk, when: string): void {
    const { state, why } = look(looked(disk), { slot, firmware })
    counts.set(state, (counts.get(state) ?? 0) + 1)
    if (state === 'wrong') wrong.push(`${when}: ${why}`)
  }
} finally {
  rmSync(work, { recursive: true })
}

/** The entries of a record in the format of dm-log-writes (Linux, Documentation/admin-guide/device-mapper/log-writes.rst). */
function readEntries(): Entry[] {
  const header = read(0, 28)
  if (header.readBigUInt64LE(0) !== MAGIC) throw new Error(`${flags.log} is not a record of writes`)
  const count = Number(header.readBigUInt64LE(16))
  const sectorBytes = header.readUInt32LE(24)
  const entries: Entry[] = []
  let at = sectorBytes
  for (let index = 0; index < count; index += 1) {
    const entry = read(at, 32)
    at += sectorBytes
    const kinds = entry.readBigUInt64LE(16)
    const scale = sectorBytes / SECTOR
    const sector = Number(entry.readBigUInt64LE(0)) * scale
    const sectors = Number(entry.readBigUInt64LE(8)) * scale
    if ((kinds & FLUSH) !== 0n) entries.push({ kind: 'flush', sector: 0, sectors: 0, at: 0 })
    if (sectors === 0 || (kinds & DISCARD) !== 0n) continue
    entries.push({ kind: 'write', sector, sectors, at })
    at += sectors * SECTOR
  }
  return entries
}

function read(at: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  readSync(log, buffer, 0, bytes, at)
  return buffer
}

/** Moments to look at: half of them around flushes, where what is on the disk changes its meaning, half anywhere. */
function pick(entries: readonly Entry[], count: number): number[] {
  const flushes = entries.flatMap(({ kind }, at) => (kind === 'flush' ? [at, at + 1] : []))
  const chosen = new Set<number>([0, entries.length])
  while (chosen.size < count && chosen.size <= entries.length) {
    const from = random() < 0.5 ? flushes : undefined
    chosen.add(from?.[Math.floor(random() * from.length)] ?? Math.floor(random() * entries.length))
  }
  return [...chosen].toSorted((a, b) => a - b)
}

/** An empty disk. */
function newDisk(name: string, stateStart: number): Disk {
  const disk = { file: join(work, `${name}.img`), state: join(work, `${name}.state`) }
  writeFileSync(disk.file, '')
  truncateSync(disk.file, Number(flags.size))
  writeFileSync(disk.state, '')
  truncateSync(disk.state, Number(flags.size) - stateStart * SECTOR - 34 * SECTOR)
  return disk
}

function apply(disk: Disk, entries: readonly Entry[], stateStart: number): void {
  const file = openSync(disk.file, 'r+')
  const state = openSync(disk.state, 'r+')
  for (const { kind, sector, sectors, at } of entries) {
    if (kind === 'flush') continue
    const bytes = read(at, sectors * SECTOR)
    writeSync(file, bytes, 0, bytes.length, sector * SECTOR)
    if (stateStart > 0 && sector >= stateStart)
      writeSync(state, bytes, 0, bytes.length, (sector - stateStart) * SECTOR)
  }
  closeSync(file)
  closeSync(state)
}

function looked({ file, state }: Disk): LookedAt {
  return { file, state: { file: state, offset: 0 } }
}
