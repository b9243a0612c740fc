// Tells a server of a site: the machines and their groups, and what each machine fetches once.

import { join } from 'node:path'
import { machineBundle } from '#cluster/bundle.ts'
import { ensurePki } from '#cluster/pki.ts'
import type { Pki } from '#cluster/pki.ts'
import type { Stage } from '#progress/stage.ts'
import { compileSite } from '#site/compile.ts'
import type { Site } from '#site/site.ts'
import type { ServerClient } from './server-client.ts'

/** Publishes `site`, whose certificates are kept (or made) below `state`, and gives them. Safe to repeat. */
export async function publish(site: Site, client: ServerClient, state: string, stage: Stage): Promise<Pki> {
  stage.waiting('certificates')
  const pki = await ensurePki(site, join(state, 'pki'))
  stage.waiting('the server')
  const changed = await client.putSite(site.name, compileSite(site))
  for (const machine of site.machines) await client.putBundle(machine.name, machineBundle(site, pki, machine))
  stage.done(`${site.machines.length} machines${changed ? '' : ', nothing new'}`)
  return pki
}
