// Whether a request for a machine's config is the machine's own: what DHCP showed of the sender's address against what
// is declared. A MAC or a UUID in a query proves nothing, since every client can send any.

import type { Labels } from '#model/selector.ts'
import type { Machine } from '#model/machine.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import { sameUuid } from '#model/uuid.ts'
import { isLeaseOf } from '../machines/identity.ts'

/** The sender of a request: its address, and the labels that it sends. */
export type Sender = { readonly address: string; readonly labels: Labels }

/** What the server knows about the sender from other sources. */
export type Evidence = {
  readonly dhcp: ProvisioningNetwork['dhcp']
  /** The lease of the sender's address; in proxy mode the address that it was heard to ask another server for. */
  readonly lease: { readonly mac: string; readonly uuid?: string } | undefined
  /** The machine's boot: the address of its firmware, and the address that fetched its script. */
  readonly boot: { readonly lease?: string; readonly scriptFrom?: string } | undefined
}

/**
 * Why the sender is not accepted as the machine, as a clause; undefined when it is.
 *
 * Where we give the addresses, or overhear who takes them, its lease must be of a MAC that is declared (for a machine
 * declared by UUID alone: bound with that UUID), and be the one that the firmware of this boot was given. Where DHCP
 * shows nothing, only the address that fetched this boot's script is left; that binds the two requests to each other,
 * and says nothing of who sent them.
 */
export function objectionTo(machine: Machine, sender: Sender, evidence: Evidence): string | undefined {
  const disagreement = disagreementOf(machine, sender.labels)
  if (disagreement !== undefined) return disagreement
  const { dhcp, lease, boot } = evidence
  if (dhcp === 'off') {
    return boot?.scriptFrom === sender.address
      ? undefined
      : 'the boot script of this boot was not fetched from that address, and DHCP here shows no lease'
  }
  // What a client asks of another server anyone can say; so it is at least the address that the site has for it.
  if (dhcp === 'proxy' && sender.address !== machine.address) {
    return `its address here is ${machine.address}`
  }
  if (lease === undefined) return 'that address has no lease'
  if (!isLeaseOf(machine, lease)) return `that address is leased to ${lease.mac}`
  return boot?.lease === sender.address ? undefined : 'no firmware of this boot was given that address'
}

function disagreementOf({ macs, uuid: declared }: Machine, { mac, uuid }: Labels): string | undefined {
  if (mac !== undefined && macs.length > 0 && !macs.includes(mac))
    return `the MAC ${mac} is not one of its own`
  if (uuid !== undefined && declared !== undefined && !sameUuid(uuid, declared)) {
    return `the UUID ${uuid.slice(0, LONGEST_UUID)} is not its own`
  }
  return undefined
}

const LONGEST_UUID = 64
