// Which services a verification makes things with, and when one can be worked with.

import type { OpenstackClient } from '../client.ts'
import type { Check } from './check.ts'

/** The shortest list of each: a service that gives it has its database, and accepts our token. */
const shortest = {
  image: '/images?limit=1',
  network: '/networks?limit=1',
  compute: '/flavors?limit=1',
} as const

/** A service that things are made with. */
export type MakingService = keyof typeof shortest

/** All of them. */
export const makingServices: readonly MakingService[] = ['image', 'network', 'compute']

/** Waits until things can be made with the service. */
export async function awaitService(
  cloud: OpenstackClient,
  check: Check,
  service: MakingService,
): Promise<void> {
  await check.service(service, async () => ({ value: await cloud.get(service, shortest[service]) }))
}
