// What does an install cost, and where does its time go? The same emulated machine boots without its disk as far as `ready`, then
// installs itself in a network boot and goes on to `ready` from its disk, then starts from the disk; all three in one run.
//
//   sudo node_modules/.bin/node bench/machines/install.ts docs/runs/DATE-install.jsonl [--only bios|uefi] [--again]
//
// A record has a line a firmware; a firmware that is there is skipped, unless with --again. Ends with 1 where the install takes more than
// 2.5 times the boot without a disk. Seconds are those of the server's journal, from the power-on;
// those in brackets are what QEMU has used of the processors.

import { parseArgs } from 'node:util'
import { OneMachine, qemuVersion, type MachineBoot, type Spent } from './one-machine.ts'
import { circumstances, loadNow, openRecord, recordPath, type Circumstances } from '../record.ts'

const BAR = 2.5
const LIMIT_SECONDS = 2400

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, again: { type: 'boolean', default: false } },
})
const path = recordPath(positionals, 'install')

/** One line of the record. */
type Times = Circumstances & {
  readonly qemu: string
  readonly firmware: 'bios' | 'uefi'
  /** Of the last minute, when each of the three boots was ready. */
  readonly loads: readonly number[]
  readonly diskless: MachineBoot
  readonly install: MachineBoot
  readonly fromDisk: MachineBoot
  readonly ratio: number
  /** Whether it shut down by its power button after each boot. */
  readonly off: readonly string[]
}

const record = openRecord<Times>(path)
for (const firmware of ['bios', 'uefi'] as const) {
  if (flags.only !== undefined && flags.only !== firmware) continue
  const before = flags.again ? undefined : record.lines().find(it => it.firmware === firmware)
  const times = before ?? (await measured(firmware))
  if (before === undefined) record.add(times)
  show(times)
  if (times.ratio > BAR) process.exitCode = 1
}

async function measured(firmware: 'bios' | 'uefi'): Promise<Times> {
  const about = { ...circumstances(), qemu: await qemuVersion() }
  const machine = await OneMachine.make(`install-${firmware}`, {
    firmware,
    disks: [{ type: 'virtio', gib: 17 }],
  })
  const loads: number[] = []
  const off: string[] = []
  let whole = false
  try {
    const diskless = await boot('none', /is up(?!, from slot)/)
    const install = await boot('install', /from slot a of .*, installed in this boot/)
    const fromDisk = await boot('install', /from slot a of \S+ \([0-9a-f]{12}\)(?!, )/)
    whole = true
    const ratio = Math.round((install.seconds / diskless.seconds) * 100) / 100
    return { firmware, ...about, loads, off, ratio, diskless, install, fromDisk }
  } finally {
    await machine.remove({ keepLogs: !whole })
  }

  async function boot(disk: 'install' | 'none', wanted: RegExp): Promise<MachineBoot> {
    await machine.declare(disk)
    await machine.powerOn()
    const boot = await machine.ready(LIMIT_SECONDS)
    loads.push(loadNow())
    if (!wanted.test(boot.booted)) throw new Error(`not the boot that was wanted: ${boot.booted}`)
    off.push((await machine.powerOff('button')) ?? 'was off')
    return boot
  }
}

function show({ firmware, load, loads, diskless, install, fromDisk, ratio }: Times): void {
  const processor = (install.processor / diskless.processor).toFixed(2)
  console.log(
    `${firmware}: ${install.seconds} s against ${diskless.seconds} s without a disk: ${ratio} times (bar ${BAR}); ` +
      `load ${load} at the start, then ${loads.join(', ')}; ` +
      `${install.processor} against ${diskless.processor} processor seconds: ${processor} times`,
  )
  const parts = new Set([diskless, install, fromDisk].flatMap(it => Object.keys(it.parts)))
  const columns = { 'no disk': diskless, install, 'from the disk': fromDisk }
  console.table(
    Object.fromEntries(
      [...parts].map(part => [
        part,
        Object.fromEntries(Object.entries(columns).map(([name, it]) => [name, textOf(it.parts[part])])),
      ]),
    ),
  )
}

/** Seconds, and processor seconds in brackets. */
function textOf(spent: Spent | undefined): string {
  return spent === undefined ? '' : `${spent.seconds} (${spent.processor})`
}
