// Orders to a machine's power supply: given one at a time, and answered once the supply has taken them, so that what was
// answered is done also when the command that gave the order ends or is killed.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readHolder, tryLock, type Unlock } from '#host/lock.ts'
import { endProcess, isAlive, signalProcess } from '#host/process.ts'
import { textIfThereSync } from '#host/read-if-there.ts'
import { waitUntil, WaitedTooLong } from '#progress/wait.ts'
import { startDetached } from './detached.ts'
import { LabError } from './errors.ts'
import { removeContainer, thawContainer } from './machines/container.ts'
import { readGuest } from './machines/hardware.ts'
import type { Rack, RackMachine } from './rack.ts'
import { machineFiles, readState, writeState } from './state.ts'
import type { PowerOrder, PowerState, PowerVerb } from './state.ts'

const SUPERVISOR = join(import.meta.dirname, 'machines', 'supervisor.ts')
/** Seconds that a system has to shut itself down before its power is cut: its containers alone may take 60 (docs/disk.md, Shutdown). */
export const GRACE_SECONDS = 90
/** Seconds until a power supply has taken an order: one that starts makes networks and control groups, or a TPM. */
const TAKEN_SECONDS = 30
/** The same for a power cut, which is then done without the supply. */
const CUT_SECONDS = 5

/** A machine, and the folder of its lab. */
export type PowerPlace = {
  readonly labDirectory: string
  readonly rack: Rack
  readonly machine: RackMachine
}

/** What is ordered; `graceSeconds` is by default that of the driver, and 0 is the same as `hard`. */
export type WantedPower = {
  readonly verb: PowerVerb
  readonly hard?: boolean
  readonly graceSeconds?: number
}

/** An order that was taken. */
export type TakenOrder = {
  readonly verb: PowerVerb
  /** False when the machine was on, or off, as ordered. */
  readonly changes: boolean
  /** How often the supply had given the machine power before. */
  readonly starts: number
  /** The shutdown that goes on. */
  readonly ending?: PowerState['ending']
}

/** The supply's own state; undefined before the first power-on, or where its file is damaged. */
export function powerState({ labDirectory, machine }: PowerPlace): PowerState | undefined {
  return readState(machineFiles(labDirectory, machine.name).power) as PowerState | undefined
}

/** Says whether the machine has power; also between a shutdown and the power-on that follows it. */
export function hasPower(state: PowerState | undefined): state is PowerState {
  return state !== undefined && state.ended === undefined && isAlive(state.supervisor)
}

/**
 * Gives an order, and returns once it is sure to be carried out, whatever becomes of this process. A power cut is done by
 * then, and so is a power-on of a machine that was off.
 *
 * @throws {LabError} MACHINE_OFF when a machine is off that is to be reset, or could not get power
 * @throws {WaitedTooLong} when the supply does not answer, or another command's order is not taken
 */
export async function orderPower(place: PowerPlace, wanted: WantedPower): Promise<TakenOrder> {
  const { labDirectory, machine } = place
  const files = machineFiles(labDirectory, machine.name)
  mkdirSync(files.directory, { recursive: true })
  const unlock = await lockOrders(place)
  try {
    const before = powerState(place)
    const wasOn = hasPower(before)
    const { verb } = wanted
    if (!wasOn && verb === 'reset')
      throw new LabError('MACHINE_OFF', `${machine.name} is off: a machine without power cannot be reset.`)
    if (!wasOn && verb === 'off') {
      await removeRemains(place)
      return { verb, changes: false, starts: 0 }
    }
    // Either file may be damaged: the number is above all that the supply has taken.
    const last = (readState(files.order) as PowerOrder | undefined)?.number ?? 0
    const number = Math.max(last, Math.ceil(before?.order ?? 0)) + 1
    const graceSeconds = wanted.graceSeconds ?? GRACE_SECONDS
    const hard = wanted.hard === true || graceSeconds === 0
    const order: PowerOrder = { number, verb, hard, graceSeconds }
    writeState(files.order, order)
    const after = await giveOrder(place, order).catch(async (error: unknown) => {
      if (!(error instanceof WaitedTooLong && hard && verb === 'off')) throw error
      await removeRemains(place) // a supply that hangs does not keep the power on
      return undefined
    })
    const isSameSupply = wasOn && after?.supervisor.pid === before.supervisor.pid
    return {
      verb,
      changes: verb !== 'on' || !isSameSupply || before.ending !== undefined,
      starts: isSameSupply ? before.starts : 0,
      ...(after?.ending && { ending: after.ending }),
    }
  } finally {
    unlock()
  }
}

/**
 * Waits until the machine is as ordered: off, or on (again). Gives how it ended where it was switched off: `cut` when it
 * did not shut itself down.
 *
 * @throws {LabError} MACHINE_OFF when it should be on, and went off
 * @throws {WaitedTooLong} with what it does meanwhile
 */
