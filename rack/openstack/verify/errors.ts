// Every error that a verification gives on purpose.

import { PilotlightError } from '#model/error.ts'
import type { CheckResult } from './check.ts'

/** One thing is not as it must be. */
export class CheckFailed extends PilotlightError {
  readonly code = 'CHECK_FAILED'
}

/** The server that hands the guest out says nothing. */
export class GuestServerUnreachable extends PilotlightError {
  readonly code = 'GUEST_SERVER_UNREACHABLE'
}

/** The cloud does not do what it is for; the results show how far it got. */
export class VerificationFailed extends PilotlightError {
  readonly code = 'VERIFICATION_FAILED'
  readonly checks: readonly CheckResult[]
  /** The cause is what the first check that failed has seen. */
  constructor(checks: readonly CheckResult[], options: { readonly cause: unknown }) {
    const failed = checks.filter(({ state }) => state === 'failed').map(({ name }) => name)
    super(`The cloud does not pass its verification: ${failed.join(', ')} failed.`, options)
    this.checks = checks
  }
}

/** Another verification works with the same state directory. */
export class VerificationRuns extends PilotlightError {
  readonly code = 'VERIFICATION_RUNS'
  constructor(pid: number | undefined) {
    super(`Process ${pid ?? 'unknown'} is already verifying this cloud. Wait for it, or end it.`)
  }
}
