// A lab: a rack's network, its machines and its server, all in namespaces of this host. Every call works from the
// lab's folder alone, so that `power`, `status` and `down` need nothing of the process which brought the lab up.

import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { run } from '#host/command.ts'
import { takeLock } from '#host/lock.ts'
import type { CommandResult } from '#host/command.ts'
import { messageOf, sleep, waitUntil } from '#progress/wait.ts'
import { LabError } from './errors.ts'
import { raiseHostLimits } from './host-limits.ts'
import { removeContainer } from './machines/container.ts'
import { readGuest } from './machines/hardware.ts'
import {
  inNamespace,
  makeRackNetwork,
  namespacePath,
  rackNamespace,
  removeNamespace,
  routeInRack,
} from './network.ts'
import { endProcess, isAlive, markProcess, signalProcess } from '#host/process.ts'
import type { ProcessMark } from '#host/process.ts'
import { LAB_NAME, LAB_NAME_WORDS } from './rack.ts'
import type { Rack, RackMachine } from './rack.ts'
import { startRelay } from './relay.ts'
import type { RelayRoute } from './relay.ts'
import { labFiles, machineFiles, readLabState, readState, writeState } from './state.ts'
import type { PowerState, RelayState, ServerState } from './state.ts'

const PROJECT = resolve(import.meta.dirname, '..')
const LABS = join(PROJECT, 'lab-state')
const SUPERVISOR = join(import.meta.dirname, 'machines', 'supervisor.ts')

/** Where labs keep their folders, and who may interrupt. */
export type LabOptions = {
  /** The folder that holds one folder a lab; `lab-state` in the project unless told. */
  readonly root?: string
  readonly signal?: AbortSignal
}

/** How the rack's server is started; absent paths are the rack's or the project's own. */
export type ServerOptions = {
  readonly dataPath?: string
  readonly assetsPath?: string
  /** Port of the host's loopback that leads to the server's HTTP port; 0 (the default) picks one. */
  readonly hostPort?: number
  /** More flags of `pilotlight serve`, as they stand. */
  readonly flags?: readonly string[]
  /** Seconds until `/healthz` must answer, 15 unless told. */
  readonly limitSeconds?: number
  readonly signal?: AbortSignal
}

/** A running server: how the machines call it, and how the host's loopback does. */
export type LabServer = { readonly url: string; readonly hostUrl: string }

/** What the lab is, for people and programs. */
export type LabStatus = {
  readonly name: string
  readonly directory: string
  readonly namespace: string
  readonly startedAt: string
  /** The server as seen from the host; absent when none runs. */
  readonly serverUrl?: string
  readonly machines: readonly MachineStatus[]
}

/** One machine of it. */
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

/**
 * Brings up the rack's network, or takes over the lab of the same rack that is up already.
 *
 * @throws {LabError} NEEDS_ROOT, BAD_NAME, or UP_ALREADY when a lab of this name runs with another rack or from another
 * folder
 */
export async function openLab(rack: Rack, options: LabOptions = {}): Promise<Lab> {
  if (process.getuid?.() !== 0)
    throw new LabError(
      'NEEDS_ROOT',
      'A lab makes network namespaces, mounts and control groups: run it as root (sudo).',
    )
  options.signal?.throwIfAborted()
  const directory = labDirectory(rack.name, options.root)
  const there = findLab(rack.name, options)
  if (there?.isUp()) {
    if (isDeepStrictEqual(there.rack, rack)) return there
    const mend = `Take it down first: pilotlight lab down ${rack.name}`
    throw new LabError('UP_ALREADY', `The lab ${rack.name} is up with another rack file. ${mend}`)
  }
  if (there) await there.down() // the host was restarted, or the namespace removed by hand
  if (existsSync(namespacePath(rackNamespace(rack.name))))
    throw new LabError(
      'UP_ALREADY',
      `The network namespace ${rackNamespace(rack.name)} exists, and ${directory} knows nothing of it. ` +
        `Another clone may run this lab: take it down there, or give this rack another name.`,
    )
  rmSync(directory, { recursive: true, force: true }) // logs of the lab before this one
  mkdirSync(directory, { recursive: true })
  writeState(labFiles(directory).state, { rack, startedAt: new Date().toISOString() })
  const lab = new Lab(directory)
  try {
    raiseHostLimits()
    await makeRackNetwork(rack)
  } catch (error) {
    await lab.down()
    throw error
  }
  return lab
}

