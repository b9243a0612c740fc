// Which declared machine a DHCP client is: by hardware address, else by the UUID its firmware tells.

import type { Machine } from '#model/machine.ts'
import { END, OPTION, PAD } from './options.ts'
import { OPTIONS_AT } from './packet.ts'

/** The machines, indexed once for all packets. */
export type MachineIndex = {
  readonly byMac: ReadonlyMap<string, Machine>
  /** The machines that are declared by UUID alone. */
  readonly byUuid: ReadonlyMap<string, Machine>
  /** Their UUIDs by the bytes that firmware sends for them, in hexadecimal: in SMBIOS 2.6's order and as they stand. */
  readonly byUuidBytes: ReadonlyMap<string, string>
  /** All machines that are declared with a UUID: whose name a client sends, which proves nothing. */
  readonly byAnyUuid: ReadonlyMap<string, Machine>
  /** By the address kept for it. */
  readonly byAddress: ReadonlyMap<string, Machine>
}

/** Indexes `machines`. */
export function indexMachines(machines: readonly Machine[]): MachineIndex {
  const byUuidAlone = machines.flatMap(machine =>
    machine.uuid !== undefined && machine.macs.length === 0 ? [[machine.uuid, machine] as const] : [],
  )
  return {
    byMac: new Map(machines.flatMap(machine => machine.macs.map(mac => [mac, machine] as const))),
    // A UUID is no proof: every client can send any. It only finds a machine of which nothing else was declared.
    byUuid: new Map(byUuidAlone),
    byUuidBytes: new Map(
      byUuidAlone.flatMap(([uuid]) => {
        const hex = uuid.replaceAll('-', '')
        const swapped = [3, 2, 1, 0, 5, 4, 7, 6].map(at => hex.slice(2 * at, 2 * at + 2)).join('')
        return [hex, swapped + hex.slice(16)].map(bytes => [bytes, uuid] as const)
      }),
    ),
    byAnyUuid: new Map(
      machines.flatMap(machine => (machine.uuid === undefined ? [] : [[machine.uuid, machine] as const])),
    ),
    byAddress: new Map(machines.map(machine => [machine.address, machine] as const)),
  }
}

/**
 * Finds the machine of `mac`; a machine declared by UUID alone is found by the first of `uuids` that fits. A declared
 * machine's UUID with another MAC finds nothing: that client is a stranger.
 * All hardware addresses of one machine find the same one, so the links of a bond share its IPv4 address.
 */
export function machineOf(index: MachineIndex, mac: string, uuids: readonly string[]): Machine | undefined {
  const known = index.byMac.get(mac)
  if (known !== undefined) return known
  for (const uuid of uuids) {
    const machine = index.byUuid.get(uuid)
    if (machine !== undefined) return machine
  }
  return undefined
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/**
 * Finds the UUID of a machine declared by UUID alone in a packet that is not decoded yet: its header is complete, and its
 * options may be anything. Looks at the options field only, where firmware puts option 97.
 */
export function uuidNamedIn({ byUuidBytes }: MachineIndex, bytes: Uint8Array): string | undefined {
  if (byUuidBytes.size === 0) return undefined
  for (let at = OPTIONS_AT; at < bytes.length;) {
    const option = bytes[at]
    if (option === END) return undefined
    if (option === OPTION.clientUuid) {
      if (bytes[at + 1] !== 17 || bytes[at + 2] !== 0 || at + 19 > bytes.length) return undefined
      let hex = ''
      for (let byte = at + 3; byte < at + 19; byte += 1) hex += HEX[bytes[byte]!]! // it is complete
      return byUuidBytes.get(hex)
    }
    at += option === PAD ? 1 : 2 + (bytes[at + 1] ?? 0)
  }
  return undefined
}
