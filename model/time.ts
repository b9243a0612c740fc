// How times are written: numbers where we compute, texts where people and programs read them.

import type { Schema } from './schema.ts'

/** The milliseconds of a day. */
export const DAY_MS = 86_400_000

/** A time: milliseconds since 1970. The API gives it as ISO 8601 in UTC (`shown`). */
export const time = { type: 'integer', format: 'unix-ms' } as const

/** An object as the API gives it: each field that its schema calls a time is an ISO 8601 text, for example `2026-11-30T01:23:02.000Z`. */
export function shown(
  { properties = {} }: Schema,
  object: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => {
      const schema = properties[name] ?? {}
      if (schema.format === time.format) return [name, new Date(value as number).toISOString()] // a time by its schema
      if (schema.properties === undefined) return [name, value]
      return [name, shown(schema, value as Readonly<Record<string, unknown>>)] // an object by its schema
    }),
  )
}

/** The schema of what `shown` gives. */
export function shownSchema(schema: Schema): Schema {
  if (schema.format === time.format) return { ...schema, type: 'string', format: 'date-time' }
  if (schema.properties === undefined) return schema
  const properties = Object.entries(schema.properties).map(([name, field]) => [name, shownSchema(field)])
  return { ...schema, properties: Object.fromEntries(properties) as NonNullable<Schema['properties']> }
}
