// Texts that may hold bytes which are no UTF-8, such as `%FF` in a query: they are kept as lone surrogates, one for a
// byte, so that what came in goes out again byte for byte.

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text of bytes; a byte that is no UTF-8 becomes one of U+DC80 to U+DCFF. */
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
  const pieces = text.split(/(?<![\ud800-\udbff])([\udc80-\udcff])/)
  return Buffer.concat(
    pieces.map((piece, turn) =>
      turn % 2 === 0 ? Buffer.from(piece) : Buffer.of(piece.charCodeAt(0) - 0xdc00),
    ),
  )
}

function escaped(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length;) {
    const length = lengthAt(bytes, at)
    text +=
      length === 0
        ? String.fromCharCode(0xdc00 + (bytes[at] ?? 0))
        : STRICT.decode(bytes.subarray(at, at + length))
    at += length || 1
  }
  return text
}

/** How many bytes the character at `at` takes; 0 when there is none. */
function lengthAt(bytes: Uint8Array, at: number): number {
  for (const length of [1, 2, 3, 4]) {
    if (at + length > bytes.length) return 0
    try {
      if (STRICT.decode(bytes.subarray(at, at + length)) !== '') return length
    } catch {
      // It may take one more.
    }
  }
  return 0
}
