// The kinds of objects that people write.

import { groupSchema, type Group } from './group.ts'
import { machineSchema, type Machine } from './machine.ts'
import { profileSchema, type Profile } from './profile.ts'
import { templateSchema, type Template } from './template.ts'

/** The schema of each kind. */
export const SCHEMAS = {
  group: groupSchema,
  profile: profileSchema,
  template: templateSchema,
  machine: machineSchema,
} as const

/** One of the kinds. */
export type Kind = keyof typeof SCHEMAS

/** The kinds of objects that people write. */
export const KINDS = ['group', 'profile', 'template', 'machine'] as const satisfies readonly Kind[]

/** The object of each kind. */
export type Objects = {
  readonly group: Group
  readonly profile: Profile
  readonly template: Template
  readonly machine: Machine
}

/** An object with its kind. */
export type KindedObject = { [K in Kind]: { readonly kind: K; readonly object: Objects[K] } }[Kind]

/** What a write did to an object. */
export type WriteResult = 'created' | 'changed' | 'unchanged' | 'deleted'

/** The id of an object: that of a machine is its name. */
export function idOf({ kind, object }: KindedObject): string {
  return kind === 'machine' ? object.name : object.id
}
