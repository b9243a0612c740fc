// The audit log: who changed what. An entry is on disk before the client hears that its change was made.

import { cleanLabel, cleanText } from '#model/clean.ts'
import type { Audited, Auditing, NewAuditEntry } from '../store/audit.ts'
import type { RowOutcome } from '../store/objects.ts'
import type { Identity } from './identity.ts'

/**
 * The start of an entry. Undefined for a client without an access role: what strangers are refused is counted and logged, and
 * shall not fill the audit log.
 *
 * @param from the address of the client
 */
export function auditing({ name, role, by }: Identity, from: string, action: string): Auditing | undefined {
  if (role === 'none' || by === 'nobody') return undefined
  return { who: cleanLabel(name), role, by, from, action }
}

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
