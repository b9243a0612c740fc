// Does an encrypted disk open where it should, and nowhere else? `tpm`: OVMF and systemd-boot, with a TPM 2.0 (swtpm); `server`: SeaBIOS
// and GRUB, without one. Each machine installs itself; its power is cut; then the server is off; then a copy of its disk is in a machine
// without TPM and network, and in one with another UUID; then another TPM is in its place.
//
//   sudo node_modules/.bin/node bench/machines/encrypted-disks.ts docs/runs/DATE-encrypted-disks.jsonl [--only tpm|server]
//
// A record has a line a step. Each step needs those before it: where one fails the rest is left out, and the lab's logs stay.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { words } from '#images/commands.ts'
import { waitUntil } from '#progress/wait.ts'
import { circumstances, openRecord, recordPath, type Circumstances } from '../record.ts'
import { attempted, OneMachine, qemuVersion } from './one-machine.ts'

const BOOT_SECONDS = 1500
/** What a report `booted` says of what opened the state. */
const OPENED = {
  tpm: 'its state opened by its TPM',
  server: 'its state opened by the key of the server',
} as const

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' } },
})
const path = recordPath(positionals, 'encrypted-disks')

type Holder = keyof typeof OPENED
type Step = Circumstances & {
  readonly qemu: string
  readonly encrypt: Holder
  readonly step: string
  readonly seconds: number
  readonly passed: boolean
  readonly shown: readonly string[]
}
const record = openRecord<Step>(path)

for (const encrypt of ['tpm', 'server'] as const) {
  if (flags.only !== undefined && flags.only !== encrypt) continue
  if (!(await tried(encrypt))) process.exitCode = 1
}

/** Goes through the steps with one machine; says whether all passed. */
async function tried(encrypt: Holder): Promise<boolean> {
  const machine = await OneMachine.make(`encrypted-${encrypt}`, {
    firmware: encrypt === 'tpm' ? 'uefi' : 'bios',
    disks: [{ type: 'virtio', gib: 17 }],
    ...(encrypt === 'tpm' && { tpm: true }),
  })
  let allPassed = false
  try {
    for (const [step, attempt] of stepsOf(encrypt, machine)) {
      const outcome = await attempted(attempt)
      const { passed, seconds } = outcome
      const shown = outcome.passed ? outcome.said : [outcome.why]
      record.add({ ...circumstances(), qemu: await qemuVersion(), encrypt, step, seconds, passed, shown })
      console.log(
        `${encrypt}: ${passed ? 'passed' : 'FAILED'} in ${seconds} s: ${step}\n  ${shown.join('\n  ')}`,
      )
      if (!passed) return false
    }
    allPassed = true
    return true
  } finally {
    await machine.remove({ keepLogs: !allPassed })
  }
}

type Steps = readonly (readonly [string, () => Promise<string[]>])[]

function stepsOf(encrypt: Holder, machine: OneMachine): Steps {
  const otherTpmSteps: Steps = [
    ['with another TPM: waits, and an operator lets the server open it', () => otherTpm(machine)],
    [
      'and the new TPM opens it from then on',
      async () => [await cut(machine), await ready(machine, OPENED.tpm)],
    ],
  ]
  return [
    ['installs itself encrypted, and is ready in the same boot', () => install(encrypt, machine)],
    [
      'after a power cut it is ready from its disk',
      async () => [await cut(machine), await ready(machine, OPENED[encrypt])],
    ],
    ...(encrypt === 'tpm' ? otherTpmSteps : []),
    ['without the server', () => serverOff(encrypt, machine)],
    [
      'without TPM and network: waits, takes no wrong key, and opens by the recovery key',
      () => recovery(encrypt, machine),
    ],
    ['in a machine with another UUID', () => otherUuid(machine)],
  ]
}

async function install(encrypt: Holder, machine: OneMachine): Promise<string[]> {
  await machine.declare('install', { explicit: true, encrypt })
  await machine.powerOn()
  const booted = await ready(machine, 'installed in this boot')
  const journal = await machine.journal()
  const key = `its state encrypted with a key ${encrypt === 'tpm' ? 'in its TPM' : 'of the server'}`
  return [...['into the server', key].map(it => found(journal, it)), booted]
}

/** Cuts its power, and gives it back. */
async function cut(machine: OneMachine): Promise<string> {
  const off = await machine.powerOff('plug')
  await machine.powerOn()
  return `power ${off}`
}

/** Waits for `ready`; what it reported when it was up, which has to have `text`. */
async function ready(machine: OneMachine, text: string): Promise<string> {
  const { booted, seconds } = await machine.ready(BOOT_SECONDS)
  if (!booted.includes(text)) throw new Error(`ready, and not as it should be (${text}): ${booted}`)
  return `ready ${seconds} s after its power-on: ${booted}`
}

