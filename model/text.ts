// Texts that may hold bytes which are not UTF-8, such as `%FF` in a query: they are kept as lone surrogates, one for a
// byte, so that the output has the same bytes as the input.

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** One byte that is not UTF-8, kept. */
const KEPT = /(?<![\ud800-\udbff])[\udc80-\udcff]/g

/** The text of bytes; a byte that is not UTF-8 becomes one of U+DC80 to U+DCFF. */
export function textOf(bytes: Uint8Array): string {
  try {
    return STRICT.decode(bytes)
  } catch {
    return escaped(bytes)
  }
}

/** The bytes of a text: what `textOf` was given. */
export function bytesOf(text: string): Buffer {
  if (!/[\udc80-\udcff]/.test(text) || text.isWellFormed()) return Buffer.from(text)
  const bytes = Buffer.alloc(3 * text.length)
  let end = 0
  let from = 0
  for (const { index } of text.matchAll(KEPT)) {
    if (index > from) end += bytes.write(text.slice(from, index), end)
    bytes[end++] = text.charCodeAt(index) - 0xdc00
    from = index + 1
  }
  end += bytes.write(text.slice(from), end)
  return bytes.subarray(0, end)
}

function escaped(bytes: Uint8Array): string {
  const units = Buffer.alloc(2 * bytes.length) // of UTF-16, which never has more of them than UTF-8 has bytes
  let end = 0
  for (let at = 0; at < bytes.length;) {
    const length = lengthAt(bytes, at)
    const point = length === 0 ? 0xdc00 + (bytes[at] ?? 0) : pointAt(bytes, at, length)
    if (point > 0xffff) {
      end = units.writeUInt16LE(0xd7c0 + (point >> 10), end)
      end = units.writeUInt16LE(0xdc00 + (point & 0x3ff), end)
    } else {
      end = units.writeUInt16LE(point, end)
    }
    at += length || 1
  }
  return units.toString('utf16le', 0, end)
}

/** How many bytes the character at `at` takes; 0 when there is none. Table 3-7 of the Unicode Standard. */
function lengthAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0
  if (first < 0x80) return 1
  if (first < 0xc2 || first > 0xf4) return 0
  const second = bytes[at + 1] ?? 0
  if (second < (LEAST_SECOND[first] ?? 0x80) || second > (GREATEST_SECOND[first] ?? 0xbf)) return 0
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  for (let next = at + 2; next < at + length; next++) {
    if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0
  }
  return length
}

/** Second bytes that are not 0x80 to 0xBF, by the first: what else would be overlong, a surrogate, or too great. */
const LEAST_SECOND: Readonly<Record<number, number>> = { 0xe0: 0xa0, 0xf0: 0x90 }
const GREATEST_SECOND: Readonly<Record<number, number>> = { 0xed: 0x9f, 0xf4: 0x8f }

function pointAt(bytes: Uint8Array, at: number, length: number): number {
  const first = bytes[at] ?? 0
  let point = length === 1 ? first : first & (0x7f >> length)
  for (let next = at + 1; next < at + length; next++) point = (point << 6) | ((bytes[next] ?? 0) & 0x3f)
  return point
}
