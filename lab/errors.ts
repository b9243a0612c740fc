// Every error that the lab gives on purpose.

/** What went wrong in the lab, where, and how to mend it. */
export class LabError extends Error {
  /**
   * For programs: `BAD_NAME` what no lab can be called, `LOCKED` another process brings the lab up, `NEEDS_ROOT` no right to make namespaces, `NOT_UP` no such
   * lab, `UP_ALREADY` the lab runs with another rack, `NO_MACHINE` no such machine, `MACHINE_OFF` the
   * machine runs no system, `NO_TOOL` a program of the host is missing,
   * `NO_BOOT` a machine got nothing to boot, `MALFORMED_PACKET` bytes that are no such packet.
   */
  readonly code: LabErrorCode
  constructor(code: LabErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The kinds of error above. */
export type LabErrorCode =
  | 'BAD_NAME'
  | 'LOCKED'
  | 'NEEDS_ROOT'
  | 'NOT_UP'
  | 'UP_ALREADY'
  | 'NO_MACHINE'
  | 'MACHINE_OFF'
  | 'NO_TOOL'
  | 'NO_BOOT'
  | 'MALFORMED_PACKET'
