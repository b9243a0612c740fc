// Which declared machine a DHCP client is: by hardware address, else by the UUID its firmware tells.

import type { Machine } from '#server/inventory/objects.ts'

/** The machines, indexed once for all packets. */
export type MachineIndex = {
  readonly byMac: ReadonlyMap<string, Machine>
  /** The machines that are declared by UUID alone. */
  readonly byUuid: ReadonlyMap<string, Machine>
  /** All machines that are declared with a UUID: whose name a client sends, which proves nothing. */
  readonly byAnyUuid: ReadonlyMap<string, Machine>
  /** By the address kept for it. */
  readonly byAddress: ReadonlyMap<string, Machine>
}

/** Indexes `machines`. */
export function indexMachines(machines: readonly Machine[]): MachineIndex {
  return {
    byMac: new Map(machines.flatMap(machine => machine.macs.map(mac => [mac, machine] as const))),
    // A UUID is no proof: every client can send any. It only finds a machine of which nothing else was declared.
    byUuid: new Map(
      machines.flatMap(machine =>
        machine.uuid !== undefined && machine.macs.length === 0 ? [[machine.uuid, machine] as const] : [],
      ),
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
