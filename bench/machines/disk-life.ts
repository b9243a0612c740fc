// What happens to an installed machine in its years: its firmware tries the network first, its mainboard is replaced, its clock is ten
// years off, an operator has it installed again, a disk of its mirror dies and comes back, it is wiped. One machine in QEMU with a real server goes
// through one after the other; its mirror is another machine.
//
//   sudo node_modules/.bin/node bench/machines/disk-life.ts docs/runs/DATE-disk-life.jsonl [--only bios|uefi] [--steps STEP,STEP] [--encrypt]
//     [--again]
//
// With --encrypt the state partition is encrypted: with UEFI by the key in a TPM, with BIOS by the server's.
// A record has a line a step. A step that passed there is not checked again; the machine is made anew in each run, so what a step needs (an
// install) is done again. Ends with 1 where a step failed; the ones behind it are tried all the same, each with a machine that is
// installed.

import { closeSync, openSync, readSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { waitUntil } from '#progress/wait.ts'
import { attempted, OneMachine, qemuVersion, type Hardware, type MachineBoot } from './one-machine.ts'
import { circumstances, openRecord, recordPath, type Circumstances } from '../record.ts'

const INSTALL_SECONDS = 1800
const BOOT_SECONDS = 1200
const WIPE_SECONDS = 2400
const FROM_DISK = /is up( again)?, from slot [ab] of \S+ \([0-9a-f]{12}\)(?!, installed)/
const INSTALLED = /from slot a of .*, installed in this boot/
/** An initrd's `uname` that names another kernel once a slot is mounted, unless the disk brought the kernel. */
const OTHER_KERNEL = `#!/bin/sh
case "$1 $(cat /proc/cmdline) " in
    *" pilotlight.disk "*) ;;
    "-r "*) [ ! -d /run/live/ro/usr ] || { echo 0.0.0-other; exit; } ;;
esac
[ "$1" = -m ] && echo x86_64 || cat /proc/sys/kernel/osrelease
`
const NO_KEXEC = '#!/bin/sh\necho kexec: refused by the bench >&2\nexit 1\n'

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    steps: { type: 'string' },
    encrypt: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
  },
})
const path = recordPath(positionals, 'disk-life')

type Firmware = Hardware['firmware']
/** One line of the record. */
type Outcome = Circumstances & {
  readonly qemu: string
  readonly firmware: Firmware
  /** The state partition is encrypted. */
  readonly encrypt?: boolean
  readonly step: string
  readonly passed: boolean
  readonly seconds: number
  /** What the machine said in the end. */
  readonly said?: string
  readonly why?: string
}
/** What a step does with a machine that is installed and on; gives what it said in the end. */
type Step = (machine: OneMachine) => Promise<string>

/** In this order, with one machine. */
const STEPS: Readonly<Record<string, Step>> = {
  'network first': async machine => {
    await machine.powerOff('button')
    machine.change({ boot: 'network' })
    return fromDisk(machine)
  },
  'another mainboard': async machine => {
    await machine.powerOff('button')
    machine.change({ boot: 'network', uuid: uuidOf(99) })
    const said = await fromDisk(machine)
    const grant = (await machine.events()).find(({ text }) => text.includes('installed in other hardware'))
    if (grant === undefined) throw new Error('the journal has no grant for the disk of the old mainboard')
    await machine.powerOff('button')
    machine.change({ boot: 'disk' })
    await fromDisk(machine)
    return `${grant.text}; ${said}`
  },
  // Each with another UUID, since the server sends a machine that it knows to its disk.
  'another kernel by kexec': async machine => ownKernel(machine, { uuid: uuidOf(98), by: 'kexec' }),
  'another kernel by a restart': async machine => ownKernel(machine, { uuid: uuidOf(97), by: 'restart' }),
  'clock of 2016': async machine => {
    await machine.powerOff('button')
    machine.change({ boot: 'disk', clock: '2016-01-01T00:00:00' })
    const said = await fromDisk(machine)
    if (!/clock/.test(said)) throw new Error(`the journal does not say that the clock was wrong: ${said}`)
    return said
  },
  reinstall: async machine => {
    await machine.client.order({ verb: 'reinstall', machines: [machine.name], count: 1, breakQuorum: false })
    await machine.powerOff('button')
    machine.change({ boot: 'network' })
    await machine.powerOn()
    return expectBoot(await machine.ready(INSTALL_SECONDS), INSTALLED)
  },
  wipe: async machine => {
    await machine.client.order({ verb: 'wipe', machines: [machine.name], count: 1, breakQuorum: false })
    await machine.powerOff('button')
    machine.change({ boot: 'network' })
    await machine.powerOn()
    const said = await event(machine, 'wiped', WIPE_SECONDS)
    await waitUntil('it is off', { limitSeconds: 180, everyMs: 1000 }, async () =>
      machine.isOn() ? { not: 'it is on' } : { value: true },
    )
    if (!beginOf(join(machine.directory, 'disk.img')).startsWith('pilotlight: wiped'))
      throw new Error(`the disk does not say that it was wiped: ${said}`)
    return said
  },
}

const CHOICE = flags.encrypt ? ({ encrypt: 'auto' } as const) : {}
const record = openRecord<Outcome>(path)
const only = flags.steps?.split(',')
for (const firmware of ['bios', 'uefi'] as const) {
  if (flags.only !== undefined && flags.only !== firmware) continue
  const isPending = (step: string) =>
    (only?.includes(step) ?? true) &&
    (flags.again ||
      !record
        .lines()
        .some(it => it.passed && isOfThisRun(it) && it.firmware === firmware && it.step === step))
  const steps = Object.entries(STEPS).filter(([step]) => isPending(step))
  if (steps.length > 0) await inLife(firmware, steps)
  if (isPending('mirror')) await tried(firmware, 'mirror', () => mirrored(firmware))
}
for (const { firmware, step, passed, why } of record.lines().filter(isOfThisRun))
  console.log(`${firmware}, ${step}: ${passed ? 'passed' : why}`)

