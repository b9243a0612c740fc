// `pilotlight get`: the server's lists as a table for people, or as JSON.

/** The columns of each list; a cell is the value at that key. */
const COLUMNS = {
  machines: ['name', 'role', 'phase', 'address', 'macs', 'uuid'],
  groups: ['id', 'profile', 'selector', 'name'],
  profiles: ['id', 'name', 'ignition_id'],
} as const

/** A list that `get` knows. */
export type Kind = keyof typeof COLUMNS

/** The lists that `get` knows. */
export const KINDS = Object.keys(COLUMNS) as readonly Kind[] // its own keys, none other

/** Rows of objects as a table with a heading; JSON values are written short. */
export function tableOf(kind: Kind, rows: readonly Readonly<Record<string, unknown>>[]): string {
  const columns = COLUMNS[kind]
  const cells = [
    columns.map(key => key.toUpperCase()),
    ...rows.map(row => columns.map(key => cellOf(row[key]))),
  ]
  const widths = columns.map((_, index) => Math.max(...cells.map(row => row[index]?.length ?? 0)))
  return cells
    .map(row =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function cellOf(value: unknown): string {
  if (value === undefined || value === null) return '-'
  if (Array.isArray(value)) return value.map(cellOf).join(',')
  if (typeof value !== 'object') return typeof value === 'string' ? value : JSON.stringify(value)
  return Object.entries(value)
    .map(([key, item]) => `${key}=${cellOf(item)}`)
    .join(' ')
}
