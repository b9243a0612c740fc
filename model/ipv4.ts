// IPv4 addresses and networks as numbers. address.ts reads both families, for selectors.

/** The limited broadcast: every host of one wire, also one that has no address yet (RFC 919 §7). */
export const BROADCAST = '255.255.255.255'

/** A network: its first and last address as unsigned numbers, and the length of its prefix in bits. */
export type Ipv4Network = { readonly first: number; readonly last: number; readonly bits: number }

/**
 * The address as an unsigned 32-bit number, or undefined when the text is not four decimal bytes. One of them with a leading
 * zero is none: some read 010 as eight (RFC 6943 §3.1.1), and Go refuses it.
 */
export function parseIpv4(text: string): number | undefined {
  // Character by character: DHCP asks several times a packet.
  let number = 0
  let byte = 0
  let digits = 0
  let dots = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === DOT && digits > 0 && dots < 3) {
      number = number * 256 + byte
      dots += 1
      byte = digits = 0
    } else {
      if (digits > 0 && byte === 0) return undefined
      byte = byte * 10 + code - ZERO
      digits += 1
      if (code < ZERO || code > NINE || digits > 3 || byte > 255) return undefined
    }
  }
  return dots === 3 && digits > 0 ? number * 256 + byte : undefined
}

const [DOT, ZERO, NINE] = [0x2e, 0x30, 0x39]

/** Four decimal bytes. */
export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`
}

/** The four bytes of an address, which is one. */
export function ipv4Bytes(dotted: string): number[] {
  return dotted.split('.').map(Number)
}

/** The network `10.20.0.0/24`, or the one that the address `10.20.0.7/24` is in; undefined when the text is neither. */
export function networkAround(text: string): Ipv4Network | undefined {
  const [, dotted = '', prefix = ''] = /^([^/]+)\/(0|[1-9]\d?)$/.exec(text) ?? []
  const address = parseIpv4(dotted)
  const bits = Number(prefix)
  if (address === undefined || bits > 32) return undefined
  const size = 2 ** (32 - bits)
  const first = Math.floor(address / size) * size
  return { first, last: first + size - 1, bits }
}

/** Reads `10.20.0.0/24`; undefined when it is not a network of 8 to 30 bits, also when host bits are set. */
export function parseSubnet(text: string): Ipv4Network | undefined {
  const network = networkAround(text)
  if (network === undefined || network.bits < 8 || network.bits > 30) return undefined
  return parseIpv4(text.split('/')[0] ?? '') === network.first ? network : undefined
}

/** Says whether two networks share an address. */
export function overlap(one: Ipv4Network, other: Ipv4Network): boolean {
  return one.first <= other.last && other.first <= one.last
}

/** Says whether the address is one that a machine may have: inside, neither network nor broadcast address. */
export function isHostOf(network: Ipv4Network, address: number): boolean {
  return address > network.first && address < network.last
}

/** Says whether an address, as a number, is from `low` to `high`, both included. No address is in no range. */
export function isBetween(address: number | undefined, low: number, high: number): boolean {
  return address !== undefined && address >= low && address <= high
}

/** Says whether `address` (dotted) is one of the network `subnet`, written like `10.20.0.0/24`. */
export function contains(subnet: string, address: string): boolean {
  const network = networkAround(subnet)
  return network !== undefined && isBetween(parseIpv4(address), network.first, network.last)
}

/** What a range is for that no machine, pod or service may have an address of (RFC 6890), with its network. */
const RESERVED: readonly { readonly cidr: string; readonly use: string }[] = [
  { cidr: '0.0.0.0/8', use: 'means "this host"' },
  { cidr: '127.0.0.0/8', use: 'is loopback' },
  { cidr: '169.254.0.0/16', use: 'is link-local' },
  { cidr: '224.0.0.0/4', use: 'is multicast' },
  { cidr: '240.0.0.0/4', use: 'is reserved, with the broadcast address' },
]

/** The reserved range that a network or a single address (as a number) is in, as `127.0.0.0/8 is loopback`; undefined when in none. */
export function reservedRange(of: Ipv4Network | number): string | undefined {
  const asked = typeof of === 'number' ? { first: of, last: of, bits: 32 } : of
  const found = RESERVED.find(({ cidr }) => overlap(asked, networkAround(cidr) ?? asked))
  return found && `${found.cidr} ${found.use}`
}
