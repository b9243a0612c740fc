// One reader of UUIDs: SMBIOS keeps the first three fields with their bytes turned round (DMTF DSP0134 §7.2.1), and
// firmware does not agree on whether to turn them back, nor people on how to write them (RFC 9562 §4).

const DASHED_LENGTH = 36
/** With all dashes or with none. */
const DIGITS = /^([0-9a-f]{8})(-?)([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{12})$/
const FIELDS =
  /^([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})-([0-9a-f]{2})([0-9a-f]{2})-([0-9a-f]{2})([0-9a-f]{2})-(.{17})$/

/**
 * A UUID in lower case with its dashes, whether it was written so, as 32 digits, in braces, or as `urn:uuid:…`. What is
 * no UUID comes back in lower case.
 */
export function plainUuid(text: string): string {
  const lower = text.toLowerCase()
  if (lower.length === DASHED_LENGTH) return lower // as all firmware sends it
  const isBraced = lower.startsWith('{') && lower.endsWith('}')
  const inner = isBraced ? lower.slice(1, -1) : lower.replace(/^urn:uuid:/, '')
  return DIGITS.test(inner) ? inner.replace(DIGITS, '$1-$3-$4-$5-$6') : lower
}

/** Says whether a text is a UUID, in any of the forms of `plainUuid`. */
export function isUuid(text: string): boolean {
  return DIGITS.test(plainUuid(text))
}

/**
 * A UUID with the bytes of its first three fields in the other order. It is in the form of `plainUuid`, before and after;
 * what is not a UUID is returned as it is.
 */
export function otherByteOrder(plain: string): string {
  return plain.replace(FIELDS, '$4$3$2$1-$6$5-$8$7-$9')
}

/**
 * One text for all the ways to write the same UUID: any form, either case, either order of bytes. What is not a UUID is
 * returned in lower case. It is for comparing, not for showing.
 */
export function canonicalUuid(text: string): string {
  const plain = plainUuid(text)
  const swapped = otherByteOrder(plain)
  return swapped < plain ? swapped : plain
}

/** Says whether two texts are the same UUID, in whatever form and order of bytes. */
export function sameUuid(one: string, other: string): boolean {
  return canonicalUuid(one) === canonicalUuid(other)
}
