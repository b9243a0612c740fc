// What `plan` says of a cluster that exists: until when its kubelets can renew their certificates if we stay away.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '#host/replace-file.ts'
import { messageOf } from '#progress/wait.ts'
import type { SiteSigning } from '#model/bundle.ts'
import { ServerClient } from '#client/server.ts'

/** Where the authority of a site may be known. */
export type SigningPlaces = { readonly server: string; readonly state: string }

/** Seconds that `plan` waits for a server. */
const LIMIT_SECONDS = 3

/** Keeps, in the state of `up`, until when controllers can sign that boot from now on; milliseconds since 1970. */
export function keepSigningDay(state: string, site: string, until: number): void {
  const kept = { site, until: new Date(until).toISOString() }
  replaceFile(fileIn(state), `${JSON.stringify(kept)}\n`)
}

/**
 * The day as a sentence: from the server where it answers, else from the state of the last `up`. Nothing where neither knows
 * an authority of the site.
 *
 * @param now milliseconds since 1970
 */
export async function signingSentences(
  site: string,
  { server, state }: SigningPlaces,
  now: number,
): Promise<string[]> {
  const answer = await askServer(site, server).catch((error: unknown) => ({ why: messageOf(error) }))
  if (!('why' in answer)) {
    const { ends, until } = answer
    if (ends !== undefined) return [sentence(ends, now)]
    return until === undefined ? [] : [`controllers that boot now: ${sentence(until, now)}`]
  }
  const kept = await readKept(state, site)
  if (kept === undefined) return []
  return [`${sentence(kept, now)}, as of the last up here; the server does not say: ${answer.why}`]
}

async function askServer(site: string, server: string): Promise<SiteSigning> {
  const path = `/v1/sites/${encodeURIComponent(site)}/signing`
  const answer = await new ServerClient(server).request('GET', path, {}, undefined, LIMIT_SECONDS)
  return (await answer.json()) as SiteSigning // as the route has it
}

async function readKept(state: string, site: string): Promise<string | undefined> {
  try {
    const text = await readFile(fileIn(state), 'utf8')
    const kept = JSON.parse(text) as { readonly site?: string; readonly until?: string } // as keepSigningDay writes it
    return kept.site === site ? kept.until : undefined
  } catch {
    return undefined // there is none, or it is not whole: the next `up` writes it
  }
}

function fileIn(state: string): string {
  return join(state, 'signing.json')
}

function sentence(until: string, now: number): string {
  const day = until.slice(0, 10)
  return Date.parse(until) > now
    ? `kubelets renew their certificates until ${day} if the provisioner stays away from now on`
    : `kubelets have renewed no certificates since ${day}: start the provisioner, and run pilotlight up`
}
