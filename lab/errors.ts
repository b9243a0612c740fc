// Every error that the lab gives on purpose.

import { PilotlightError } from '#model/error.ts'

/** What failed in the lab, where, and how to fix it. */
export class LabError extends PilotlightError {
  /**
   * For programs: `BAD_NAME` what no lab can be called, `LOCKED` another process brings the lab up, `NEEDS_ROOT` no right to make namespaces, `UP_ALREADY` the lab runs with another rack, `NO_MACHINE` no such machine, `MACHINE_OFF` the
   * machine runs no system, or has no power, `NO_TOOL` a program of the host is missing,
   * `NO_BOOT` a machine got nothing to boot, `MALFORMED_PACKET` bytes that are not such packet.
   */
  readonly code: LabErrorCode
  constructor(code: LabErrorCode, message: string, options?: ErrorOptions & { readonly remedy?: string }) {
    super(message, options)
    this.code = code
  }
}

/** The kinds of error above. */
export type LabErrorCode =
  | 'BAD_NAME'
  | 'LOCKED'
  | 'NEEDS_ROOT'
  | 'UP_ALREADY'
  | 'NO_MACHINE'
  | 'MACHINE_OFF'
  | 'NO_TOOL'
  | 'NO_BOOT'
  | 'MALFORMED_PACKET'

/** `pilotlight up`, run in the rack, ended badly; message and remedy are its own. */
export class UpFailed extends PilotlightError {
  readonly code = 'UP_FAILED'
  /** The exit status of its process, which becomes that of `pilotlight lab`. */
  readonly exitStatus: number
  constructor(exitStatus: number, message: string, remedy: string) {
    super(message, { remedy })
    this.exitStatus = exitStatus
  }
}
