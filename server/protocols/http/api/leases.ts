// The leases of DHCP over the API.

import type { FastifyPluginCallback } from 'fastify'
import { formatIpv4, parseIpv4 } from '#model/ipv4.ts'
import { leaseSchema, type Lease } from '#model/lease.ts'
import { normaliseMac } from '#model/mac.ts'
import { shown, shownSchema } from '#model/time.ts'
import { BadRequest } from '../../../errors.ts'
import { pretty } from '../wire/replies.ts'
import { keptOf } from './audit.ts'
import { limitOf, linkNext, onlyKnownKeys, type PageQuery } from './paging.ts'

/** What this route needs of the service. */
export type LeaseNeeds = {
  /** Every lease, expired or not, also those that were only offered; none where DHCP is off. */
  readonly leases: () => Iterable<Lease>
}

type LeaseQuery = PageQuery & { readonly state?: Lease['state']; readonly mac?: string }

const text = { type: 'string' } as const

/** `GET /v1/leases`. */
export const leaseRoutes: FastifyPluginCallback<LeaseNeeds> = (app, { leases }, done) => {
  app.get<{ Querystring: LeaseQuery }>(
    '/v1/leases',
    {
      preValidation: onlyKnownKeys,
      schema: {
        tags: ['leases'],
        summary: 'Addresses that DHCP gave, in their order; none where it is off',
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: {
            state: leaseSchema.properties.state,
            mac: { ...text, description: 'In any spelling' },
            limit: { ...text, description: 'A page has 1,000 at most' },
            after: { ...text, description: 'The last address of the page before' },
          },
        },
        response: {
          200: {
            type: 'object',
            properties: { items: { type: 'array', items: shownSchema(leaseSchema) }, next: text },
          },
        },
      },
    },
    ({ query }, reply) => {
      const { items, next } = leasePage(leases(), query)
      linkNext(reply, '/v1/leases', query, next, keptOf(query))
      return pretty(reply, {
        items: items.map(lease => shown(leaseSchema, lease)),
        ...(next !== undefined && { next }),
      })
    },
  )
  done()
}

/**
 * The leases that a query asks for, by address.
 *
 * @throws {BadRequest} when `limit` is not a number above 0, `after` not an address, or `mac` not a MAC
 */
function leasePage(
  leases: Iterable<Lease>,
  query: LeaseQuery,
): { readonly items: readonly Lease[]; readonly next?: string } {
  const { state, after } = query
  const limit = limitOf(query)
  const behind = after === undefined ? -1 : parseIpv4(after)
  if (behind === undefined) {
    throw new BadRequest(`after is ${JSON.stringify(after)}; it takes the address of a lease.`)
  }
  const mac = query.mac === undefined ? undefined : normaliseMac(query.mac)
  if (query.mac !== undefined && mac === undefined) {
    throw new BadRequest(`mac is ${JSON.stringify(query.mac)}; it takes a MAC address.`)
  }
  const found = new Map<number, Lease>()
  for (const lease of leases) {
    if (state !== undefined && lease.state !== state) continue
    if (mac !== undefined && lease.mac !== mac) continue
    const address = parseIpv4(lease.address) ?? 0
    if (address > behind) found.set(address, lease)
  }
  const order = Float64Array.from(found.keys()).toSorted().subarray(0, limit)
  const items = Array.from(order, address => found.get(address)!) // each is a key
  const last = order.at(-1)
  return found.size > limit && last !== undefined ? { items, next: formatIpv4(last) } : { items }
}