/**
 * The lab of this name if it is up, or was and left something; undefined otherwise.
 *
 * @throws {LabError} BAD_NAME
 */
export function findLab(name: string, options: Pick<LabOptions, 'root'> = {}): Lab | undefined {
  const directory = labDirectory(name, options.root)
  return existsSync(labFiles(directory).state) ? new Lab(directory) : undefined
}

/** The names of the labs that are up, or were and left something. */
export function labNames({ root = LABS }: Pick<LabOptions, 'root'> = {}): string[] {
  const folders = existsSync(root) ? readdirSync(root).filter(name => LAB_NAME.test(name)) : []
  return folders.filter(name => findLab(name, { root }) !== undefined)
}

/**
 * Keeps other processes from bringing this lab up meanwhile; gives what lets go again.
 *
 * @throws {LabError} LOCKED while another one does; BAD_NAME
 */
export function lockLab(name: string, options: Pick<LabOptions, 'root'> = {}): () => void {
  const path = `${labDirectory(name, options.root)}.lock`
  return takeLock(
    path,
    holder =>
      new LabError(
        'LOCKED',
        `The lab ${name} is in the hands of another \`lab up\`, process ${holder ?? 'unknown'} (${path}). ` +
          `Wait until it has ended, or run a lab of another name beside it.`,
      ),
  )
}

/** The folder of a lab. It is removed whole when a lab of this name comes up: no other name may lead out of `root`. */
function labDirectory(name: string, root = LABS): string {
  if (!LAB_NAME.test(name))
    throw new LabError('BAD_NAME', `No lab can be called "${name}". Give ${LAB_NAME_WORDS}.`)
  return resolve(root, name)
}

/** A lab that is up. Made by `openLab` or `findLab`; holds nothing open itself. */
export class Lab {
  readonly directory: string
  readonly rack: Rack
  readonly name: string
  /** The network namespace that is the rack: the provisioner and the bridge live in it. */
  readonly namespace: string
  readonly #startedAt: string

  /** @throws the system's ENOENT when there is no lab in this folder */
  constructor(directory: string) {
    const { rack, startedAt } = readLabState(directory)
    this.directory = directory
    this.rack = rack
    this.name = rack.name
    this.namespace = rackNamespace(rack.name)
    this.#startedAt = startedAt
  }

  /** Says whether its network stands; a lab whose host was restarted is not up, and left a folder. */
  isUp(): boolean {
    return existsSync(namespacePath(this.namespace))
  }

  /** A command line which runs `argv` where the provisioner is: in the rack's network, with the host's files. */
  inRack(argv: readonly string[]): string[] {
    return [...inNamespace(this.namespace), ...argv]
  }

