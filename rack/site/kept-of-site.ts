// What `up` keeps in the state directory of a site for the reading of its file: the site's name, since the directory has the
// certificates and passwords of that one alone, and addresses of the server that Pilotlight must not choose for a machine or a
// pool, so that every later command chooses as it did.

import { isIPv4 } from 'node:net'
import { join } from 'node:path'
import { textIfThere } from '#host/read-if-there.ts'
import { replaceFile } from '#host/replace-file.ts'
import { pathWord } from '#host/shell.ts'
import { cleanLabel } from '#model/clean.ts'
import { Failure } from '#model/error.ts'
import { isRecord } from '#model/record.ts'

/** More than a host of a rack has in one subnet. */
const MOST = 256

/** Keeps the name of the site that a state directory is of. */
export function claimState(state: string, site: string): void {
  replaceFile(join(state, NAME_FILE), `${site}\n`)
}

/**
 * Refuses the state directory of another site: with its authority and its passwords, an administrator of one would be one of both.
 *
 * @throws {Failure} OTHER_SITE
 */
export async function refuseOtherSite(state: string, site: string): Promise<void> {
  const owner = (await textIfThere(join(state, NAME_FILE)))?.trim() ?? (await siteOfSigningDay(state))
  if (owner === undefined || owner === '' || owner === site) return
  const what = `the state directory ${state} is that of site ${cleanLabel(owner)}, and the file is of site ${site}: each has its own authority and passwords`
  const other = `${state.replace(/\/+$/, '')}-${site}`
  throw new Failure('OTHER_SITE', what, `name a directory for this site:  --state ${pathWord(other)}`)
}

const NAME_FILE = 'site-name'

/** The site of a directory from before names were kept: rack/up/signing-day.ts writes it there. */
async function siteOfSigningDay(state: string): Promise<string | undefined> {
  try {
    const kept: unknown = JSON.parse((await textIfThere(join(state, 'signing.json'))) ?? '')
    return isRecord(kept) && typeof kept['site'] === 'string' ? kept['site'] : undefined
  } catch {
    return undefined // there is none, or it is not whole
  }
}

/** The addresses that a state directory keeps; none where it keeps none. */
export async function avoidedAddresses(state: string): Promise<string[]> {
  const text = await textIfThere(fileIn(state))
  if (text === undefined) return []
  try {
    const kept: unknown = JSON.parse(text)
    const avoid = isRecord(kept) && Array.isArray(kept['avoid']) ? (kept['avoid'] as unknown[]) : []
    return avoid.filter(it => typeof it === 'string' && isIPv4(it)).slice(0, MOST) as string[] // filtered
  } catch {
    return [] // not whole: the next `up` writes it again
  }
}

/** Keeps addresses permanently: a machine that was given another one keeps that, wherever the server is later. */
export function avoidAddresses(state: string, addresses: readonly string[]): void {
  replaceFile(fileIn(state), `${JSON.stringify({ avoid: addresses.slice(0, MOST) })}\n`)
}

function fileIn(state: string): string {
  return join(state, 'server-addresses.json')
}
