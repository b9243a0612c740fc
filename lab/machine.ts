// One machine of a lab, as an operator at the rack has it: its power, its console, and a way into it.

import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { run } from '#host/command.ts'
import type { CommandResult } from '#host/command.ts'
import { isAlive } from '#host/process.ts'
import { sleep } from '#progress/wait.ts'
import { LabError } from './errors.ts'
import { COMMAND_PATH } from './machines/container.ts'
import { readGuest } from './machines/hardware.ts'
import { awaitPower, GRACE_SECONDS, hasPower, orderPower, powerState } from './power.ts'
import type { PowerPlace, TakenOrder, WantedPower } from './power.ts'
import type { Rack, RackMachine } from './rack.ts'
import { machineFiles } from './state.ts'
import type { PowerState } from './state.ts'

/** One machine, for people and programs. */
export type MachineStatus = {
  readonly name: string
  readonly mac: string
  readonly driver: RackMachine['driver']
  readonly power: 'on' | 'off'
  /** ISO time of the last power-on, while it is on. */
  readonly since?: string
  /** It shuts down: the ISO time at which its power is cut, and what it is afterwards. */
  readonly ending?: PowerState['ending']
  /** The pid, as the host sees it, of the machine's process 1 or of its QEMU. */
  readonly pid?: number
  readonly console: string
}

/** A machine of a lab that is up. Made by `Lab.machine`; holds nothing open itself. */
export class LabMachine {
  readonly #place: PowerPlace
  readonly #machine: RackMachine
  readonly #files: ReturnType<typeof machineFiles>

  constructor(labDirectory: string, rack: Rack, machine: RackMachine) {
    this.#place = { labDirectory, rack, machine }
    this.#machine = machine
    this.#files = machineFiles(labDirectory, machine.name)
  }

  /** Says whether it has power; also while it shuts down, and between a shutdown and the power-on that follows it. */
  isOn(): boolean {
    return hasPower(powerState(this.#place))
  }

  /**
   * Switches it on; gives false when it was on already. A machine that shuts down is on again afterwards. Returns as
   * soon as it has power, or is sure to have it.
   */
  async powerOn(): Promise<boolean> {
    return (await this.order({ verb: 'on' })).changes
  }

  /**
   * Switches it off: presses its power button, and pulls the plug after `graceSeconds` (90 by default; 0 pulls
   * it at once). Resolves when nothing of it is left; fine when it is off. Gives whether it
   * shut itself down.
   */
  async powerOff(options: { graceSeconds?: number } = {}): Promise<'shut down' | 'cut' | undefined> {
    const grace = options.graceSeconds ?? GRACE_SECONDS
    return this.powerIs(await this.order({ verb: 'off', graceSeconds: grace }), grace + 30)
  }

  /** Orders its power supply what to do; see `orderPower`. */
  async order(wanted: WantedPower): Promise<TakenOrder> {
    return orderPower(this.#place, wanted)
  }

  /** Waits until the machine is as it was ordered; see `awaitPower`. */
  async powerIs(order: TakenOrder, limitSeconds: number): Promise<'shut down' | 'cut' | undefined> {
    return awaitPower(this.#place, order, limitSeconds)
  }

  /** Its state. */
  status(): MachineStatus {
    const { name, mac, driver } = this.#machine
    const power = powerState(this.#place)
    const guest = readGuest(this.#files.guest)
    const on = hasPower(power)
    return {
      name,
      mac,
      driver,
      power: on ? 'on' : 'off',
      console: this.#files.console,
      ...(on && { since: power.since }),
      ...(on && power.ending && { ending: power.ending }),
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
    const place = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--root', '--wd', '--no-fork']
    // A shell waits for the command, as nsenter stops itself when its child is stopped: systemd does that to all processes at the end
    // of a shutdown, and the child that no one then waits for would keep the machine from ending. Only the shell's children are in the
    // machine's PID namespace, so the command must not be one of its builtins: its `kill` would end a process of this host.
    const wait = ['sh', '-c', 'env -- "$@"; exit $?', 'sh']
    const clean = ['env', '-i', `TERM=${process.env['TERM'] ?? 'dumb'}`, `PATH=${COMMAND_PATH}`, 'HOME=/root']
    return ['nsenter', '--target', String(guest.pid), ...place, ...clean, ...wait, ...argv]
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
}