  /**
   * Starts the server in the rack, unless it runs, and a relay to it. A rack with an objects file gives it to the
   * server. Resolves when `/readyz` says so.
   *
   * @throws {LabError} NO_BOOT with the end of the server's log, when it ends at once
   * @throws {WaitedTooLong} when it stays silent, and the signal's reason when that is aborted
   */
  async startServer(options: ServerOptions = {}): Promise<LabServer> {
    const files = labFiles(this.directory)
    const { address } = this.rack.bridge
    const url = `http://${address}:8080`
    const running = readState(files.server) as ServerState | undefined
    if (running?.url !== undefined && isAlive(running.process)) return { url, hostUrl: running.url }
    if (running) await this.stopServer() // its start was broken off, or it ended
    options.signal?.throwIfAborted()
    const data = options.dataPath ?? this.rack.data
    const argv = [
      join(PROJECT, 'bin', 'pilotlight'),
      'serve',
      `--address=${address}`,
      '--http-port=8080',
      `--state-path=${files.serverState}`,
      ...(data === undefined ? [] : [`--data-path=${data}`]),
      ...(options.assetsPath === undefined ? [] : [`--assets-path=${options.assetsPath}`]),
      ...(options.flags ?? []),
    ]
    const mark = this.#startDetached(this.inRack(argv), files.serverLog)
    writeState(files.server, { process: mark }) // whatever fails from here on, `down` finds it
    const [route] = await this.relay([{ port: options.hostPort ?? 0, host: address, targetPort: 8080 }])
    const hostUrl = `http://127.0.0.1:${route?.port}`
    const signal = options.signal ?? new AbortController().signal
    await waitUntil(
      'the server answers',
      { limitSeconds: options.limitSeconds ?? 15, everyMs: 50, signal },
      async () => {
        if (!isAlive(mark)) return { value: false }
        const limit = AbortSignal.any([signal, AbortSignal.timeout(2000)])
        const { ok, status } = await fetch(`${hostUrl}/readyz`, { signal: limit })
        return ok ? { value: true } : { not: `/readyz answered ${status}` }
      },
    )
    if (!isAlive(mark))
      throw new LabError(
        'NO_BOOT',
        `The server ended at once. The end of ${files.serverLog}:\n${tail(files.serverLog)}`,
      )
    if (this.rack.objects !== undefined)
      await putObjects(hostUrl, this.name, this.rack.objects, files.serverState)
    writeState(files.server, { process: mark, url: hostUrl })
    return { url, hostUrl }
  }

  /** Stops the server; fine when none runs. */
  async stopServer(): Promise<void> {
    const file = labFiles(this.directory).server
    const running = readState(file) as ServerState | undefined
    if (running) await endProcess(running.process, 5)
    rmSync(file, { force: true })
  }

  /**
   * Lets the rack reach `cidr` through the machine at the address `via`, as the site's router would have it: for the
   * external network of the cloud, whose gateway is a machine. Safe to repeat; it goes when the lab goes down.
   */
  async route(cidr: string, via: string): Promise<void> {
    await routeInRack(this.name, cidr, via)
  }

  /**
   * Opens ports of the host's loopback that lead into the rack; gives the routes with the ports they got. They close
   * when the lab goes down.
   */
  async relay(routes: readonly RelayRoute[]): Promise<readonly RelayRoute[]> {
    const files = labFiles(this.directory)
    const relay = await startRelay(this.namespace, routes, files.relayLog)
    const before = (readState(files.relays) as RelayState | undefined)?.processes ?? []
    writeState(files.relays, { processes: [...before, relay.process] })
    return relay.routes
  }

  /**
   * Switches a machine on; gives false when it was on already. Returns as soon as it has power.
   *
   * @throws {LabError} NO_MACHINE
   */
  async powerOn(name: string): Promise<boolean> {
    this.machine(name)
    const files = machineFiles(this.directory, name)
    const power = readState(files.power) as PowerState | undefined
    if (power && isAlive(power.supervisor)) return false
    if (power) await this.powerOff(name, { graceSeconds: 0 }) // its supervisor was killed: clean up after it
    mkdirSync(files.directory, { recursive: true })
    const argv = [process.execPath, '--disable-warning=ExperimentalWarning', SUPERVISOR, this.directory, name]
    const supervisor = this.#startDetached(argv, files.supervisorLog)
    writeState(files.power, { supervisor, since: new Date().toISOString() })
    return true
  }

