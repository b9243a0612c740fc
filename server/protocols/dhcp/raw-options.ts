// What is read of a packet before it is decoded, when a flood leaves no time to decode each.

import { END, OPTION, PAD } from './options.ts'
import { OPTIONS_AT } from './packet.ts'

/**
 * The SMBIOS UUID of a packet (RFC 4578 §2.3), with its dashes, in the order of its bytes: firmware sends either order. Its
 * header is complete, and its options may be anything. Looks at the options field only, where firmware puts option 97.
 */
export function uuidIn(bytes: Uint8Array): string | undefined {
  for (let at = OPTIONS_AT; at < bytes.length;) {
    const option = bytes[at]
    if (option === END) return undefined
    if (option === OPTION.clientUuid) {
      if (bytes[at + 1] !== UUID_BYTES + 1 || bytes[at + 2] !== 0) return undefined
      const from = at + 3
      return from + UUID_BYTES > bytes.length ? undefined : uuidText(bytes, from)
    }
    at += option === PAD ? 1 : 2 + (bytes[at + 1] ?? 0)
  }
  return undefined
}

const UUID_BYTES = 16
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** The 16 bytes from `at` on, which must be there. Written out, because a flood asks for it with each packet. */
function uuidText(bytes: Uint8Array, at: number): string {
  const hex = (byte: number) => HEX[bytes[at + byte]!]! // it is there, and below 256
  const fields = `${hex(0)}${hex(1)}${hex(2)}${hex(3)}-${hex(4)}${hex(5)}-${hex(6)}${hex(7)}`
  return `${fields}-${hex(8)}${hex(9)}-${hex(10)}${hex(11)}${hex(12)}${hex(13)}${hex(14)}${hex(15)}`
}
