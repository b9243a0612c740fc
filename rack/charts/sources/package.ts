// Our own charts as others may fetch them: archives with an index, for any web server (Pilotlight's own serves them below
// /assets), and for an OCI registry.

import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '#host/command.ts'
import { inScratch } from '#host/scratch.ts'
import { chartNames, ourCharts } from './ours.ts'
import type { SourceOptions } from './locked.ts'

/** Packs every chart with its library into `into` and writes `index.yaml` beside them; gives the archives' paths. */
export async function packageCharts(into: string, { helm, signal }: SourceOptions): Promise<string[]> {
  const limits = { limitSeconds: 120, ...(signal ? { signal } : {}) }
  await mkdir(into, { recursive: true })
  await inScratch(async scratch => {
    for (const chart of await chartNames()) {
      const { path } = await ourCharts.unpack(chart, scratch)
      await run(helm, ['package', path, '--destination', into], limits)
    }
  })
  await run(helm, ['repo', 'index', into], limits)
  return (await readdir(into)).filter(file => file.endsWith('.tgz')).map(file => join(into, file))
}
