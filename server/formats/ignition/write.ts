// Writes a config as the Go programs do: fields in the order of the schema, compact, with the characters escaped that
// HTML gives a meaning to.

import { goEscaped } from '#model/go-json.ts'
import type { Fields, Value } from './read.ts'
import { CONFIG, type ObjectType, type Type } from './schema.ts'
import type { IgnitionConfig, Integer } from './types.ts'

/** The spec that Matchbox gives, whatever it was given, by its minor number: 3.4.0. */
export const MATCHBOX_SPEC = 4

/**
 * The config as Matchbox serves it: raised to spec 3.4.0, or to 3.`to`, with every object written, even an empty one.
 * `spec` is the minor number of the spec that it was written for, at most `to`.
 */
export function matchboxJson(config: IgnitionConfig, spec: number, to = MATCHBOX_SPEC): string {
  const raised = spec < 3 ? raiseToPointers(config) : config
  return writeIgnition(raised, to, { emptyObjects: true })
}

/** The config in the given spec. Unless `emptyObjects`, an object without content is left out. */
export function writeIgnition(
  config: IgnitionConfig,
  spec: number,
  { emptyObjects }: { readonly emptyObjects: boolean },
): string {
  const dated = { ...config, ignition: { ...config.ignition, version: `3.${spec}.0` } }
  return writeObject(dated, CONFIG, { spec, emptyObjects })
}

/** A text in JSON, as Go's encoder writes it. */
function goString(text: string): string {
  return goEscaped(JSON.stringify(text.toWellFormed()))
}

type Writing = { readonly spec: number; readonly emptyObjects: boolean }

function writeValue(value: Value | undefined, type: Type, writing: Writing): string {
  if (typeof type === 'string')
    return typeof value === 'string' ? goString(value) : `${value as Integer | boolean}` // a scalar by schema
  if ('list' in type) {
    const items = (value as readonly Value[]).map(item => writeValue(item, type.list, writing)) // a list by schema
    return `[${items.join(',')}]`
  }
  return writeObject((value ?? {}) as Fields, type, writing) // an object by schema
}

function writeObject(fields: Fields, type: ObjectType, writing: Writing): string {
  const members = type.fields.flatMap(({ name, type, since, kept }) => {
    if (since > writing.spec) return []
    const value = fields[name] ?? (kept ? '' : undefined)
    const text = isLeftOut(name, value, type) ? undefined : writeValue(value, type, writing)
    return text === undefined || (text === '{}' && !writing.emptyObjects) ? [] : [`"${name}":${text}`]
  })
  return `{${members.join(',')}}`
}

/** Go leaves out what is absent, empty lists, and the two fields whose empty value means absent. */
function isLeftOut(name: string, value: Value | undefined, type: Type): boolean {
  if (typeof type !== 'string')
    return 'list' in type && (value === undefined || (value as Value[]).length === 0)
  if (name === 'number') return value === undefined || value === 0
  if (name === 'url') return value === undefined || value === ''
  return value === undefined
}

/** Up to 3.2 a few texts could not be absent; raised, they are there and empty. */
function raiseToPointers(config: IgnitionConfig): IgnitionConfig {
  const { storage } = config
  if (storage === undefined) return config
  const { links, luks } = storage
  return {
    ...config,
    storage: {
      ...storage,
      ...(links && { links: links.map(link => ({ target: '', ...link })) }),
      ...(luks && {
        luks: luks.map(({ clevis, ...volume }) => {
          if (clevis === undefined) return volume
          const { custom, ...pins } = clevis
          return {
            ...volume,
            clevis: { ...pins, ...(custom && { custom: { config: '', pin: '', ...custom } }) },
          }
        }),
      }),
    },
  }
}
