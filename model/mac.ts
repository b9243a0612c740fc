// One reader of hardware addresses, for labels, selectors, site files and leases.

const GROUPED = /^[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2})*$/i
const DOTTED = /^[0-9a-f]{4}(?:\.[0-9a-f]{4})*$/i
const BARE = /^[0-9a-f]+$/i
/** What most of them are written as already. */
const NORMAL = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/
/** Ethernet, EUI-64, and IP over InfiniBand, in hex digits. */
const DIGITS = new Set([12, 16, 40])

/**
 * Gives a hardware address in lower case with colons, whichever way it was written: `52:54:00:20:00:01`,
 * `52-54-00-20-00-01`, `5254.0020.0001` or `525400200001`, in any case; 6, 8 or 20 bytes as in Go's
 * net.ParseMAC. Anything else is undefined.
 */
export function normaliseMac(text: string): string | undefined {
  if (NORMAL.test(text)) return text
  if (!GROUPED.test(text) && !DOTTED.test(text) && !BARE.test(text)) return undefined
  const digits = text.replaceAll(/[:.-]/g, '').toLowerCase()
  return DIGITS.has(digits.length) ? digits.replaceAll(/..(?=.)/g, '$&:') : undefined
}

/** Says whether an address, as `normaliseMac` gives it, is that of a group of cards: the lowest bit of its first byte (IEEE 802, 8.2.2). */
export function isGroupMac(mac: string): boolean {
  return Number.parseInt(mac.slice(0, 2), 16) % 2 === 1
}
