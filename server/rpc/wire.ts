// Our objects as Matchbox's gRPC API has them, and back.

import { compareBytes } from '../match/order.ts'
import { selectorTexts } from '../match/requirement.ts'
import type { Group, Labels, Profile } from '../inventory/objects.ts'

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

/** Metadata that is no JSON object; the message is Go's where it is one that people know. */
export class BadMetadata extends Error {
  readonly code = 'BAD_METADATA'
}

/** A group for the wire. */
export function wireGroup({ id, name = '', profile, selector = {}, metadata }: Group): WireGroup {
  const bytes = metadata === undefined ? new Uint8Array() : Buffer.from(goJson(metadata))
  return { id, name, profile, selector: selectorTexts(selector), metadata: bytes }
}

/** A profile for the wire. `boot` is always there: Matchbox's own clients fall over one that is not. */
export function wireProfile({
  id,
  name = '',
  ignition_id = '',
  cloud_id = '',
  boot,
  generic_id = '',
}: Profile): WireProfile {
  const { kernel = '', initrd = [], args = [] } = boot ?? {}
  return { id, name, ignition_id, cloud_id, boot: { kernel, initrd, args }, generic_id }
}

/**
 * A group from the wire; what is empty is left out, as in Matchbox's files.
 *
 * @throws {BadMetadata}
 */
export function groupOf({ id, name, profile, selector, metadata }: WireGroup): Group {
  const fields = metadataOf(metadata)
  return {
    id,
    ...(name === '' ? {} : { name }),
    profile,
    ...(Object.keys(selector).length === 0 ? {} : { selector: { ...selector } }),
    ...(Object.keys(fields).length === 0 ? {} : { metadata: fields }),
  }
}

/** A profile from the wire; what is empty is left out, but for a `boot` that was sent. */
export function profileOf({ id, name, boot, ...files }: WireProfile): Profile {
  const named = Object.entries({
    name,
    ignition_id: files.ignition_id,
    cloud_id: files.cloud_id,
    generic_id: files.generic_id,
  })
  return {
    id,
    ...Object.fromEntries(named.filter(([, value]) => value !== '')),
    ...(boot === null ? {} : { boot: bootOf(boot) }),
  }
}

function bootOf({ kernel, initrd, args }: WireBoot): NonNullable<Profile['boot']> {
  return {
    ...(kernel === '' ? {} : { kernel }),
    ...(initrd.length === 0 ? {} : { initrd: [...initrd] }),
    ...(args.length === 0 ? {} : { args: [...args] }),
  }
}

function metadataOf(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.length === 0) return {}
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString())
  } catch (error) {
    throw new BadMetadata(`metadata is no JSON: ${(error as Error).message}`, { cause: error }) // a SyntaxError
  }
  if (value === null) return {}
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown> // no array, not null
  const kind = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
  throw new BadMetadata(`json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`)
}

/** JSON as Go writes it: compact, keys in byte order, and nothing that means something in HTML. */
function goJson(value: unknown): string {
  const sorted = JSON.stringify(value, (_, field: unknown) =>
    typeof field === 'object' && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).toSorted(([a], [b]) => compareBytes(a, b)))
      : field,
  )
  return sorted.replaceAll(
    /[<>&\u2028\u2029]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
