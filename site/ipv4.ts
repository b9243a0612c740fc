// IPv4 addresses and networks as numbers, for the checks of a site file.

/** A network: its first and last address as unsigned numbers, and the length of its prefix in bits. */
export type Network = { readonly first: number; readonly last: number; readonly bits: number }

/** The address as an unsigned 32-bit number, or undefined when the text is not four decimal bytes. */
export function parseAddress(text: string): number | undefined {
  const bytes = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number)
  if (bytes === undefined || bytes.some(byte => byte > 255)) return undefined
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0)
}

/** Four decimal bytes. */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.')
}

/** Reads `10.20.0.0/24`; undefined when it is no network, also when host bits are set. */
export function parseNetwork(text: string): Network | undefined {
  const [address, prefix] = text.split('/')
  const first = parseAddress(address ?? '')
  const bits = /^\d{1,2}$/.test(prefix ?? '') ? Number(prefix) : NaN
  if (first === undefined || !(bits >= 8 && bits <= 30)) return undefined
  const size = 2 ** (32 - bits)
  return first % size === 0 ? { first, last: first + size - 1, bits } : undefined
}

/** Says whether two networks share an address. */
export function overlap(one: Network, other: Network): boolean {
  return one.first <= other.last && other.first <= one.last
}

/** Says whether the address is one that a machine may have: inside, neither network nor broadcast address. */
export function isHostOf(network: Network, address: number): boolean {
  return address > network.first && address < network.last
}
