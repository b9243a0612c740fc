// Long lists in pages: `?limit=` and `?after=`, with the next page in the `Link` header (RFC 8288). Short ones come whole.

import type { FastifyReply, preValidationHookHandler } from 'fastify'
import { BadRequest } from '../../../errors.ts'

/** What a page is asked for by: texts, as a query has them. */
export type PageQuery = { readonly limit?: string; readonly after?: string }

/** How many items a page holds at most, and by default: more would keep the server from others for too long. */
export const LARGEST_PAGE = 1000

/**
 * The number of items that a query asks for.
 *
 * @throws {BadRequest} when it is not a number above 0
 */
export function limitOf({ limit }: PageQuery): number {
  if (limit === undefined) return LARGEST_PAGE
  if (/^[1-9]\d{0,8}$/.test(limit)) return Math.min(Number(limit), LARGEST_PAGE)
  throw new BadRequest(`limit is ${JSON.stringify(limit)}; it takes a number from 1 to ${LARGEST_PAGE}.`)
}

/** Refuses a query with a key that its list does not have: with a typing error in `severity`, say, it would list all. */
export const onlyKnownKeys: preValidationHookHandler = ({ query, routeOptions }, _, next) => {
  const { properties = {} } = (routeOptions.schema?.querystring ?? {}) as { properties?: object } // a JSON schema
  const unknown = Object.keys(query as object).find(key => !Object.hasOwn(properties, key))
  if (unknown === undefined) return next()
  const known = Object.keys(properties).join(', ')
  next(new BadRequest(`The query has ${JSON.stringify(unknown)}; this list takes ${known}.`))
}

/** The refusal of an `after` that is not (any more) in the list. */
export function nothingAfter(after: string): BadRequest {
  return new BadRequest(`There is no "${after}" to go on after (any more). Begin the list again.`)
}

/**
 * The items of a list behind `after`, and the id of the last of them when there are more.
 *
 * @throws {BadRequest} when `after` is not in the list
 */
export function pageOf<T extends { readonly id: string }>(
  list: readonly T[],
  query: PageQuery,
): { readonly items: readonly T[]; readonly next?: string } {
  const { after } = query
  const start = after === undefined ? 0 : list.findIndex(({ id }) => id === after) + 1
  if (after !== undefined && start === 0) throw nothingAfter(after)
  const items = list.slice(start, start + limitOf(query))
  const last = items.at(-1)
  return start + items.length < list.length && last !== undefined ? { items, next: last.id } : { items }
}

/** Says where the next page is; `kept` are the parts of the query that choose what is listed. */
export function linkNext(
  reply: FastifyReply,
  path: string,
  query: PageQuery,
  next: string | undefined,
  kept: Readonly<Record<string, string>> = {},
): void {
  if (next === undefined) return
  const words = new URLSearchParams({
    ...kept,
    ...(query.limit === undefined ? {} : { limit: query.limit }),
    after: next,
  })
  void reply.header('link', `<${path}?${words.toString()}>; rel="next"`)
}
