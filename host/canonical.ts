// Data as text that is equal when the data is.

import { isRecord } from '#model/record.ts'

/** JSON with the members of every object in one order. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    isRecord(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}
