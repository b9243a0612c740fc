// What a step on a machine's record refuses, as its result: a step that throws is undone, and those that share its commit are
// done again, which no one who is refused shall cause.

import { ServerError } from '../errors.ts'

/** The result of a step, or the refusal that ended it. */
export type Refusable<T> = { readonly value: T } | { readonly refusal: ServerError }

/**
 * Does `work`, and gives a refusal (one of our errors below 500) as a value; anything else is thrown. What the step wrote before
 * it is kept, so it refuses first and writes then.
 */
export function refusalOf<T>(work: () => T): Refusable<T> {
  try {
    return { value: work() }
  } catch (error) {
    if (error instanceof ServerError && error.statusCode < 500) return { refusal: error }
    throw error
  }
}