function isOfThisRun({ encrypt = false }: Outcome): boolean {
  return encrypt === flags.encrypt
}

/** A machine of that many disks, off; with `--encrypt` and UEFI it has a TPM. */
async function machineOf(name: string, firmware: Firmware, disks: number): Promise<OneMachine> {
  return OneMachine.make(`${name}-${firmware}`, {
    firmware,
    disks: Array.from({ length: disks }, () => ({ type: 'virtio', gib: 17 })),
    ...(flags.encrypt && firmware === 'uefi' && { tpm: true }),
  })
}

async function inLife(firmware: Firmware, steps: readonly (readonly [string, Step])[]): Promise<void> {
  const make = async () => {
    const machine = await machineOf('life', firmware, 1)
    await machine.declare('install', CHOICE)
    await machine.powerOn()
    expectBoot(await machine.ready(INSTALL_SECONDS), INSTALLED)
    return machine
  }
  let machine = await make()
  for (const [step, work] of steps) {
    if (await tried(firmware, step, () => work(machine))) continue
    await machine.remove({ keepLogs: true })
    if (step !== steps.at(-1)?.[0]) machine = await make()
  }
  await machine.remove({ keepLogs: false })
}

/** Installed to two disks; starts from the second one alone, and then from both. */
async function mirrored(firmware: Firmware): Promise<string> {
  const machine = await machineOf('mirror', firmware, 2)
  let whole = false
  try {
    await machine.declare('install', { mirror: true, ...CHOICE })
    await machine.powerOn()
    expectBoot(await machine.ready(INSTALL_SECONDS), INSTALLED)
    await machine.powerOff('button')
    const [first, second] = machine.hardware().disks ?? []
    const file = (name: string) => join(machine.directory, name)
    renameSync(file('disk.img'), file('away.img'))
    renameSync(file('disk-2.img'), file('disk.img'))
    machine.change({ disks: [second!] })
    const alone = await fromDisk(machine)
    if (!alone.includes('one disk of the mirror is missing'))
      throw new Error(`it does not say that a disk is missing: ${alone}`)
    await machine.powerOff('button')
    renameSync(file('disk.img'), file('disk-2.img'))
    renameSync(file('away.img'), file('disk.img'))
    machine.change({ disks: [first!, second!] })
    const both = await fromDisk(machine)
    if (!both.includes('was away, and catches up'))
      throw new Error(`it does not say that a disk came back: ${both}`)
    whole = true
    return `${alone}; ${both}`
  } finally {
    await machine.remove({ keepLogs: !whole })
  }
}

async function tried(firmware: Firmware, step: string, work: () => Promise<string>): Promise<boolean> {
  const encrypted = flags.encrypt ? ({ encrypt: true } as const) : {}
  const about = { ...circumstances(), qemu: await qemuVersion(), firmware, ...encrypted, step }
  const outcome = await attempted(work)
  const line = { ...about, ...outcome }
  record.add(line)
  if (!outcome.passed) process.exitCode = 1
  console.log(JSON.stringify(line))
  return outcome.passed
}

/** The first sector of a disk. */
function beginOf(disk: string): string {
  const file = openSync(disk, 'r')
  try {
    const sector = Buffer.alloc(512)
    readSync(file, sector)
    return sector.toString('latin1')
  } finally {
    closeSync(file)
  }
}

function uuidOf(number: number): string {
  return `5a0e7f00-0099-4000-8000-0000000000${number}`
}

/** Enters the disk by a network boot whose kernel is not the slot's. */
async function ownKernel(
  machine: OneMachine,
  { uuid, by }: { uuid: string; by: 'kexec' | 'restart' },
): Promise<string> {
  await machine.powerOff('button')
  const uname = { path: 'usr/bin/uname', mode: 0o755, content: OTHER_KERNEL }
  machine.overInitrd([
    uname,
    ...(by === 'restart' ? [{ path: 'usr/sbin/kexec', mode: 0o755, content: NO_KEXEC }] : []),
  ])
  machine.change({ boot: 'network', uuid })
  try {
    const said = await fromDisk(machine)
    if (!said.includes(`entered by a ${by} in `)) throw new Error(`it was not entered by a ${by}: ${said}`)
    return said
  } finally {
    machine.overInitrd([])
  }
}

async function fromDisk(machine: OneMachine): Promise<string> {
  await machine.powerOn()
  const boot = expectBoot(await machine.ready(BOOT_SECONDS), FROM_DISK)
  const installed = (await machine.events()).find(({ kind }) => kind === 'installing')
  if (installed) throw new Error(`something was installed: ${installed.text}`)
  return boot
}

function expectBoot({ booted }: MachineBoot, pattern: RegExp): string {
  if (!pattern.test(booted)) throw new Error(`not as it should have started: ${booted}`)
  return booted
}

async function event(machine: OneMachine, kind: string, limitSeconds: number): Promise<string> {
  return waitUntil(`it reports ${kind}`, { limitSeconds, everyMs: 1000 }, async () => {
    const events = await machine.events()
    const found = events.find(it => it.kind === kind)
    if (found) return { value: found.text }
    const failed = events.find(it => it.kind === 'failed')
    if (failed) throw new Error(`the machine reports: ${failed.text}`)
    return { not: events.at(-1)?.text ?? 'no event' }
  })
}
