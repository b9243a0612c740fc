// What a machine driver gets, and what it gives: the hardware as the supervisor sees it.

import { readFileSync } from 'node:fs'
import type { ProcessMark } from '#host/process.ts'
import type { Rack, RackMachine } from '../rack.ts'

/** A machine of a rack, and where its files are. */
export type Hardware = {
  readonly rack: Rack
  readonly machine: RackMachine
  /** The machine's own folder: console log, disk, firmware variables. */
  readonly directory: string
  /** Where the mark of its process 1, or of its QEMU, is written: pid and start ticks. */
  readonly guestFile: string
  /** Takes what the machine prints. */
  console(bytes: Uint8Array): void
}

/** A machine that has power. */
export type RunningMachine = {
  /** Resolves when it lost power, or must start over. */
  readonly ended: Promise<'reset' | 'off'>
  /** The power button: the system shuts itself down, if it listens. */
  pressPower(): void
  /** Pulls the plug. */
  cutPower(): void
  /** The reset button, where the machine goes on as the same process; false when it does not. */
  reset?(): boolean
}

/** The mark of the guest's process, if it has come that far. */
export function readGuest(guestFile: string): ProcessMark | undefined {
  try {
    const [pid, startTicks] = readFileSync(guestFile, 'utf8').trim().split(' ').map(Number)
    return pid && startTicks ? { pid, startTicks } : undefined
  } catch {
    return undefined
  }
}
