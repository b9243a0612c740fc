// One machine of a lab, as an operator at the rack has it: its power, its console, and a way into it.

import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '#host/command.ts'
import type { CommandResult } from '#host/command.ts'
import { endProcess, hasEnded, isAlive, signalProcess } from '#host/process.ts'
import { sleep } from '#progress/wait.ts'
import { startDetached } from './detached.ts'
import { LabError } from './errors.ts'
import { COMMAND_PATH, removeContainer } from './machines/container.ts'
import { readGuest } from './machines/hardware.ts'
import type { Rack, RackMachine } from './rack.ts'
import { machineFiles, readState, writeState } from './state.ts'
import type { PowerState } from './state.ts'

const SUPERVISOR = join(import.meta.dirname, 'machines', 'supervisor.ts')
/** Seconds that a machine has to shut itself down: an emulated one is slow. */
const GRACE_SECONDS = { container: 3, qemu: 20 } as const

/** One machine, for people and programs. */
export type MachineStatus = {
  readonly name: string
  readonly mac: string
  readonly driver: RackMachine['driver']
  readonly power: 'on' | 'off'
  /** ISO time of the last power-on, while it is on. */
  readonly since?: string
  /** The pid, as the host sees it, of the machine's process 1 or of its QEMU. */
  readonly pid?: number
  readonly console: string
}

/** A machine of a lab that is up. Made by `Lab.machine`; holds nothing open itself. */
export class LabMachine {
  readonly #labDirectory: string
  readonly #rack: Rack
  readonly #machine: RackMachine
  readonly #files: ReturnType<typeof machineFiles>

  constructor(labDirectory: string, rack: Rack, machine: RackMachine) {
    this.#labDirectory = labDirectory
    this.#rack = rack
    this.#machine = machine
    this.#files = machineFiles(labDirectory, machine.name)
  }

  /** Says whether it has power. */
  isOn(): boolean {
    const power = this.#power()
    return power !== undefined && isAlive(power.supervisor)
  }

  /** Switches it on; gives false when it was on already. Returns as soon as it has power. */
  async powerOn(): Promise<boolean> {
    if (this.isOn()) return false
    const files = this.#files
    if (this.#power()) await this.powerOff({ graceSeconds: 0 }) // its supervisor was killed: clean up after it
    mkdirSync(files.directory, { recursive: true })
    const supervise = [SUPERVISOR, this.#labDirectory, this.#machine.name]
    const argv = [process.execPath, '--disable-warning=ExperimentalWarning', ...supervise]
    const supervisor = startDetached(argv, files.supervisorLog)
    writeState(files.power, { supervisor, since: new Date().toISOString() })
    return true
  }

  /**
   * Switches it off: presses its power button, and pulls the plug after `graceSeconds` (3 by default, 20 for an
   * emulated machine; 0 pulls it at once). Resolves when nothing of it is left; fine when it is off.
   */
  async powerOff(options: { graceSeconds?: number } = {}): Promise<void> {
    const { driver } = this.#machine
    const supervisor = this.#power()?.supervisor
    const grace = options.graceSeconds ?? GRACE_SECONDS[driver]
    if (supervisor && grace > 0) {
      signalProcess(supervisor, 'SIGTERM')
      await hasEnded(supervisor, grace)
    }
    if (supervisor && isAlive(supervisor)) {
      const guest = readGuest(this.#files.guest)
      signalProcess(supervisor, 'SIGTERM') // so that the supervisor takes what follows for power-off, not for a reset
      if (guest) signalProcess(guest, 'SIGKILL')
      await hasEnded(supervisor, guest ? 5 : 1)
    }
    if (supervisor) await endProcess(supervisor, 0)
    const guest = readGuest(this.#files.guest)
    if (guest) await endProcess(guest, 0)
    if (driver === 'container') await removeContainer({ rack: this.#rack, machine: this.#machine })
    rmSync(this.#files.power, { force: true })
    rmSync(this.#files.guest, { force: true })
  }

  /** Its state. */
  status(): MachineStatus {
    const { name, mac, driver } = this.#machine
    const power = this.#power()
    const guest = readGuest(this.#files.guest)
    const on = power !== undefined && isAlive(power.supervisor)
    return {
      name,
      mac,
      driver,
      power: on ? 'on' : 'off',
      console: this.#files.console,
      ...(on && { since: power.since }),
      ...(on && guest && { pid: guest.pid }),
    }
  }

  /**
   * The words that run `argv` inside a container machine, as root, in all of its namespaces: for a terminal.
   *
   * @throws {LabError} MACHINE_OFF when it is off, has not come as far as its process 1, or is an emulated computer
   */
  execCommand(argv: readonly string[]): string[] {
    const { name, driver } = this.#machine
    if (driver === 'qemu')
      throw new LabError(
        'MACHINE_OFF',
        `${name} is an emulated computer, and nothing can run in it from outside. See its console instead.`,
      )
    const guest = readGuest(this.#files.guest)
    if (!guest || !isAlive(guest))
      throw new LabError(
        'MACHINE_OFF',
        `${name} has no system running yet. Its console shows how far it got.`,
      )
    const place = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--root', '--wd']
    const clean = ['env', '-i', `TERM=${process.env['TERM'] ?? 'dumb'}`, `PATH=${COMMAND_PATH}`, 'HOME=/root']
    return ['nsenter', '--target', String(guest.pid), ...place, ...clean, ...argv]
  }

  /**
   * Runs `argv` inside a container machine and gives what it printed, for example `journalctl --boot`.
   *
   * @throws {LabError} as `execCommand`
   * @throws {CommandFailed} when it ends badly or takes over `limitSeconds` (30)
   */
  async exec(
    argv: readonly string[],
    options: { limitSeconds?: number; signal?: AbortSignal } = {},
  ): Promise<CommandResult> {
    const [command = '', ...args] = this.execCommand(argv)
    return run(command, args, { limitSeconds: 30, ...options })
  }

  /**
   * What its console showed, in pieces as they come: everything since it first had power, then, with `follow`, what it
   * goes on to show until it is off or the signal is aborted.
   */
  async *console(options: { follow?: boolean; signal?: AbortSignal } = {}): AsyncGenerator<string> {
    if (!existsSync(this.#files.console)) return
    const file = await open(this.#files.console)
    try {
      const buffer = Buffer.alloc(64 * 1024)
      while (!options.signal?.aborted) {
        const { bytesRead } = await file.read(buffer)
        if (bytesRead > 0) yield buffer.toString('utf8', 0, bytesRead)
        else if (!options.follow || !this.isOn()) return
        else await sleep(100, options.signal).catch(() => {}) // aborted: the loop ends
      }
    } finally {
      await file.close()
    }
  }

  #power(): PowerState | undefined {
    return readState(this.#files.power) as PowerState | undefined
  }
}
