// A lab: a rack's network, its machines and its server, all in namespaces of this host. Every call works from the
// lab's folder alone, so that `power`, `status` and `down` need nothing of the process which brought the lab up.

import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { takeLock } from '#host/lock.ts'
import { endProcess } from '#host/process.ts'
import { messageOf } from '#progress/wait.ts'
import { LabError } from './errors.ts'
import { raiseHostLimits } from './host-limits.ts'
import { LabMachine, type MachineStatus } from './machine.ts'
import {
  inNamespace,
  makeRackNetwork,
  namespacePath,
  rackNamespace,
  removeNamespace,
  routeInRack,
} from './network.ts'
import { LAB_NAME, LAB_NAME_WORDS, type Rack } from './rack.ts'
import { startRelay, type RelayRoute } from './relay.ts'
import { serverUrl, startServer, stopServer, type LabServer, type ServerOptions } from './server.ts'
import { labFiles, readLabState, readState, writeState, type RelayState } from './state.ts'

const LABS = resolve(import.meta.dirname, '..', 'lab-state')

/** Where labs keep their folders, and who may interrupt. */
export type LabOptions = {
  /** The folder that holds one folder a lab; `lab-state` in the project by default. */
  readonly root?: string
  readonly signal?: AbortSignal
}

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
    const remedy = `Take it down first: pilotlight lab down --lab ${rack.name}`
    throw new LabError('UP_ALREADY', `The lab ${rack.name} is up with another rack file. ${remedy}`, {
      remedy: seeOrRunAnother(rack.name),
    })
  }
  if (there) await there.down() // the host was restarted, or the namespace removed by hand
  if (existsSync(namespacePath(rackNamespace(rack.name))))
    throw new LabError(
      'UP_ALREADY',
      `The network namespace ${rackNamespace(rack.name)} exists, and ${directory} knows nothing of it. ` +
        `Another clone may run this lab: take it down there, or give this rack another name.`,
      { remedy: seeOrRunAnother(rack.name) },
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
 * Keeps other processes from bringing this lab up meanwhile; returns a function that releases the lock.
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
        { remedy: seeOrRunAnother(name) },
      ),
  )
}

/** What to do about a lab of that name that is there already. */
function seeOrRunAnother(name: string): string {
  return `see it with  pilotlight lab status --lab ${name}  or run another beside it:  --lab ${name}-2`
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

  /** Says whether its network is up; a lab whose host was restarted is not up, and left a folder. */
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
    return startServer(this, options)
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

  /** @throws {LabError} NO_MACHINE, with the names that there are */
  machine(name: string): LabMachine {
    const machine = this.rack.machines.find(machine => machine.name === name)
    if (machine) return new LabMachine(this.directory, this.rack, machine)
    const names = this.rack.machines.map(({ name }) => name).join(', ')
    throw new LabError('NO_MACHINE', `The rack ${this.name} has no machine ${name}. It has: ${names}.`)
  }

  /** What is up. */
  status(): LabStatus {
    const url = serverUrl(this.directory)
    return {
      name: this.name,
      directory: this.directory,
      namespace: this.namespace,
      startedAt: this.#startedAt,
      ...(url !== undefined && { serverUrl: url }),
      machines: this.rack.machines.map(({ name }) => this.machine(name).status()),
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
      ...this.rack.machines.map(({ name }) => this.machine(name).powerOff({ graceSeconds: 0 })),
      stopServer(this.directory),
      ...relays.map(relay => endProcess(relay, 0)),
    ])
    const removed = await Promise.allSettled([removeNamespace(this.namespace)])
    const errors = [...ended, ...removed].flatMap(one => (one.status === 'rejected' ? [one.reason] : []))
    if (errors.length > 0)
      throw new AggregateError(
        errors,
        `The lab ${this.name} left something: ${errors.map(messageOf).join('; ')}. Try again: ` +
          `pilotlight lab down --lab ${this.name}`,
      )
    rmSync(files.relays, { force: true })
    rmSync(files.state, { force: true })
  }
}
