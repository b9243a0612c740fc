// What the server finds out about itself and its network, before a machine is switched on: each check looks at the thing itself, by
// the packets and requests that machines send, and says so where it could not.

import type { Diagnosis } from '#model/diagnosis.ts'
import type { SiteObjects } from '#model/site.ts'
import { messageOf } from '#progress/wait.ts'
import { siteObstacles } from '../inventory/site-check.ts'
import { unseen, type Check, type DiagnosisNeeds, type Facts, type Looked } from './facts.ts'
import { alarms, clock, data, disk } from './host.ts'
import { assets, digests, images } from './images.ts'
import { addresses, card, firewall, gateway, time } from './network.ts'
import { agents, dhcp, http, otherDhcp, tftp } from './services.ts'

/** What is asked for. */
export type DiagnosisOrder = {
  /** A site as if it were put, with its name; else those that are. */
  readonly site?: { readonly name: string; readonly objects: SiteObjects }
  /** The checks that are made; all unless given. */
  readonly only?: readonly string[]
}

/** In the order in which they are shown. */
const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ['dhcp', dhcp],
  ['other dhcp', otherDhcp],
  ['tftp', tftp],
  ['http', http],
  ['agents', agents],
  ['assets', assets],
  ['images', images],
  ['digests', digests],
  ['card', card],
  ['firewall', firewall],
  ['gateway', gateway],
  ['time', time],
  ['addresses', addresses],
  ['disk', disk],
  ['clock', clock],
  ['data', data],
  ['alarms', alarms],
]

/** How long one check may take, in milliseconds. */
const LIMIT_MS = 20_000

/** Makes all checks that are asked for, beside each other; never rejects. Some 5 s, more where large images are read. */
export async function diagnose(needs: DiagnosisNeeds, { site, only }: DiagnosisOrder): Promise<Diagnosis[]> {
  const sites = site === undefined ? await sitesPut(needs) : [site]
  const place = await needs.place()
  const obstacles = sites.flatMap(({ name, objects }) => siteObstacles(name, objects, place, needs.profileOf))
  const facts: Facts = { needs, sites, place, obstacles, isPut: site === undefined }
  const asked = CHECKS.filter(([name]) => only === undefined || only.includes(name))
  const made = asked.map(async ([name, check]): Promise<Diagnosis[]> => {
    const found = await within(check(facts)).catch((error: unknown) =>
      unseen(`it could not be looked at: ${messageOf(error)}`),
    )
    return [found].flat().map(one => ({ check: name, ...one }))
  })
  return (await Promise.all(made)).flat()
}

/** The sites that the server has, each with what belongs to it. */
export async function sitesPut({
  networks,
  declared,
}: Pick<DiagnosisNeeds, 'networks' | 'declared'>): Promise<Looked[]> {
  const { groups, machines } = declared()
  return (await networks()).map(({ name, network }) => {
    const own = groups.filter(({ metadata }) => metadata?.['site'] === name)
    return { name, objects: { network, groups: own.length > 0 ? own : groups, machines } }
  })
}

async function within<T>(made: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it takes more than ${LIMIT_MS / 1000} s`)), LIMIT_MS)
  })
  try {
    return await Promise.race([made, late])
  } finally {
    clearTimeout(timer)
  }
}