async function serverOff(encrypt: Holder, machine: OneMachine): Promise<string[]> {
  await machine.stopServer()
  const shown = [await cut(machine)]
  const waits = /waits for the key of the disk: https:\/\/\S+ is not reached/
  const runs = /pilotlight: slot a of \S+ with/
  shown.push(await machine.shows(encrypt === 'tpm' ? runs : waits, BOOT_SECONDS))
  await machine.startServer()
  return [...shown, 'the server is started', await ready(machine, OPENED[encrypt])]
}

async function recovery(encrypt: Holder, machine: OneMachine): Promise<string[]> {
  const keys = await machine.client.recoveryKeys(machine.name)
  const key = keys.find(({ isPresent }) => isPresent)?.key
  if (key === undefined) throw new Error('the server has no recovery key')
  const prompt = /Recovery key of the disk/
  const wrong = /what was typed is not the recovery key/
  const why =
    encrypt === 'tpm'
      ? [/the TPM 2\.0 that it was sealed to is not there/, prompt, wrong]
      : [prompt, wrong, /is not reached/]
  const open = [/is open, by recovery/, /pilotlight: slot a of \S+ with/]
  return onCopy(machine, { isOwn: true, typed: ['wrong', key] }, [...why, ...open])
}

async function otherUuid(machine: OneMachine): Promise<string[]> {
  return onCopy(machine, { isOwn: false, typed: [] }, [
    new RegExp(
      `is that of ${machine.name}, whose UUID is \\S+, and this machine's is \\S+. Nothing was written`,
    ),
  ])
}

/**
 * Starts a copy of the machine's disk, of which nothing is kept, in a machine without TPM and network, whose UUID is its own or another;
 * types lines when it asks for a key. Gives the lines of its console that have what is waited for, one after another.
 */
async function onCopy(
  machine: OneMachine,
  { isOwn, typed }: { isOwn: boolean; typed: readonly string[] },
  shows: readonly RegExp[],
): Promise<string[]> {
  await machine.powerOff('plug')
  const folder = mkdtempSync(join(tmpdir(), 'encrypted-disk-'))
  const isUefi = machine.name === 'uefi-1'
  const flash = join(folder, 'firmware-variables.fd')
  if (isUefi) copyFileSync(join(machine.directory, 'firmware-variables.fd'), flash)
  const firmware = `-drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd -drive if=pflash,format=raw,file=${flash}`
  const argv = [
    ...words('qemu-system-x86_64 -machine q35,graphics=off -accel tcg -cpu qemu64,-svm -smp 2 -m 2048'),
    ...words(`-uuid 5a0e7f00-0023-4000-8000-00000000000${isOwn ? (isUefi ? 2 : 1) : 9}`),
    ...words('-nodefaults -display none -serial stdio -no-reboot -device virtio-rng-pci'),
    ...(isUefi ? words(firmware) : []),
    ...words(
      `-drive file=${join(machine.directory, 'disk.img')},format=raw,if=virtio,snapshot=on,cache=unsafe`,
    ),
  ]
  const child = spawn('nice', argv, { cwd: folder })
  const ended = once(child, 'exit')
  let console = ''
  for (const output of [child.stdout, child.stderr])
    output.on('data', (bytes: Buffer) => (console += bytes.toString()))
  try {
    const seen: string[] = []
    let from = 0
    let left = [...typed]
    for (const what of shows) {
      await waitUntil(`the copy shows ${what}`, { limitSeconds: BOOT_SECONDS, everyMs: 500 }, async () => {
        const at = console.slice(from).search(what)
        if (at === -1) return { not: console.slice(-300) }
        from += at
        return { value: true }
      })
      seen.push(
        console
          .slice(console.lastIndexOf('\n', from) + 1)
          .split('\n', 1)[0]
          ?.trim() ?? '',
      )
      const [line, ...rest] = left
      if (line === undefined || !/Recovery key|is not the recovery key/.test(what.source)) continue
      child.stdin.write(`${line}\n`)
      left = rest
    }
    return seen
  } finally {
    child.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true })
  }
}

async function otherTpm(machine: OneMachine): Promise<string[]> {
  await machine.powerOff('plug')
  const state = join(machine.directory, 'tpm')
  renameSync(state, `${state}.kept`)
  await machine.powerOn()
  const waits = await machine.shows(/the TPM does not give the key/, BOOT_SECONDS)
  const asks = await machine.shows(/its TPM is to give the key, and no operator allowed the server to/, 300)
  await machine.client.unlockDisk(machine.name)
  return [
    waits,
    asks,
    await ready(machine, OPENED.server),
    await machine.shows(/its key is sealed to the TPM as it is now/, 10),
  ]
}

function found(journal: readonly string[], text: string): string {
  const line = journal.find(it => it.includes(text))
  if (line === undefined) throw new Error(`the journal has no "${text}": ${journal.slice(-3).join(' | ')}`)
  return line
}
