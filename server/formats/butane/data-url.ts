// Puts content into a `data:` URL, in the shortest of three ways, as Butane does.

import { gzipSync } from 'node:zlib'

/** Bytes of the empty block with which Go ends a compressed stream; they count when it chooses. */
const GO_LAST_BLOCK_BYTES = 5

/**
 * The URL of `content`, and the compression to write beside it. What is compressed already (`compression` is not
 * empty) is not compressed again; otherwise the compression is always written, so that no parent config's is inherited.
 */
export function dataUrlOf(
  content: Uint8Array,
  compression: string | undefined,
): { readonly source: string; readonly compression: string } {
  const escaped = `,${escapeBytes(content)}`
  const encoded = `;base64,${Buffer.from(content).toString('base64')}`
  const plain = encoded.length < escaped.length ? encoded : escaped
  if (compression !== undefined && compression !== '') return { source: `data:${plain}`, compression }
  const bytes = gzipSync(content, { level: 9 })
  const squeezed = `;base64,${bytes.toString('base64')}`
  const length = ';base64,'.length + Math.ceil((bytes.length + GO_LAST_BLOCK_BYTES) / 3) * 4
  if (length + 'gzip'.length < plain.length) return { source: `data:${squeezed}`, compression: 'gzip' }
  return { source: `data:${plain}`, compression: '' }
}

/** Bytes with all but unreserved characters (RFC 2396 §2.3) as `%XX`. */
export function escapeBytes(content: Uint8Array): string {
  let text = ''
  for (const byte of content) text += ESCAPES[byte] ?? ''
  return text
}

const ESCAPES = Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte)
  return /[A-Za-z0-9\-_.!~*'()]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
})
