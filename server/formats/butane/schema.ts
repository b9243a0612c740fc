// The fields of a Butane config: those of Ignition, in YAML's way of writing, and the sugar on top.

import type { Dialect } from '../ignition/read.ts'
import {
  authority,
  CONFIG,
  dropin,
  type Field,
  filesystem,
  object,
  type ObjectType,
  owner,
  reference,
  resource,
  storage,
  tang,
  texts,
  type Type,
  unit,
  user,
} from '../ignition/schema.ts'
import type { Variant } from './variants.ts'
import { yamlScalar } from './yaml.ts'

/** What Butane adds to the objects of Ignition; the number is the first Ignition spec whose Butane has it. */
const SUGAR: ReadonlyMap<ObjectType, ObjectType> = new Map([
  [resource, object({ inline: 'string', 'local@1': 'string' })],
  [authority, object({ 'inline@1': 'string', 'local@1': 'string' })],
  [reference, object({ 'inline@1': 'string', 'local@1': 'string' })],
  [filesystem, object({ 'withMountUnit@1': 'boolean' })],
  [unit, object({ 'contentsLocal@4': 'string' })],
  [dropin, object({ 'contentsLocal@4': 'string' })],
  [user, object({ 'sshAuthorizedKeysLocal@4': texts })],
  [
    storage,
    object({
      'trees@1': {
        list: object({
          local: 'string',
          path: 'string',
          'user@6': owner,
          'group@6': owner,
          'fileMode@6': 'integer',
          'dirMode@6': 'integer',
        }),
      },
    }),
  ],
])

/** What fcos adds to the whole; the number is the minor number of its own version. */
const FCOS = object({
  'bootDevice@3': object({
    layout: 'string',
    luks: object({
      'cex@6': object({ enabled: 'boolean' }),
      'device@6': 'string',
      'discard@5': 'boolean',
      tang: { list: tang },
      threshold: 'integer',
      tpm2: 'boolean',
    }),
    mirror: object({ devices: texts }),
  }),
  'grub@5': object({ users: { list: object({ name: 'string', passwordHash: 'string' }) } }),
})

/** The whole of a Butane config of this variant. */
export function butaneConfig({ spec, fcos }: Variant): ObjectType {
  const { fields } = sugared(CONFIG, spec)
  const own = fcos === undefined ? [] : sugared(FCOS, fcos).fields
  return { fields: [...object({ variant: 'string', version: 'string' }).fields, ...fields, ...own] }
}

/** What every Butane config says of itself. */
export const HEAD: ObjectType = object({ variant: 'string', version: 'string' })

/** How Butane reads YAML: names with underscores, exactly so. */
export const BUTANE: Dialect = {
  fieldOf: (type, key) => type.fields.find(({ name }) => snakeCase(name) === key),
  scalar: yamlScalar,
}

/** `sizeMiB` as `size_mib`. */
export function snakeCase(name: string): string {
  return name.replace('MiB', '_mib').replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}

/** A type with its sugar, and without what was added after `version`. */
function sugared(type: ObjectType, version: number): ObjectType {
  const fields = [...type.fields, ...(SUGAR.get(type)?.fields ?? [])]
  return {
    fields: fields
      .filter(({ since }) => since <= version)
      .map((field): Field => ({ ...field, type: sugaredType(field.type, version) })),
  }
}

function sugaredType(type: Type, version: number): Type {
  if (typeof type === 'string') return type
  return 'list' in type ? { list: sugaredType(type.list, version) } : sugared(type, version)
}
