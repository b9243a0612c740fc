// The content type of bytes, guessed from the bytes (https://mimesniff.spec.whatwg.org), as Go's file server does it.

/** How many bytes are examined. */
export const SNIFF_BYTES = 512

/** The Content-Type of content that begins with `bytes`. */
export function contentTypeOf(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, SNIFF_BYTES)).toString(
    'latin1',
  )
  if (TAG.test(head)) return 'text/html; charset=utf-8'
  if (/^[\t\n\f\r ]*<\?xml/.test(head)) return 'text/xml; charset=utf-8'
  for (const [magic, type] of MAGIC) {
    if (beginsWith(head, magic)) return type
  }

  return isBinary(head) ? 'application/octet-stream' : 'text/plain; charset=utf-8'
}

const TAG =
  /^[\t\n\f\r ]*<(?:!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY|BR|P|!--)[ >]/i

/** Says whether there is a byte that no text holds. */
function isBinary(head: string): boolean {
  for (let at = 0; at < head.length; at += 1)
    if (head.charCodeAt(at) < 0x20 && !'\t\n\f\r\x1b'.includes(head[at] ?? '')) return true
  return false
}

/** Says whether `head` begins with `magic`, in which `*` stands for any byte. */
function beginsWith(head: string, magic: string): boolean {
  if (head.length < magic.length) return false
  for (let at = 0; at < magic.length; at += 1) if (magic[at] !== '*' && magic[at] !== head[at]) return false
  return true
}

/** How files begin that are known by it, byte by byte. */
const MAGIC: readonly (readonly [magic: string, type: string])[] = [
  ['%PDF-', 'application/pdf'],
  ['%!PS-Adobe-', 'application/postscript'],
  ['\xfe\xff**', 'text/plain; charset=utf-16be'],
  ['\xff\xfe**', 'text/plain; charset=utf-16le'],
  ['\xef\xbb\xbf*', 'text/plain; charset=utf-8'],
  ['\0\0\x01\0', 'image/x-icon'],
  ['\0\0\x02\0', 'image/x-icon'],
  ['BM', 'image/bmp'],
  ['GIF87a', 'image/gif'],
  ['GIF89a', 'image/gif'],
  ['RIFF****WEBPVP', 'image/webp'],
  ['\x89PNG\r\n\x1a\n', 'image/png'],
  ['\xff\xd8\xff', 'image/jpeg'],
  ['FORM****AIFF', 'audio/aiff'],
  ['ID3', 'audio/mpeg'],
  ['OggS\0', 'application/ogg'],
  ['MThd\0\0\0\x06', 'audio/midi'],
  ['RIFF****AVI ', 'video/avi'],
  ['RIFF****WAVE', 'audio/wave'],
  ['\x1a\x45\xdf\xa3', 'video/webm'],
  [`${'*'.repeat(34)}LP`, 'application/vnd.ms-fontobject'],
  ['\0\x01\0\0', 'font/ttf'],
  ['OTTO', 'font/otf'],
  ['ttcf', 'font/collection'],
  ['wOFF', 'font/woff'],
  ['wOF2', 'font/woff2'],
  ['\x1f\x8b\x08', 'application/x-gzip'],
  ['PK\x03\x04', 'application/zip'],
  ['Rar!\x1a\x07\0', 'application/x-rar-compressed'],
  ['Rar!\x1a\x07\x01\0', 'application/x-rar-compressed'],
  ['\0asm', 'application/wasm'],
]
