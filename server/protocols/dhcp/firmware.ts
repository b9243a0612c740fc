// What a DHCP client says about itself, and what it boots: the table from firmware to loader.

import { latin1, OPTION, textIn, type Options } from './options.ts'

/**
 * Who asks: `pxe` is firmware that loads by TFTP, `http` is UEFI HTTP Boot, `ipxe` is iPXE, and `plain` an operating
 * system (systemd-networkd and others send no class that concerns us).
 */
export type ClientKind = 'pxe' | 'http' | 'ipxe' | 'plain'

/** A client as its packet shows it. */
export type Client = {
  readonly kind: ClientKind
  /** IANA's processor architecture types (option 93), as sent; some firmware sends several. */
  readonly architectures: readonly number[]
  /** SMBIOS UUID as SMBIOS 2.6 spells it, its first three fields being little-endian, then with the bytes in the order sent. */
  readonly uuids: readonly string[]
}

/** Where the files come from: our IPv4 address for TFTP, and the base URL, for example `http://10.20.0.1:8080`. */
export type BootServer = { readonly address: string; readonly url: string }

/** What a client boots next, or the reason why there is nothing for it. */
export type Boot =
  | { readonly file: string; readonly by: 'tftp' | 'http' }
  | { readonly file?: undefined; readonly lacking?: string }

/** Reads who sent `options`. Absent or odd-sized options 93 and 97 never hinder a boot (danderson/pixiecore#21). */
export function clientOf(options: Options): Client {
  const architectures = architecturesIn(options)
  return {
    kind: kindOf(options, architectures),
    architectures,
    uuids: uuidsIn(options),
  }
}

/**
 * Says what `client` boots. Class goes before anything else: iPXE gets the script's URL, HTTP Boot a loader's URL,
 * PXE firmware a short file name without a path, an operating system nothing.
 */
export function bootOf(client: Client, server: BootServer): Boot {
  if (client.kind === 'plain') return {}
  if (client.kind === 'ipxe') return { file: `${server.url}/boot.ipxe`, by: 'http' }
  // No option 93 means a boot ROM older than RFC 4578: a PC's BIOS.
  const asked = client.architectures.length === 0 ? [0] : client.architectures
  const loader = asked.map(architecture => LOADERS.get(architecture)).find(name => name !== undefined)
  if (loader === undefined) return { lacking: `no loader for ${architectureText(client)}` }
  return client.kind === 'http'
    ? { file: `${server.url}/loaders/${loader}`, by: 'http' }
    : { file: loader, by: 'tftp' }
}

/** Names the client for a person, for example `PXE firmware, x86-64 UEFI`. */
export function clientText(client: Client): string {
  if (client.kind === 'plain') return 'an operating system'
  if (client.kind === 'ipxe') return 'iPXE'
  return `${client.kind === 'http' ? 'HTTP Boot' : 'PXE'} firmware, ${architectureText(client)}`
}

// iPXE as Debian packages it. 32-bit UEFI (6, 10, 15, 18) is not built there; arm64 is a file the operator adds.
// snponly.efi drives the NIC through the firmware that just used it; HTTP Boot hands over no such NIC, so ipxe.efi.
const LOADERS: ReadonlyMap<number, string> = new Map([
  [0, 'undionly.kpxe'],
  [7, 'snponly.efi'],
  [9, 'snponly.efi'],
  [11, 'ipxe-arm64.efi'],
  [16, 'ipxe.efi'],
  [17, 'ipxe.efi'],
  [19, 'ipxe-arm64.efi'],
])

// https://www.iana.org/assignments/dhcpv6-parameters, "Processor Architecture Types". 7 and 9 are both in use for x86-64.
const ARCHITECTURES: ReadonlyMap<number, string> = new Map([
  [0, 'x86 BIOS'],
  [6, 'x86 UEFI, 32 bits'],
  [7, 'x86-64 UEFI'],
  [9, 'x86-64 UEFI'],
  [10, 'ARM UEFI, 32 bits'],
  [11, 'arm64 UEFI'],
  [15, 'x86 UEFI, 32 bits'],
  [16, 'x86-64 UEFI'],
  [17, 'x86-64 UEFI'],
  [18, 'ARM UEFI, 32 bits'],
  [19, 'arm64 UEFI'],
  [20, 'x86 BIOS'],
  [21, 'ARM U-Boot'],
  [22, 'arm64 U-Boot'],
  [27, 'RISC-V UEFI, 64 bits'],
])

function architectureText({ architectures }: Client): string {
  if (architectures.length === 0) return 'architecture not sent'
  return architectures.map(number => ARCHITECTURES.get(number) ?? `architecture ${number}`).join(' or ')
}

function kindOf(options: Options, architectures: readonly number[]): ClientKind {
  if (isIpxe(options.get(OPTION.userClass))) return 'ipxe'
  const vendorClass = textIn(options, OPTION.vendorClass) ?? ''
  if (vendorClass.startsWith('HTTPClient')) return 'http'
  if (vendorClass.startsWith('PXEClient') || architectures.length > 0) return 'pxe'
  return 'plain'
}

// RFC 3004 wants a list of counted strings; iPXE sends the bare word (ipxe/ipxe#1374).
function isIpxe(userClass: Uint8Array | undefined): boolean {
  if (userClass === undefined) return false
  if (latin1(userClass) === 'iPXE') return true
  for (let at = 0; at < userClass.length; at += 1 + userClass[at]!) {
    if (latin1(userClass.subarray(at + 1, at + 1 + userClass[at]!)) === 'iPXE') return true
  }
  return false
}

function architecturesIn(options: Options): number[] {
  const value = options.get(OPTION.clientArchitecture) ?? new Uint8Array()
  return Array.from(
    { length: value.length >> 1 },
    (_, index) => value[2 * index]! * 256 + value[2 * index + 1]!,
  )
}

// Vendors' placeholders, which many machines share: they say nothing about which machine it is.
const MEANINGLESS_UUIDS = new Set([
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  '03000200-0400-0500-0006-000700080009',
  '00020003-0004-0005-0006-000700080009',
])

function uuidsIn(options: Options): string[] {
  const value = options.get(OPTION.clientUuid)
  if (value?.length !== 17 || value[0] !== 0) return []
  const hex = Array.from(value.subarray(1), byte => byte.toString(16).padStart(2, '0'))
  const swapped = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map(from => hex[from]!)
  return [uuidText(swapped), uuidText(hex)].filter(uuid => !MEANINGLESS_UUIDS.has(uuid))
}

function uuidText(hex: readonly string[]): string {
  const fields = [hex.slice(0, 4), hex.slice(4, 6), hex.slice(6, 8), hex.slice(8, 10), hex.slice(10)]
  return fields.map(field => field.join('')).join('-')
}
