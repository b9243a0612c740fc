// Which firmware, network cards and disk controllers are the live system installed with, and started from? QEMU emulates what it
// can: each row is one machine that boots over the network (with the card igb: from a medium), installs itself, reports ready, is
// shut down by its power button, starts from its disk and reports ready again. A record has a line a row; rows that passed there are
// skipped, so the same command goes on after an interruption. The table of docs/firmware.md is written from the record.
//
//   sudo node_modules/.bin/node bench/machines/firmware-matrix.ts docs/runs/DATE-firmware-matrix.jsonl [--only ROW,ROW] [--again] [--table]
//
// `--table` only writes the page. For the card igb QEMU 8 or newer is needed: PILOTLIGHT_QEMU=/path/of/qemu-system-x86_64.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { messageOf } from '#progress/wait.ts'
import { OneMachine, qemuVersion } from './one-machine.ts'
import { circumstances, openRecord, recordPath, type Circumstances } from '../record.ts'

const PAGE = join(import.meta.dirname, '../../docs/firmware.md')
const INSTALL_SECONDS = 2400
const BOOT_SECONDS = 1200

/** What a row has; `system` is where it is installed when its disk cannot be started from. */
type Row = {
  readonly firmware: 'bios' | 'uefi'
  readonly card: string
  readonly disk: string
  readonly system?: string
}

/** Each card and each disk with each firmware, and each card with two disks. OVMF has no driver for megasas. */
const ROWS: readonly Row[] = [
  { firmware: 'bios', card: 'e1000e', disk: 'nvme' },
  { firmware: 'bios', card: 'vmxnet3', disk: 'ahci' },
  { firmware: 'bios', card: 'virtio', disk: 'megasas' },
  { firmware: 'bios', card: 'igb', disk: 'virtio' },
  { firmware: 'uefi', card: 'e1000e', disk: 'ahci' },
  { firmware: 'uefi', card: 'vmxnet3', disk: 'virtio' },
  { firmware: 'uefi', card: 'virtio', disk: 'nvme' },
  { firmware: 'uefi', card: 'igb', disk: 'megasas', system: 'ahci' },
]

/** One line of the record. */
type Outcome = Row &
  Circumstances & {
    readonly row: string
    readonly qemu: string
    readonly passed: boolean
    /** Seconds from power-on to ready while installing; of it, the writing; from power-on to ready from the disk. */
    readonly seconds?: { readonly installed: number; readonly again: number; readonly off: number }
    /** How the power button ended: the system shut down, or its power was cut. */
    readonly off?: string
    readonly why?: string
    /** What failed is this command and not the machine: the page leaves it out. */
    readonly ownFault?: boolean
  }

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    again: { type: 'boolean', default: false },
    table: { type: 'boolean', default: false },
  },
})
const path = recordPath(positionals, 'firmware-matrix')

const nameOf = ({ firmware, card, disk }: Row) => `${firmware}-${card}-${disk}`
const record = openRecord<Outcome>(path)

if (!flags.table) {
  const passed = new Set(record.lines().flatMap(it => (isWhole(it) ? [it.row] : [])))
  const only = flags.only?.split(',')
  for (const row of ROWS) {
    const name = nameOf(row)
    if (only && !only.includes(name)) continue
    if (passed.has(name) && !flags.again) {
      console.log(`${name}: passed before`)
      continue
    }
    const outcome = await tried(row)
    record.add(outcome)
    console.log(`${name}: ${outcome.passed ? JSON.stringify(outcome.seconds) : outcome.why}`)
    if (!isWhole(outcome)) process.exitCode = 1
  }
}
writePage(record.lines())

/** Whether all of it worked, the power button as well. */
function isWhole({ passed, off }: Outcome): boolean {
  return passed && off === 'shut down'
}

