// How a kind of object is described: once, as a JSON schema from which its TypeScript type, its check (check.ts), its
// place in the API's description, lint's shape rules and the texts of its files follow.
//
// Keywords beyond JSON schema, for check.ts and for the texts of files:
// - `format`: `mac`, `smbios-uuid`, `ipv4`, `host-name`, `file-name`, `file-path`, `digest`, `disk` (check.ts has their readers);
// - `x-read: 'selector'`: read by `readSelector`;
// - `x-ours: true`: a field that Matchbox does not have.

import type { XStatic } from 'typebox/schema'

/** The type of what a schema describes; nothing in it can be assigned to. */
export type Described<Schema> = ReadonlyDeep<XStatic<Schema>>

/** A type whose fields, and theirs, are all `readonly`. */
type ReadonlyDeep<T> = T extends (infer Item)[]
  ? readonly ReadonlyDeep<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: ReadonlyDeep<T[Key]> }
    : T

/** The part of JSON schema that the kinds use. */
export type Schema = {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  readonly description?: string
  readonly enum?: readonly string[]
  readonly anyOf?: readonly Schema[]
  readonly format?: string
  readonly pattern?: string
  readonly minLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly minProperties?: number
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema
  readonly required?: readonly string[]
  readonly default?: unknown
  readonly 'x-read'?: 'selector'
  readonly 'x-ours'?: boolean
}

/** The keywords that the server's validator does not know by itself. */
export const OWN_KEYWORDS = ['x-read', 'x-ours'] as const
/** The formats that the server's validator leaves to check.ts. */
export const OWN_FORMATS = [
  'mac',
  'smbios-uuid',
  'host-name',
  'file-name',
  'file-path',
  'digest',
  'disk',
] as const

/** A text of at least one character: the empty one stands for absence, as in Matchbox's files. */
export const text = { type: 'string', minLength: 1 } as const
/** A list of texts. */
export const texts = { type: 'array', items: { type: 'string' } } as const
/** An id of which the name of one file can be made. */
export const fileName = { type: 'string', minLength: 1, format: 'file-name' } as const
/** An id of which the name of a file can be made, with folders before it. */
export const filePath = { type: 'string', minLength: 1, format: 'file-path' } as const
/** Dotted IPv4. */
export const ipv4 = { type: 'string', format: 'ipv4' } as const
/** `SHA256:` and 64 lower-case hexadecimal digits. */
export const digest = {
  type: 'string',
  minLength: 1,
  pattern: '^SHA256:[0-9a-f]{64}$',
  format: 'digest',
} as const
