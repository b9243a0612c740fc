// What the audit log keeps of a change: made by pure functions, so that an entry is written in the transaction of its change.

import { cleanText } from '#model/clean.ts'
import type { Audited, Auditing, NewAuditEntry } from './audit.ts'
import type { RowOutcome } from './objects.ts'

/** A whole entry, its texts cleaned. `at` is in milliseconds since 1970. */
export function auditEntry(
  auditing: Auditing,
  { entity, outcome, before, after, summary, code }: Audited,
  at: number,
): NewAuditEntry {
  return {
    at,
    ...auditing,
    entity: cleanText(entity),
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
    ...(summary !== undefined && { summary: cleanText(summary) }),
    outcome,
    ...(code !== undefined && { code }),
  }
}

/**
 * What became of changes of objects that were made together: undefined when they changed nothing. One object is named with its
 * revisions; several by their number and the revisions that they were given, where the histories of the objects have them.
 */
export function auditedWrite(outcomes: readonly RowOutcome[], together: string): Audited | undefined {
  const changed = outcomes.filter(({ before, after }) => before !== after)
  const [first] = changed
  if (first === undefined) return undefined
  if (outcomes.length === 1) {
    const { kind, id, before, after } = first
    return {
      entity: `${kind}:${id}`,
      outcome: 'done',
      ...(before !== undefined && { before: String(before.revision) }),
      ...(after !== undefined && { after: String(after.revision) }),
    }
  }
  const removed = changed.filter(({ after }) => after === undefined).length
  const created = changed.filter(({ before }) => before === undefined).length
  const counts = { created, changed: changed.length - created - removed, removed }
  const revisions = changed.flatMap(({ after }) => (after === undefined ? [] : [after.revision]))
  const range =
    revisions.length === 0 ? '' : `; revisions ${Math.min(...revisions)} to ${Math.max(...revisions)}`
  const summary = Object.entries(counts).flatMap(([what, count]) => (count === 0 ? [] : [`${count} ${what}`]))
  return { entity: together, outcome: 'done', summary: summary.join(', ') + range }
}
