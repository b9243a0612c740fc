// Addresses of the server that Pilotlight must not choose for a machine or a pool: `up` learns them from the server and keeps
// them with the state of the site, so that every later command chooses as it did.

import { isIPv4 } from 'node:net'
import { join } from 'node:path'
import { textIfThere } from '#host/read-if-there.ts'
import { replaceFile } from '#host/replace-file.ts'
import { isRecord } from '#model/record.ts'

/** More than a host of a rack has in one subnet. */
const MOST = 256

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

/** Keeps addresses for good: a machine that was given another one keeps that, wherever the server is later. */
export function avoidAddresses(state: string, addresses: readonly string[]): void {
  replaceFile(fileIn(state), `${JSON.stringify({ avoid: addresses.slice(0, MOST) })}\n`)
}

function fileIn(state: string): string {
  return join(state, 'server-addresses.json')
}
