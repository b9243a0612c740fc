// What follows from a schema beside its check: which fields there are, in which order, and what each is empty as. The
// forms of Matchbox (files, gRPC) know no absence: there an empty text and an empty list say it.

import type { Schema } from './schema.ts'

/** How a field is written: `record` and `selector` are objects whose keys no schema names. */
export type FieldType = 'text' | 'texts' | 'integer' | 'boolean' | 'record' | 'selector' | 'object'

/** A field of an object, as its schema describes it. */
export type Field = {
  readonly name: string
  readonly type: FieldType
  readonly isRequired: boolean
  /** Matchbox does not have it. */
  readonly isOurs: boolean
  /** Of an `object`: its own fields; of others none. */
  readonly fields: readonly Field[]
}

/** The fields of a schema, in its order. */
export function fieldsOf({ properties = {}, required = [] }: Schema): readonly Field[] {
  return Object.entries(properties).map(([name, field]) => ({
    name,
    type: typeOf(field),
    isRequired: required.includes(name),
    isOurs: field['x-ours'] === true,
    fields: fieldsOf(field),
  }))
}

function typeOf(schema: Schema): FieldType {
  if (schema['x-read'] === 'selector') return 'selector'
  if (schema.properties !== undefined) return 'object'
  if (schema.type === 'object') return 'record'
  if (schema.type === 'array') return 'texts'
  return schema.type === 'integer' || schema.type === 'boolean' ? schema.type : 'text'
}

type Values = Readonly<Record<string, unknown>>

/** The fields that are not empty, in the order of `fields`. A nested object stays, empty or not, as in Matchbox. */
export function withoutEmpties(fields: readonly Field[], values: Values): Record<string, unknown> {
  return Object.fromEntries(
    fields.flatMap(({ name, type, fields: inner }) => {
      const value = values[name]
      if (
        value === undefined ||
        value === null ||
        value === '' ||
        (Array.isArray(value) && value.length === 0)
      )
        return []
      return [[name, type === 'object' ? withoutEmpties(inner, value as Values) : value]] // an object by its schema
    }),
  )
}

/** All fields but records and selectors, those that are absent as the empty value of their type. */
export function withEmpties(fields: readonly Field[], values: Values): Record<string, unknown> {
  return Object.fromEntries(
    fields.flatMap(({ name, type, fields: inner }) => {
      const value = values[name]
      if (type === 'text') return [[name, value ?? '']]
      if (type === 'texts') return [[name, value ?? []]]
      return type === 'object' ? [[name, withEmpties(inner, (value ?? {}) as Values)]] : [] // an object by its schema
    }),
  )
}
