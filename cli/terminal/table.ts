// Rows of values as a table for people.

import type { Selector } from '#model/selector.ts'
import { cleanText } from '#model/clean.ts'
import { selectorText } from '#server/boot/match/selector-text.ts'

/** Keys of the values, which are the headings too. */
export type Columns = readonly string[]

/** Rows of objects as a table with a heading; JSON values are written short. */
export function tableOf(columns: Columns, rows: readonly Readonly<Record<string, unknown>>[]): string {
  const cells = [
    columns.map(key => key.replace(/(?<=[a-z])At$/, '').toUpperCase()), // expiresAt: EXPIRES
    ...rows.map(row => columns.map(key => cellOf(row[key]))),
  ]
  const widths = columns.map((_, index) =>
    cells.reduce((most, row) => Math.max(most, row[index]?.length ?? 0), 0),
  )
  return cells
    .map(row =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** A value on one line, without what a terminal obeys. */
export function cellOf(value: unknown): string {
  if (value === undefined || value === null) return '-'
  if (Array.isArray(value)) return value.map(cellOf).join(',') || '-'
  if (typeof value !== 'object')
    return cleanText(typeof value === 'string' ? value : JSON.stringify(value), Infinity)
  const fields = Object.entries(value).map(([key, item]) => `${cleanText(key, Infinity)}=${cellOf(item)}`)
  return fields.join(' ') || '-'
}

/** A group with its selector as text: `mac=52:54:…, address in 10.20.0.0/24`. */
export function withSelectorText<T extends Readonly<Record<string, unknown>>>(group: T): T {
  return { ...group, selector: selectorText((group['selector'] ?? {}) as Selector) } // as the server keeps it
}
