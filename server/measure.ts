// What the figures of the server are taken from, at each request of `/metrics`.

import { statSync } from 'node:fs'
import type { Catalog } from './inventory/catalog.ts'
import type { Journal } from './machines/journal.ts'
import type { Measured } from './metrics.ts'
import type { WriteHealth } from './state/write-health.ts'

/** The parts that are measured. */
export type MeasuredParts = {
  readonly catalog: Catalog
  readonly journal: Pick<Journal, 'all'>
  readonly health: Pick<WriteHealth, 'trouble' | 'failures' | 'freeBytes'>
  /** The file of the store. */
  readonly storePath: string
  /** Milliseconds since 1970 at which each site's cluster can no longer renew certificates by itself. */
  readonly signing: Record<string, number>
  /** Milliseconds since 1970 at which the certificate of each listener ends. */
  readonly certificates: Record<string, number>
}

/** Takes all figures now. */
export function measure(parts: MeasuredParts): Measured {
  const { catalog, journal, health, storePath, signing, certificates } = parts
  const machines: Record<string, number> = {}
  for (const { phase } of journal.all()) machines[phase] = (machines[phase] ?? 0) + 1
  return {
    objects: {
      profiles: catalog.profiles.size,
      groups: catalog.groups.size,
      machines: catalog.machines.length,
      templates: catalog.entries('template').length,
    },
    machines,
    problems: catalog.problems.length,
    storeBytes: bytesOf(storePath) + bytesOf(`${storePath}-wal`),
    writes: {
      work: health.trouble() === undefined,
      failures: health.failures,
      freeBytes: health.freeBytes(),
    },
    signing,
    certificates,
  }
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
