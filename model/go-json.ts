// JSON as Go's encoding/json writes it.

/** JSON with the characters escaped that HTML gives a meaning to, and U+2028 and U+2029, as Go's encoder escapes them. */
export function goEscaped(json: string): string {
  return json.replaceAll(
    /[<>&\u2028\u2029]/g,
    letter => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
