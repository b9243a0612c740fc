// The errors of the cloud's APIs.

import { PilotlightError } from '#model/error.ts'

/** A service answered, but not with what was asked for. */
export class CloudRefused extends PilotlightError {
  readonly code = 'CLOUD_REFUSED'
  /** The type of the service in the catalog, for example `compute`. */
  readonly service: string
  /** The HTTP status, for example 409. */
  readonly status: number
  constructor(service: string, asked: string, status: number, said: string) {
    super(`${service}: ${asked} answers ${status}: ${messageIn(said)}`)
    this.service = service
    this.status = status
  }
}

/** A service was asked, and said nothing. */
export class NoAnswer extends PilotlightError {
  readonly code = 'NO_ANSWER'
  constructor(asked: string, seconds: number) {
    super(`${asked}: no answer within ${seconds} s. The machines may be too busy: run the same again.`)
  }
}

/** The catalog has no such service, or not yet. */
export class NoSuchService extends PilotlightError {
  readonly code = 'NO_SUCH_SERVICE'
  constructor(type: string, there: readonly string[]) {
    super(`the catalog has no public endpoint of ${type}; it has ${there.join(', ') || 'nothing'}`)
  }
}

/** Throws the cause of fetch's error, whose own message is only `fetch failed`. */
export function asConnectionError(error: unknown): never {
  throw error instanceof TypeError && error.cause instanceof Error ? error.cause : error
}

/** The same for a call that may take so many seconds: when they have passed, what is thrown names the call. */
export function asFailedCall(asked: string, seconds: number): (error: unknown) => never {
  return error => {
    if (error instanceof DOMException && error.name === 'TimeoutError') throw new NoAnswer(asked, seconds)
    return asConnectionError(error)
  }
}

/** The message within an error's JSON, which each service wraps in its own way; text that is not JSON is given unchanged. */
export function messageIn(said: string): string {
  try {
    const found = messageWithin(JSON.parse(said))
    if (found !== undefined) return found
  } catch {
    // HTML of a proxy, or nothing at all
  }
  return said.replaceAll(/\s+/g, ' ').slice(0, 160)
}

// {"NeutronError": {"message"}}, {"badRequest": {"message"}}, {"error": {"message"}}, {"errors": [{"detail"}]}
function messageWithin(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { message, detail } = value as { message?: unknown; detail?: unknown }
  if (typeof message === 'string') return message
  if (typeof detail === 'string') return detail
  for (const inner of Object.values(value)) {
    const found = messageWithin(inner)
    if (found !== undefined) return found
  }
  return undefined
}