export async function awaitPower(
  place: PowerPlace,
  order: TakenOrder,
  limitSeconds: number,
  signal?: AbortSignal,
): Promise<'shut down' | 'cut' | undefined> {
  const { name } = place.machine
  const { verb } = order
  const wish = { on: 'on', off: 'off', cycle: 'on again', reset: 'on again' }[verb]
  const seen = await waitUntil(
    `${name} is ${wish}`,
    { limitSeconds, everyMs: 50, ...(signal && { signal }) },
    () => {
      const state = powerState(place)
      const isOver = state === undefined || !isAlive(state.supervisor)
      const isOnAgain = !isOver && state.starts > order.starts
      if (verb === 'off') {
        if (isOver || isOnAgain) return Promise.resolve({ value: state?.ended?.how })
      } else {
        if (isOver) return Promise.resolve({ value: 'failed' as const })
        if (hasPower(state) && !state.ending && (isOnAgain || !order.changes))
          return Promise.resolve({ value: undefined })
      }
      const until = state?.ending === undefined ? '' : `, and its power is cut at ${state.ending.until}`
      const what = state?.ending ? `it shuts down${until}` : 'it is being started'
      return Promise.resolve({ not: `${what}; the end of its console: ${lastLine(place)}` })
    },
  )
  if (seen === 'failed' && verb !== 'off')
    throw new LabError('MACHINE_OFF', `${name} is off again. The end of its console: ${lastLine(place)}`, {
      remedy: `pilotlight lab console ${name}`,
    })
  return seen === 'failed' ? undefined : seen
}

/** One order at a time: the lock is released once it is taken. */
async function lockOrders({ labDirectory, machine }: PowerPlace): Promise<Unlock> {
  const path = machineFiles(labDirectory, machine.name).orderLock
  const what = `no other command switches ${machine.name}`
  return waitUntil(what, { limitSeconds: TAKEN_SECONDS + 5, everyMs: 20 }, () => {
    const lock = tryLock(path)
    if (typeof lock === 'function') return Promise.resolve({ value: lock })
    return Promise.resolve({ not: `process ${lock.holder?.pid ?? 'unknown'} does, and holds ${path}` })
  })
}

/**
 * Asks the supply that there is, or starts one. Gives its state once it has taken the order; undefined for a machine that
 * went off before it could be switched off.
 */
async function giveOrder(place: PowerPlace, order: PowerOrder): Promise<PowerState | undefined> {
  const { labDirectory, machine } = place
  const { verb, hard, number } = order
  const { name } = machine
  const { supervisorLog } = machineFiles(labDirectory, name)
  const what = `the power supply of ${name} takes the order`
  for (let starts = 0; ;) {
    const supply = powerState(place)
    if (hasPower(supply)) {
      const { pid } = supply.supervisor
      signalProcess(supply.supervisor, 'SIGUSR2')
      const isCut = hard && verb === 'off'
      const limit = { limitSeconds: isCut ? CUT_SECONDS : TAKEN_SECONDS, everyMs: 20 }
      const state = await waitUntil(what, limit, () => {
        const state = powerState(place)
        const isGone = !isAlive(supply.supervisor)
        if (state !== undefined && state.order >= number && (isGone || !isCut))
          return Promise.resolve({ value: state })
        return Promise.resolve(isGone ? { value: undefined } : { not: `process ${pid} has been asked` })
      })
      if (state !== undefined) return state
      // It was about to end, and took no order: the machine is off.
    }
    if (verb === 'off') {
      await removeRemains(place) // if it was killed, and not switched off
      return undefined
    }
    if (verb === 'reset') throw new LabError('MACHINE_OFF', `${name} went off before it could be reset.`)
    const failed = `${name} gets no power: its power supply ended at once. Its log is ${supervisorLog}.`
    if (starts++ === 2) throw new LabError('MACHINE_OFF', failed)
    await removeRemains(place) // of a supply that was killed
    const supervise = [SUPERVISOR, labDirectory, name, String(number)]
    const argv = [process.execPath, '--disable-warning=ExperimentalWarning', ...supervise]
    const starter = startDetached(argv, supervisorLog)
    const state = await waitUntil(what, { limitSeconds: TAKEN_SECONDS, everyMs: 20 }, () => {
      const state = powerState(place)
      if (state !== undefined && state.order >= number) return Promise.resolve({ value: state })
      const not = `process ${starter.pid} starts, and its log is ${supervisorLog}`
      return Promise.resolve(isAlive(starter) ? { not } : { value: undefined })
    })
    if (state?.ended?.how === 'failed')
      throw new LabError('MACHINE_OFF', `${name} gets no power. The end of its console: ${lastLine(place)}`)
    if (state !== undefined) return state
  }
}

/** Ends what is left of a supply and its machine: nothing, usually. */
async function removeRemains(place: PowerPlace): Promise<void> {
  const { labDirectory, rack, machine } = place
  const files = machineFiles(labDirectory, machine.name)
  const supervisor = powerState(place)?.supervisor ?? readHolder(files.supplyLock)
  if (supervisor) await endProcess(supervisor, 0)
  const guest = readGuest(files.guest)
  if (guest && machine.driver === 'container') {
    signalProcess(guest, 'SIGKILL')
    thawContainer({ rack, machine })
  }
  if (guest) await endProcess(guest, 0)
  if (machine.driver === 'container') await removeContainer({ rack, machine, directory: files.directory })
  rmSync(files.guest, { force: true })
}

function lastLine({ labDirectory, machine }: PowerPlace): string {
  const text = textIfThereSync(machineFiles(labDirectory, machine.name).console) ?? ''
  return text.trimEnd().split('\n').at(-1)?.trim() || 'nothing'
}
