// What every judge of Kubernetes objects answers, and how answers are put together. Pure.

import type { Seen } from '#progress/wait.ts'

/** Whether something is there yet: it is, it is not yet, or waiting will not bring it about; and why. */
export type Readiness = Ready | NotReady

/** It is there; `summary` is a note for a person, as `coredns 2 of 2 available`. */
export type Ready = { readonly state: 'ready'; readonly summary: string }

/** It is not; `remedy` is what a person may do where waiting does not help. */
export type NotReady = { readonly reason: string; readonly suspect?: Suspect } & (
  { readonly state: 'waiting' } | { readonly state: 'broken'; readonly remedy: string }
)

/** The container whose log says more, and whether the one before its last restart does. */
export type Suspect = { readonly pod: string; readonly container?: string; readonly previous: boolean }

/** It is there. */
export function ready(summary: string): Ready {
  return { state: 'ready', summary }
}

/** It is not there yet, for this reason. */
export function waiting(reason: string, suspect?: Suspect): NotReady {
  return { state: 'waiting', reason, ...(suspect === undefined ? {} : { suspect }) }
}

/** Waiting will not bring it about. */
export function broken(reason: string, remedy: string, suspect?: Suspect): NotReady {
  return { state: 'broken', reason, remedy, ...(suspect === undefined ? {} : { suspect }) }
}

/** The one that a person should see first: what is broken before what is only not there yet; nothing when all is there. */
export function worstOf(all: readonly Readiness[]): NotReady | undefined {
  return all.find(it => it.state === 'broken') ?? all.find(it => it.state === 'waiting')
}

/** All of them together, for a wait with its own limit: every summary, or every reason why not. */
export function seenTogether(all: readonly Readiness[]): Seen<string> {
  const reasons = all.flatMap(it => (it.state === 'ready' ? [] : [it.reason]))
  if (reasons.length > 0) return { not: reasons.join('; ') }
  return { value: all.flatMap(it => (it.state === 'ready' ? [it.summary] : [])).join(', ') }
}
