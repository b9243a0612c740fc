// The order of texts that Go and Matchbox use.

/** Compares texts by their bytes in UTF-8, as Go does. In UTF-16 only surrogates sort differently. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at += 1) {
    const one = a.charCodeAt(at)
    const other = b.charCodeAt(at)
    if (one !== other) return byteRank(one) - byteRank(other)
  }
  return a.length - b.length
}

/** Surrogates stand for what is above U+FFFF, and so above every single unit. */
function byteRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}
