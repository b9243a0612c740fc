// What is wrong with an object, and where.

/** One thing that is wrong with an object, and where in it: a JSON pointer (RFC 6901), and for a text its line and column. */
export type Fault = {
  readonly pointer: string
  readonly detail: string
  readonly line?: number
  readonly column?: number
}

/** A position for people: both count from 1. */
export type Place = { readonly line: number; readonly column: number }
