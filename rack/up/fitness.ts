// Whether machines that are switched on now would boot: what the server sees of itself and of its network, before `up` does.

import { Refusal } from '#client/refusal.ts'
import type { ServerClient } from '#client/server.ts'
import { BOOT_CHECKS, type Diagnosis } from '#model/diagnosis.ts'
import { Failure } from '#model/error.ts'
import { compileSite } from '../site/compile.ts'
import type { Site } from '../site/site.ts'

/**
 * Asks the server for the checks that decide about a boot; some 5 s, beside what `up` does meanwhile. A server from before these checks
 * has none.
 */
export async function fitnessOf(
  client: Pick<ServerClient, 'diagnose'>,
  site: Site,
  signal: AbortSignal,
): Promise<readonly Diagnosis[]> {
  try {
    const { items } = await client.diagnose({ name: site.name, site: compileSite(site) }, BOOT_CHECKS, signal)
    return items
  } catch (error) {
    if (error instanceof Refusal && [404, 405].includes(error.httpStatus)) return []
    throw error
  }
}

/** Why machines do not boot, as far as the server sees it: sentences. What is only worth knowing is not a cause. */
export function causesOf(found: readonly Diagnosis[]): string[] {
  return found.flatMap(({ blocks, text }) => (blocks ? [text] : []))
}

/**
 * Refuses to switch machines on that would not boot, and shows what else is worth knowing.
 *
 * @throws {Failure} CANNOT_BOOT with all reasons, and the command of the first
 */
export function requireFit(
  found: readonly Diagnosis[],
  { bootAnyway = false, show }: { readonly bootAnyway?: boolean; readonly show: (line: string) => void },
): void {
  const blocking = found.filter(({ blocks }) => blocks)
  const [first] = blocking
  // What the site check reports is shown when the site is put.
  for (const { text, verdict, check } of found) {
    const isSeenHere = check === 'other dhcp' || check === 'firewall' || check === 'images'
    if (isSeenHere && (verdict === 'warning' || (verdict === 'failed' && bootAnyway))) show(text)
  }
  if (first === undefined || bootAnyway) return
  const reasons = blocking.map(({ text }) => `\n  ${text}`).join('')
  const remedy = `${first.fix ?? 'pilotlight doctor SITE'}   then run the same again; pilotlight doctor SITE  looks at all of it, --boot-anyway  switches them on all the same`
  throw new Failure('CANNOT_BOOT', `no machine was switched on, since they would not boot:${reasons}`, remedy)
}
