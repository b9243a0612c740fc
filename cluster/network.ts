// Addresses that follow from the site.

import type { Site } from '#site/site.ts'
import { ports } from './layout.ts'

/** Where clients find the API: a URL like `https://10.20.0.11:6443`. */
export function apiUrl({ cluster }: Pick<Site, 'cluster'>): string {
  return `https://${cluster.apiAddress}:${ports.apiserver}`
}

/** The address `offset` places into `cidr`: for `10.3.0.0/24` and 10 it is `10.3.0.10`. IPv4. */
function addressIn(cidr: string, offset: number): string {
  const octets = (cidr.split('/')[0] ?? '').split('.').map(Number)
  const number = octets.reduce((sum, octet) => sum * 256 + octet, 0) + offset
  return [24, 16, 8, 0].map(shift => Math.floor(number / 2 ** shift) % 256).join('.')
}

/** The Service address of the API: the first of the range. */
export function apiServiceAddress(serviceCidr: string): string {
  return addressIn(serviceCidr, 1)
}

/** The Service address of the cluster's DNS: the tenth of the range, as everywhere. */
export function dnsServiceAddress(serviceCidr: string): string {
  return addressIn(serviceCidr, 10)
}
