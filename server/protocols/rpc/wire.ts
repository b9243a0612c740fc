// Our objects as Matchbox's gRPC API has them, and back.

import { fieldsOf, withEmpties, withoutEmpties } from '#model/fields.ts'
import { goEscaped } from '#model/go-json.ts'
import { isRecord } from '#model/record.ts'
import { groupSchema, type Group } from '#model/group.ts'
import { compareBytes } from '#model/order.ts'
import { profileSchema, type Profile } from '#model/profile.ts'
import { selectorTexts, type Labels } from '#model/selector.ts'
import { textOf } from '#model/text.ts'
import { goValueOf, NumberTooLarge } from '../../formats/ignition/go-values.ts'
import { BadJson, parseJson } from '../../formats/ignition/json.ts'

/** `storagepb.Group`, as protobuf gives it: what was not sent is empty. */
export type WireGroup = {
  readonly id: string
  readonly name: string
  readonly profile: string
  readonly selector: Labels
  /** A JSON object; no bytes for none. */
  readonly metadata: Uint8Array
}

/** `storagepb.Profile`. */
export type WireProfile = {
  readonly id: string
  readonly name: string
  readonly ignition_id: string
  readonly cloud_id: string
  /** Null when it was not sent. */
  readonly boot: WireBoot | null
  readonly generic_id: string
}

type WireBoot = {
  readonly kernel: string
  readonly initrd: readonly string[]
  readonly args: readonly string[]
}

/** Metadata that is not a JSON object; the message is Go's where it is one that people know. */
export class BadMetadata extends Error {
  readonly code = 'BAD_METADATA'
}

const GROUP = fieldsOf(groupSchema)
const PROFILE = fieldsOf(profileSchema)

/** A group for the wire. */
export function wireGroup(group: Group): WireGroup {
  const { selector = {}, metadata } = group
  const bytes = metadata === undefined ? new Uint8Array() : Buffer.from(goJson(metadata))
  const texts = withEmpties(GROUP, group) as Pick<WireGroup, 'id' | 'name' | 'profile'> // its fields that are texts
  return { ...texts, selector: selectorTexts(selector), metadata: bytes }
}

/** A profile for the wire. `boot` is always there: Matchbox's own clients fall over one that is not. */
export function wireProfile(profile: Profile): WireProfile {
  return withEmpties(PROFILE, profile) as WireProfile // the same fields
}

/**
 * A group from the wire; what is empty is left out, as in Matchbox's files.
 *
 * @throws {BadMetadata}
 */
export function groupOf({ selector, metadata, ...texts }: WireGroup): Group {
  const fields = metadataOf(metadata)
  const group = {
    ...texts,
    ...(Object.keys(selector).length === 0 ? {} : { selector: { ...selector } }),
    ...(Object.keys(fields).length === 0 ? {} : { metadata: fields }),
  }
  return { id: '', profile: '', ...withoutEmpties(GROUP, group) }
}

/** A profile from the wire; what is empty is left out, but for a `boot` that was sent. */
export function profileOf(profile: WireProfile): Profile {
  return { id: '', ...withoutEmpties(PROFILE, profile) }
}

function metadataOf(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.length === 0) return {}
  let value: unknown
  try {
    value = goValueOf(parseJson(textOf(bytes).toWellFormed()))
  } catch (error) {
    if (!(error instanceof BadJson) && !(error instanceof NumberTooLarge)) throw error
    throw new BadMetadata(`metadata is not JSON: ${error.message}`, { cause: error })
  }
  if (value === null) return {}
  if (isRecord(value)) return value
  const kind = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
  throw new BadMetadata(`json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`)
}

/** JSON as Go writes it: compact, keys in byte order, and nothing that means something in HTML. */
function goJson(value: unknown): string {
  const sorted = JSON.stringify(value, (_, field: unknown) =>
    isRecord(field)
      ? Object.fromEntries(Object.entries(field).toSorted(([a], [b]) => compareBytes(a, b)))
      : field,
  )
  return goEscaped(sorted)
}
