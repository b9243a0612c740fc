// Until when the clusters of our sites can renew certificates by themselves: the end of the signers that their
// controllers hold. After it kubelets keep what they have until that ends, and then leave the cluster.

import type { Machine } from '#model/machine.ts'
import { DAY_MS } from '#model/time.ts'
import type { Occurrence } from '../machines/occurrences.ts'
import type { Signing } from '../store/machine-records.ts'

/** Days before the end from which on it is an alarm. A machine that reaches us renews every day. */
const ALARM_DAYS = 30

/** The end of each site's signing: of its first controller whose signers end, since the one that leads signs for all. */
export function signingEnds(
  kept: ReadonlyMap<string, Signing>,
  machines: readonly Machine[],
): Record<string, number> {
  const ends: Record<string, number> = {}
  for (const { name, role } of machines) {
    const signing = role === 'controller' ? kept.get(name) : undefined
    if (signing !== undefined)
      ends[signing.site] = Math.min(ends[signing.site] ?? signing.until, signing.until)
  }
  return ends
}

/** The alarms of `now`: one for each controller whose signers end within 30 days, with the day and what to do. */
export function signingAlarms(
  kept: ReadonlyMap<string, Signing>,
  machines: readonly Machine[],
  now: number,
): Occurrence[] {
  return machines.flatMap(({ name, role, macs }): Occurrence[] => {
    const signing = role === 'controller' ? kept.get(name) : undefined
    if (signing === undefined || signing.until - now > ALARM_DAYS * DAY_MS) return []
    const day = new Date(signing.until).toISOString().slice(0, 10)
    const text =
      signing.until > now
        ? `on ${day} site ${signing.site} stops renewing the certificates of its kubelets, as far as ${name} signs them`
        : `since ${day} site ${signing.site} renews no certificates of its kubelets, as far as ${name} signs them`
    const remedy = `Run 'pilotlight up' for the site, and see to it that ${name} reaches this server.`
    return [{ kind: 'signing', mac: macs[0] ?? '', machine: name, layer: 'os', text: `${text}. ${remedy}` }]
  })
}