/** One row from nothing to ready from the disk; what fails is its outcome, and leaves the lab's logs. */
async function tried(row: Row): Promise<Outcome> {
  const about = { row: nameOf(row), ...row, ...circumstances(), qemu: await qemuVersion() }
  const lab = `matrix-${ROWS.indexOf(row) + 1}`
  let machine: OneMachine | undefined
  try {
    const { firmware, card, disk, system } = row
    // The smallest disk is taken: what can be started from.
    const disks = [...(system === undefined ? [] : [{ type: system, gib: 17 }]), { type: disk, gib: 18 }]
    // QEMU has no boot ROM for it, and iPXE on a medium sees no link (docs/firmware.md).
    const medium = card === 'igb' ? { medium: 'pilotlight' as const } : {}
    machine = await OneMachine.make(lab, { firmware, network: card, disks, ...medium })
    await machine.declare('install')
    await machine.powerOn()
  } catch (error) {
    return { ...about, ...(await failure(error)), ownFault: true } // no machine ran
  }
  try {
    const result = await installed(machine)
    await machine.remove({ keepLogs: false })
    return { ...about, passed: true, ...result }
  } catch (error) {
    const ownFault = error instanceof ReferenceError || error instanceof TypeError ? { ownFault: true } : {}
    return { ...about, ...(await failure(error)), ...ownFault }
  }

  async function failure(error: unknown): Promise<Pick<Outcome, 'passed' | 'why'>> {
    const left = await machine?.remove({ keepLogs: true }).catch(messageOf) // the next try takes it down
    const whys = [messageOf(error).slice(0, 1000), ...(left === undefined ? [] : [left.slice(0, 300)])]
    return { passed: false, why: `${whys.join('; ')} (lab-state/${lab})` }
  }
}

/** From its first power-on, which was given, to ready from the disk. */
async function installed(machine: OneMachine): Promise<Pick<Outcome, 'seconds' | 'off'>> {
  const first = await machine.ready(INSTALL_SECONDS)
  if (!/from slot a of .*, installed in this boot/.test(first.booted))
    throw new Error(`it did not install itself: ${first.booted}`)

  const offAt = performance.now()
  const off = await machine.powerOff('button')
  const offSeconds = Math.round((performance.now() - offAt) / 1000)
  await machine.powerOn()
  const again = await machine.ready(BOOT_SECONDS)
  if (!/from slot a of \S+ \([0-9a-f]{12}\)(?!, )/.test(again.booted))
    throw new Error(`it did not start from its disk: ${again.booted}`)
  return {
    off: off ?? 'was off',
    seconds: { installed: Math.round(first.seconds), off: offSeconds, again: Math.round(again.seconds) },
  }
}

/** Puts the last outcome of each row into the page, between its two marks. */
function writePage(all: readonly Outcome[]): void {
  const lines = ROWS.map(row => {
    const last = all.findLast(it => it.row === nameOf(row) && !it.ownFault)
    const { firmware, card, disk, system } = row
    const place = system === undefined ? disk : `${disk} as data, ${system} as system`
    const cells = [firmware === 'bios' ? 'SeaBIOS' : 'OVMF', card, place, ...resultOf(last)]
    return `| ${cells.join(' | ')} |`
  })
  const head = [
    '| firmware | card | disk | result | install to ready | from disk to ready | date, commit, QEMU, load |',
    '|---|---|---|---|---|---|---|',
  ]
  const text = readFileSync(PAGE, 'utf8')
  const [before = '', rest = ''] = text.split('<!-- matrix -->\n')
  const [, after = ''] = rest.split('<!-- end of matrix -->\n')
  const table = [...head, ...lines].join('\n')
  writeFileSync(PAGE, `${before}<!-- matrix -->\n\n${table}\n\n<!-- end of matrix -->\n${after}`)
}

function resultOf(last: Outcome | undefined): string[] {
  if (last === undefined) return ['not run yet', '', '', '']
  const where = `${last.date.slice(0, 10)}, ${last.commit}, ${last.qemu}, ${last.load}`
  if (!last.passed) {
    const why = (last.why ?? '').split('\n')[0]?.replaceAll('|', '/').slice(0, 160) ?? ''
    return [`failed: ${why}`, '', '', where]
  }
  const { installed = 0, again = 0 } = last.seconds ?? {}
  return [
    `works${last.off === 'cut' ? '; its power button did not work' : ''}`,
    `${installed} s`,
    `${again} s`,
    where,
  ]
}
