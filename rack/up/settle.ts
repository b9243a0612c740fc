// Has the server check a site, before anything is made or switched on, and chooses other addresses where those that
// Pilotlight chose are the server's own.

import { Refusal } from '#client/refusal.ts'
import type { ServerClient } from '#client/server.ts'
import { avoidAddresses, avoidedAddresses } from '../site/kept-of-site.ts'
import { compileSite } from '../site/compile.ts'
import { readSiteFile } from '../site/read.ts'
import type { Site } from '../site/site.ts'

/**
 * Each round learns all addresses that the server has in the subnet; a second one is for an interface that was added
 * meanwhile.
 */
const MOST_ROUNDS = 3

/** A site that the server would take, and what a person should know of it. */
export type Settled = { readonly site: Site; readonly warnings: readonly string[] }

/**
 * The site of a file as the server would take it. Where an address that the file leaves out is the server's, another is chosen,
 * and kept in `state`.
 *
 * @param show gets a line for each machine, and for the pool, that has another address than before
 * @throws {Refusal} SERVER_ADDRESS_TAKEN for an address that is written in the file, or that a machine has already; and what
 *   else the server has against the site
 */
export async function settledSite(
  file: string,
  state: string,
  client: Pick<ServerClient, 'checkSite'>,
  show: (line: string) => void,
): Promise<Settled> {
  for (let round = 1; ; round += 1) {
    const site = await readSiteFile(file, state)
    try {
      return { site, warnings: await client.checkSite(site.name, compileSite(site)) }
    } catch (error) {
      if (!(error instanceof Refusal) || error.avoid.length === 0 || round === MOST_ROUNDS) throw error
      const before = await avoidedAddresses(state)
      avoidAddresses(state, [...new Set([...before, ...error.avoid])])
      const moved = changesOf(site, await readSiteFile(file, state))
      if (moved.length === 0) throw error
      for (const line of moved) show(line)
    }
  }
}

function changesOf(before: Site, after: Site): string[] {
  const why = 'since the server has an address there'
  const machines = after.machines.flatMap(({ name, address }, at) => {
    const was = before.machines[at]?.address
    return was === address ? [] : [`${name} gets ${address} in place of ${was ?? ''}, ${why}`]
  })
  const [was, is] = [before, after].map(({ network: { pool } }) => `${pool.first}-${pool.last}`)
  return was === is ? machines : [...machines, `the pool is ${is} in place of ${was}, ${why}`]
}
