// After a rotation: which releases use a secret, so that their jobs run again and their pods are replaced. A release's
// values then name the secret's version, and by the library chart that is part of the hash of jobs and of pods.

import { parseAllDocuments } from 'yaml'
import { isRecord } from '#model/record.ts'
import { renderChart } from '../releases/helm.ts'
import { valuesOf, type ChartPlan, type ReleasePlan } from '../plan/plan.ts'
import type { KeptSecret } from './secrets.ts'
import type { ChartSession } from '../session.ts'

/** The session's plan, with the versions of rotated secrets among the values of the releases that use them. */
export async function withSecretVersions(
  { plan, helm, unpack }: Pick<ChartSession, 'plan' | 'helm' | 'unpack'>,
  kept: readonly KeptSecret[],
): Promise<ChartPlan> {
  const seenByThemselves = plan.secrets.filter(({ rotation }) => rotation === 'key-repository')
  const rotated = kept.filter(
    ({ name, version }) => version > 1 && seenByThemselves.every(it => it.name !== name),
  )
  if (rotated.length === 0) return plan
  const rendered = async (release: ReleasePlan) => {
    const { path } = await unpack(release)
    const used = secretsIn(await renderChart(release.name, path, valuesOf(release), helm))
    return { release, used }
  }
  const releases = await Promise.all(plan.releases.map(rendered))
  return {
    ...plan,
    releases: releases.map(({ release, used }) => {
      const versions = rotated.filter(({ name }) => used.has(name)).map(it => [it.name, it.version])
      if (versions.length === 0) return release
      const layer = {
        origin: 'rotated secrets',
        values: { secret_versions: Object.fromEntries(versions) as object },
      }
      return { ...release, layers: [...release.layers, layer] }
    }),
  }
}

/** The names of the Secrets that rendered objects refer to: by variables, volumes and projections. */
export function secretsIn(manifest: string): Set<string> {
  const found = new Set<string>()
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(walk)
    if (!isRecord(value)) return
    for (const [key, inner] of Object.entries(value)) {
      if (['secretKeyRef', 'secretRef', 'secret'].includes(key) && isRecord(inner)) {
        const name = inner['name'] ?? inner['secretName']
        if (typeof name === 'string') found.add(name)
      }
      walk(inner)
    }
  }
  for (const document of parseAllDocuments(manifest)) walk(document.toJS())
  return found
}
