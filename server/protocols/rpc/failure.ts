// What a call of gRPC is answered when it cannot be done: Matchbox's own codes and messages where it has any.

import { status } from '@grpc/grpc-js'
import { ServerError } from '../../errors.ts'

/** A call that fails on purpose. */
export class CallFailed extends Error {
  readonly code: status
  constructor(code: status, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** What Matchbox answers to nearly everything: code Unknown, and Go's message. */
export function asInMatchbox(message: string): CallFailed {
  return new CallFailed(status.UNKNOWN, message)
}

/** The code for an error of the inventory, which Matchbox has no like of. */
const CODES: ReadonlyMap<number, status> = new Map([
  [400, status.INVALID_ARGUMENT],
  [401, status.UNAUTHENTICATED],
  [403, status.PERMISSION_DENIED],
  [404, status.NOT_FOUND],
  [409, status.FAILED_PRECONDITION],
  [412, status.ABORTED],
  [507, status.RESOURCE_EXHAUSTED],
])

/** The failure for anything that was thrown; what was not thrown on purpose is our bug, and reveals nothing. */
export function failureOf(error: unknown): CallFailed {
  if (error instanceof CallFailed) return error
  if (error instanceof ServerError) {
    return new CallFailed(CODES.get(error.statusCode) ?? status.UNAVAILABLE, error.message, { cause: error })
  }
  return new CallFailed(status.INTERNAL, 'The server failed. Its log has the reason.', { cause: error })
}
