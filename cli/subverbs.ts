// The verbs below a verb, such as those of `pilotlight lab`, in the form of cli/verbs.ts: a row each, and a function that
// defines it. They are loaded together, so their files load what they need when they run.

import type { Command } from 'commander'

/** A verb below another one. */
export type Subverb = {
  readonly name: string
  readonly summary: string
  /** Adds its arguments, flags and action. */
  readonly define: (command: Command) => void
  /** It is meant where no verb is named. */
  readonly isDefault?: boolean
}

/** Adds the rows below `command`, in their order. */
export function addSubverbs(command: Command, rows: readonly Subverb[]): void {
  for (const { name, summary, define, isDefault = false } of rows)
    define(command.command(name, { isDefault }).description(summary))
}
