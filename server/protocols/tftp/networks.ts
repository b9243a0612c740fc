// Whom TFTP answers: its requests come by UDP, so anyone could name an address of someone else as the sender.

import { networkInterfaces } from 'node:os'
import { contains } from '#model/ipv4.ts'

/** How long the networks of this host are remembered. */
const LINKS_MS = 10_000

/**
 * Says whether TFTP answers an address: one of a declared network, or of a network that this host is on. While no network
 * is declared, it answers all: relays of a Matchbox rack are not known here.
 *
 * @param declared the networks of all sites, as of now
 */
export function ourNetworks(
  declared: () => readonly { readonly subnet: string }[],
): (address: string) => boolean {
  let links: readonly string[] = []
  let readAt = -Infinity
  return address => {
    const networks = declared()
    if (networks.length === 0 || networks.some(({ subnet }) => contains(subnet, address))) return true
    if (performance.now() - readAt > LINKS_MS) {
      readAt = performance.now()
      links = Object.values(networkInterfaces()).flatMap(all =>
        (all ?? []).flatMap(({ family, cidr }) => (family === 'IPv4' && cidr !== null ? [cidr] : [])),
      )
    }
    return links.some(link => contains(link, address))
  }
}
