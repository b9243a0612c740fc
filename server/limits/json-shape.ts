// How deep and how wide a JSON text is, before it is parsed: a parser makes values of all that is in it. Pure.

/** What a JSON text may have. */
export type JsonShape = {
  /** Objects and lists inside each other. */
  readonly depth: number
  /** Values, as far as commas, objects and lists show them. */
  readonly values: number
}

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c

/**
 * Says whether `text` stays within `most`. It reads each character once and checks no syntax: what is not JSON may pass, and
 * is for the parser to refuse.
 */
export function isWithin(text: string, most: JsonShape): boolean {
  let depth = 0
  let values = 1
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at)
    if (character === QUOTE) at = endOfString(text, at + 1)
    else if (character === COMMA) values += 1
    // `[` and `{`, `]` and `}` differ in one bit.
    else if ((character | 0x20) === 0x7b) {
      depth += 1
      values += 1
    } else if ((character | 0x20) === 0x7d) depth -= 1
    if (depth > most.depth || values > most.values) return false
  }
  return true
}

/** The place of the quote that ends a string whose first character is at `at`. */
function endOfString(text: string, at: number): number {
  for (let place = at; place < text.length; place += 1) {
    const character = text.charCodeAt(place)
    if (character === QUOTE) return place
    if (character === BACKSLASH) place += 1
  }
  return text.length
}
