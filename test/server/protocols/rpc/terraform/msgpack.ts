// MessagePack, as far as Terraform's values need it: null, booleans, whole numbers, strings, lists, maps, and a value
// that is not known yet.

/** A value that only applying makes known. */
export const UNKNOWN = Symbol('unknown')

/** What can be packed. */
export type Value =
  null | boolean | number | string | typeof UNKNOWN | readonly Value[] | { readonly [key: string]: Value }

/** Packs a value. */
export function pack(value: Value): Buffer {
  if (value === null) return Buffer.of(0xc0)
  if (value === UNKNOWN) return Buffer.of(0xd4, 0, 0)
  if (typeof value === 'boolean') return Buffer.of(value ? 0xc3 : 0xc2)
  if (typeof value === 'number') return Buffer.concat([Buffer.of(0xd2), int32(value)])
  if (typeof value === 'string') {
    const bytes = Buffer.from(value)
    return Buffer.concat([Buffer.of(0xdb), int32(bytes.length), bytes])
  }
  if (isList(value)) return Buffer.concat([Buffer.of(0xdd), int32(value.length), ...value.map(pack)])
  const entries = Object.entries(value)
  const packed = entries.flatMap(([key, field]) => [pack(key), pack(field)])
  return Buffer.concat([Buffer.of(0xdf), int32(entries.length), ...packed])
}

/** Unpacks one value, which takes all of `bytes`. */
export function unpack(bytes: Buffer): Value {
  let at = 0
  const value = next()
  if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes are left`)
  return value

  function next(): Value {
    const tag = number(1)
    if (tag === 0xc0) return null
    if (tag === 0xc2 || tag === 0xc3) return tag === 0xc3
    if (tag < 0x80) return tag
    if (tag >= 0xd4 && tag <= 0xd8) return skip(1 + (1 << (tag - 0xd4)))
    if (tag >= 0xc7 && tag <= 0xc9) return skip(1 + number(1 << (tag - 0xc7)))
    if (tag >= 0xcc && tag <= 0xce) return number(1 << (tag - 0xcc))
    if ((tag & 0xe0) === 0xa0) return text(tag & 0x1f)
    if (tag >= 0xd9 && tag <= 0xdb) return text(number(1 << (tag - 0xd9)))
    if ((tag & 0xf0) === 0x90) return list(tag & 0x0f)
    if (tag === 0xdc || tag === 0xdd) return list(number(tag === 0xdc ? 2 : 4))
    if ((tag & 0xf0) === 0x80) return map(tag & 0x0f)
    if (tag === 0xde || tag === 0xdf) return map(number(tag === 0xde ? 2 : 4))
    throw new Error(`the tag 0x${tag.toString(16)} is none that Terraform sends`)
  }

  function number(width: number): number {
    at += width
    return bytes.readUIntBE(at - width, width)
  }

  function skip(length: number): typeof UNKNOWN {
    at += length
    return UNKNOWN
  }

  function text(length: number): string {
    at += length
    return bytes.toString('utf8', at - length, at)
  }

  function list(length: number): Value[] {
    return Array.from({ length }, next)
  }

  function map(length: number): Record<string, Value> {
    return Object.fromEntries(Array.from({ length }, () => [next() as string, next()])) // keys are strings
  }
}

function isList(value: object): value is readonly Value[] {
  return Array.isArray(value)
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