  /**
   * Switches a machine off: presses its power button, and pulls the plug after `graceSeconds` (3 unless told, 20 for an
   * emulated machine; 0 pulls it at once). Resolves when nothing of it is left; fine when it is off.
   *
   * @throws {LabError} NO_MACHINE
   */
  async powerOff(name: string, options: { graceSeconds?: number } = {}): Promise<void> {
    const machine = this.machine(name)
    const files = machineFiles(this.directory, name)
    const supervisor = (readState(files.power) as PowerState | undefined)?.supervisor
    const grace = options.graceSeconds ?? (machine.driver === 'qemu' ? 20 : 3)
    if (supervisor && grace > 0) {
      signalProcess(supervisor, 'SIGTERM')
      await ended(supervisor, grace)
    }
    if (supervisor && isAlive(supervisor)) {
      const guest = readGuest(files.guest)
      signalProcess(supervisor, 'SIGTERM') // so that the supervisor takes what follows for power-off, not for a reset
      if (guest) signalProcess(guest, 'SIGKILL')
      await ended(supervisor, guest ? 5 : 1)
    }
    if (supervisor) await endProcess(supervisor, 0)
    const guest = readGuest(files.guest)
    if (guest) await endProcess(guest, 0)
    if (machine.driver === 'container') await removeContainer({ rack: this.rack, machine })
    rmSync(files.power, { force: true })
    rmSync(files.guest, { force: true })
  }

  /** What is up. */
  status(): LabStatus {
    const server = readState(labFiles(this.directory).server) as ServerState | undefined
    return {
      name: this.name,
      directory: this.directory,
      namespace: this.namespace,
      startedAt: this.#startedAt,
      ...(server && server.url !== undefined && isAlive(server.process) && { serverUrl: server.url }),
      machines: this.rack.machines.map(machine => this.#machineStatus(machine)),
    }
  }

  /**
   * The words that run `argv` inside a container machine, as root, in all of its namespaces: for a terminal.
   *
   * @throws {LabError} NO_MACHINE; MACHINE_OFF when it is off, or has not come as far as its process 1
   */
  execCommand(name: string, argv: readonly string[]): string[] {
    const machine = this.machine(name)
    if (machine.driver === 'qemu')
      throw new LabError(
        'MACHINE_OFF',
        `${name} is an emulated computer, and nothing can run in it from outside. See its console instead.`,
      )
    const guest = readGuest(machineFiles(this.directory, name).guest)
    if (!guest || !isAlive(guest))
      throw new LabError(
        'MACHINE_OFF',
        `${name} has no system running yet. Its console tells how far it came.`,
      )
    const place = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--root', '--wd']
    const clean = ['env', '-i', `TERM=${process.env['TERM'] ?? 'dumb'}`, `PATH=${GUEST_PATH}`, 'HOME=/root']
    return ['nsenter', '--target', String(guest.pid), ...place, ...clean, ...argv]
  }

  /**
   * Runs `argv` inside a container machine and gives what it printed, for example `journalctl --boot`.
   *
   * @throws {LabError} as `execCommand`; {CommandFailed} when it ends badly or takes over `limitSeconds` (30)
   */
  async exec(
    name: string,
    argv: readonly string[],
    options: { limitSeconds?: number; signal?: AbortSignal } = {},
  ): Promise<CommandResult> {
    const [command = '', ...args] = this.execCommand(name, argv)
    return run(command, args, { limitSeconds: 30, ...options })
  }

  /**
   * What a machine's console showed, in pieces as they come: everything since it first had power, then, with
   * `follow`, what it goes on to show until it is off or the signal is aborted.
   *
   * @throws {LabError} NO_MACHINE
   */
  async *console(
    name: string,
    options: { follow?: boolean; signal?: AbortSignal } = {},
  ): AsyncGenerator<string> {
    const files = machineFiles(this.directory, name)
    this.machine(name)
    if (!existsSync(files.console)) return
    const file = await open(files.console)
    try {
      const buffer = Buffer.alloc(64 * 1024)
      while (!options.signal?.aborted) {
        const { bytesRead } = await file.read(buffer)
        if (bytesRead > 0) yield buffer.toString('utf8', 0, bytesRead)
        else if (!options.follow || this.#isOff(name)) return
        else await sleep(100, options.signal).catch(() => {}) // aborted: the loop ends
      }
    } finally {
      await file.close()
    }
  }

  /**
   * Takes everything down: machines by the plug, server, relays, network. Safe to repeat, and to run after a crash.
   * Logs stay until a lab of this name comes up again. What cannot be ended keeps nothing else from it; the lab's
   * state stays then, so that `down` can be repeated.
   *
   * @throws {AggregateError} with all that failed, after everything was tried
   */
  async down(): Promise<void> {
    const files = labFiles(this.directory)
    const relays = (readState(files.relays) as RelayState | undefined)?.processes ?? []
    const ended = await Promise.allSettled([
      ...this.rack.machines.map(({ name }) => this.powerOff(name, { graceSeconds: 0 })),
      this.stopServer(),
      ...relays.map(relay => endProcess(relay, 0)),
    ])
    const removed = await Promise.allSettled([removeNamespace(this.namespace)])
    const errors = [...ended, ...removed].flatMap(one => (one.status === 'rejected' ? [one.reason] : []))
    if (errors.length > 0)
      throw new AggregateError(
        errors,
        `The lab ${this.name} left something: ${errors.map(messageOf).join('; ')}. Try again: ` +
          `pilotlight lab down ${this.name}`,
      )
    rmSync(files.relays, { force: true })
    rmSync(files.state, { force: true })
  }

  /** @throws {LabError} NO_MACHINE, with the names that there are */
  machine(name: string): RackMachine {
    const machine = this.rack.machines.find(machine => machine.name === name)
    if (machine) return machine
    const names = this.rack.machines.map(({ name }) => name).join(', ')
    throw new LabError('NO_MACHINE', `The rack ${this.name} has no machine ${name}. It has: ${names}.`)
  }

  #isOff(name: string): boolean {
    const power = readState(machineFiles(this.directory, name).power) as PowerState | undefined
    return !power || !isAlive(power.supervisor)
  }

  #machineStatus(machine: RackMachine): MachineStatus {
    const { name, mac, driver } = machine
    const files = machineFiles(this.directory, name)
    const power = readState(files.power) as PowerState | undefined
    const guest = readGuest(files.guest)
    const on = power !== undefined && isAlive(power.supervisor)
    return {
      name,
      mac,
      driver,
      power: on ? 'on' : 'off',
      console: files.console,
      ...(on && { since: power.since }),
      ...(on && guest && { pid: guest.pid }),
    }
  }

