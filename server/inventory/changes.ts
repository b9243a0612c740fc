// What can be written into the inventory, and what comes of it. Types only.

import type { Fault } from '#model/fault.ts'
import type { Kind, KindedObject, Objects, WriteResult } from '#model/kinds.ts'

/**
 * What has to be there for a change to be made: a version that was read before, nothing (`absent`), or anything
 * (`present`). Without it, whatever is there is replaced.
 */
export type Expectation = string

/** A wish: put an object in place of whatever has its id, or remove one. */
export type Change =
  | (KindedObject & { readonly action: 'put'; readonly expect?: Expectation })
  | { readonly action: 'delete'; readonly kind: Kind; readonly id: string; readonly expect?: Expectation }

/** What became of a change. */
export type Outcome = {
  readonly kind: Kind
  readonly id: string
  readonly result: WriteResult
  /** Of what is there now: after a deletion the file that it hid, if there is one. */
  readonly version?: string
  /** What was there, and what is there now: the two sides of a diff. */
  readonly before?: Objects[Kind]
  readonly after?: Objects[Kind]
  /** What is odd about the new object, but no reason to refuse it. */
  readonly warnings: readonly Fault[]
}

/** An object as it is in effect, with where it comes from. */
export type Entry<K extends Kind = Kind> = {
  readonly kind: K
  readonly id: string
  readonly object: Objects[K]
  /** Names this state of the object: the text of its ETag. */
  readonly version: string
  /** `store`: put by a client; `directory`: a file of the data directory. */
  readonly source: 'store' | 'directory'
  /** The site that it belongs to; only that site's file changes it. */
  readonly site?: string
  /** Milliseconds since 1970, and who wrote it. */
  readonly at?: number
  readonly who?: string
}
