// What a lab has made, on disk, so that any later command can find and remove it: one folder a lab, one a machine.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProcessMark } from '#host/process.ts'
import { textIfThereSync } from '#host/read-if-there.ts'
import { replaceFile } from '#host/replace-file.ts'
import type { Rack } from './rack.ts'

/** The lab as a whole, written before anything is made. */
export type LabState = { readonly rack: Rack; readonly startedAt: string }

/** What a machine's power supply is ordered to do. */
export type PowerVerb = 'on' | 'off' | 'cycle' | 'reset'

/** An order to a machine's power supply; the last one that was given is kept in a file. */
export type PowerOrder = {
  /** Counts up, one a machine. */
  readonly number: number
  readonly verb: PowerVerb
  /** Nothing is shut down before the power is cut. */
  readonly hard: boolean
  /** Seconds that the system has to shut itself down before its power is cut all the same. */
  readonly graceSeconds: number
}

/** A machine's power supply as it keeps it itself, from the first power-on; after the end it says how that was. */
export type PowerState = {
  readonly supervisor: ProcessMark
  /** ISO time of the last power-on. */
  readonly since: string
  /** Number of the last order that was taken: done, or sure to be done. */
  readonly order: number
  /** How often the machine got power or was reset since this supply began. */
  readonly starts: number
  /** A shutdown that goes on: the ISO time at which the power is cut, and what the machine is afterwards. */
  readonly ending?: { readonly until: string; readonly next: 'on' | 'off' }
  /** The machine is off; `failed`: it could not get power. */
  readonly ended?: { readonly at: string; readonly how: 'shut down' | 'cut' | 'failed' }
}

/** The server of the rack, and the URL that leads to it from the host: absent until it has answered there. */
export type ServerState = { readonly process: ProcessMark; readonly url?: string }

/** The relays of the lab. */
export type RelayState = { readonly processes: readonly ProcessMark[] }

/** Files of a lab below its own folder. */
export function labFiles(directory: string) {
  return {
    state: join(directory, 'state.json'),
    server: join(directory, 'server.json'),
    relays: join(directory, 'relays.json'),
    serverLog: join(directory, 'server.log'),
    relayLog: join(directory, 'relay.log'),
    serverState: join(directory, 'server'),
    /** The state directory of `pilotlight up` in this rack: kubeconfig, certificates, secrets, clouds.yaml. */
    up: join(directory, 'up'),
    journals: join(directory, 'journals'),
  }
}

/** Files of a machine below the lab's folder. */
export function machineFiles(labDirectory: string, name: string) {
  const directory = join(labDirectory, 'machines', name)
  return {
    directory,
    console: join(directory, 'console.log'),
    power: join(directory, 'power.json'),
    order: join(directory, 'power-order.json'),
    /** Held by the command that gives an order, until the supply has taken it. */
    orderLock: join(directory, 'power-order.lock'),
    /** Held by the machine's power supply. */
    supplyLock: join(directory, 'power.lock'),
    guest: join(directory, 'guest'),
    supervisorLog: join(directory, 'supervisor.log'),
  }
}

/**
 * Reads what a lab is.
 *
 * @throws the system's ENOENT when there is no lab in this folder
 */
export function readLabState(directory: string): LabState {
  return JSON.parse(readFileSync(labFiles(directory).state, 'utf8')) as LabState
}

/**
 * Reads a state file as it was written; undefined when it is not there, or is not whole: it is not flushed, so the host's own
 * power cut may leave it empty. The processes that it named are gone then.
 */
export function readState(path: string): unknown {
  const text = textIfThereSync(path)
  try {
    const state: unknown = JSON.parse(text ?? 'null')
    return typeof state === 'object' && state !== null && !Array.isArray(state) ? state : undefined
  } catch {
    return undefined
  }
}

/** Writes a state file whole. That of the lab is on disk when this returns: without it, no command finds the rest. */
export function writeState(
  path: string,
  state: LabState | PowerState | PowerOrder | ServerState | RelayState,
): void {
  replaceFile(path, `${JSON.stringify(state, null, 2)}\n`, { mode: 'umask', flush: 'rack' in state })
}
