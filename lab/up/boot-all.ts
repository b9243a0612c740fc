// A lab that only boots its machines, without Kubernetes.

import { mkdir } from 'node:fs/promises'
import type { ServerClient } from '#client/server.ts'
import { isReady } from '#model/phase.ts'
import { inStage, type Stage } from '#progress/stage.ts'
import type { Site } from '#rack/site/site.ts'
import { BootWatch } from '#rack/up/boots.ts'
import { publish } from '#rack/up/publish.ts'
import type { Lab } from '../lab.ts'
import { labFiles } from '../state.ts'

/** Only boots: each machine gets what the site (or the rack's data directory) says, and reports ready. */
export async function bootAll(
  lab: Lab,
  site: Site | undefined,
  client: ServerClient,
  stage: Stage,
  signal: AbortSignal,
): Promise<void> {
  if (site !== undefined) {
    await mkdir(labFiles(lab.directory).up, { recursive: true }) // the state of `pilotlight up`, which may come after
    await inStage(stage, 'publish', work => publish(site, client, labFiles(lab.directory).up, work))
  }
  const ready = new Set((await client.machines()).flatMap(it => (isReady(it.phase) ? [it.name] : [])))
  const watch = await BootWatch.start(client, signal)
  try {
    await inStage(stage, 'boot', async boot => {
      await Promise.all(
        lab.rack.machines.map(async ({ name }) => {
          const stage = boot.child(name)
          const machine = lab.machine(name)
          if (ready.has(name) && machine.isOn()) return stage.skipped('ready already')
          await Promise.all([watch.ready(name, stage, BOOT_LIMIT_SECONDS), machine.powerOn()])
        }),
      )
    })
  } finally {
    await watch.close()
  }
}

/** Emulated machines are slow: the limit suits a guest without hardware help on a busy host. */
const BOOT_LIMIT_SECONDS = 900
