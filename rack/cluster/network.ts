// Addresses that follow from the site.

import { formatIpv4, networkAround } from '#model/ipv4.ts'
import type { Site } from '../site/site.ts'
import { ports } from './layout.ts'

/** Where clients find the API: an IPv4 address and a TCP port. */
export function apiEndpoint({ cluster }: Pick<Site, 'cluster'>): { host: string; port: number } {
  return { host: cluster.apiAddress, port: ports.apiserver }
}

/** The same as a URL, for example `https://10.20.0.11:6443`. */
export function apiUrl(site: Pick<Site, 'cluster'>): string {
  const { host, port } = apiEndpoint(site)
  return `https://${host}:${port}`
}

/** The Service address of the API: the first of the range. */
export function apiServiceAddress(serviceCidr: string): string {
  return addressAt(serviceCidr, 1)
}

/** The Service address of the cluster's DNS: the tenth of the range, as everywhere. */
export function dnsServiceAddress(serviceCidr: string): string {
  return addressAt(serviceCidr, 10)
}

/** The address `offset` places into `cidr`, which the site's check has read: for `10.3.0.0/24` and 10 it is `10.3.0.10`. */
function addressAt(cidr: string, offset: number): string {
  return formatIpv4((networkAround(cidr)?.first ?? 0) + offset)
}