  #startDetached([command = '', ...args]: readonly string[], log: string): ProcessMark {
    mkdirSync(dirname(log), { recursive: true })
    const output = openSync(log, 'a')
    const child = spawn(command, args, { detached: true, stdio: ['ignore', output, output] })
    closeSync(output)
    child.on('error', () => {}) // no pid then, which is told below
    child.unref()
    const mark = markProcess(child.pid ?? 0)
    if (!mark) throw new LabError('NO_TOOL', `${command} cannot be started, or ended at once; see ${log}.`)
    return mark
  }
}

const GUEST_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

function ended(process: ProcessMark, limitSeconds: number): Promise<boolean> {
  return waitUntil(`process ${process.pid} ends`, { limitSeconds, everyMs: 20 }, () =>
    Promise.resolve(isAlive(process) ? { not: 'still running' } : { value: true }),
  ).catch(() => false)
}

async function putObjects(hostUrl: string, site: string, file: string, serverState: string): Promise<void> {
  const token = readFileSync(join(serverState, 'admin.token'), 'utf8').trim()
  const answer = await fetch(`${hostUrl}/v1/sites/${site}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: readFileSync(file, 'utf8'),
    signal: AbortSignal.timeout(10_000),
  })
  if (!answer.ok)
    throw new LabError('NO_BOOT', `The server refuses ${file}: ${answer.status} ${await answer.text()}`)
}

function tail(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-12).join('\n')
}
