// One reader of UUIDs: SMBIOS keeps the first three fields with their bytes turned round (DMTF DSP0134 §7.2.1), and
// firmware does not agree on whether to turn them back.

const UUID =
  /^([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})-([0-9a-f]{2})([0-9a-f]{2})-([0-9a-f]{2})([0-9a-f]{2})-(.{17})$/

/**
 * One text for all the ways to write the same UUID: either case, either order of bytes. What is no UUID comes back in
 * lower case. It is for comparing, not for showing.
 */
export function canonicalUuid(text: string): string {
  const lower = text.toLowerCase()
  const swapped = lower.replace(UUID, '$4$3$2$1-$6$5-$8$7-$9')
  return swapped < lower ? swapped : lower
}
