// openstack-helm's feature overrides: values files by chart and feature word, which its own plugin would pass to Helm.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isRecord } from '#model/record.ts'
import { NotForHelm, parseHelmYaml } from '../../site/helm-yaml.ts'
import type { ChartPlan } from '../plan/plan.ts'
import type { ValueLayer } from '../values/values.ts'
import { ChartLockError } from '../errors.ts'

/**
 * The plan with a layer below all others for each file `<folder>/<chart>/<words>.yaml` that is there.
 *
 * @throws {ChartLockError} when Helm would refuse one of them, or it is not a YAML map
 */
export async function withOverrides(
  plan: ChartPlan,
  folder: string,
  features: readonly string[],
): Promise<ChartPlan> {
  const releases = plan.releases.map(async release => {
    const files = overrideNames(features).map(name => join(folder, release.chart, `${name}.yaml`))
    const found = await Promise.all(files.map(readLayer))
    return { ...release, layers: [...found.flat(), ...release.layers] }
  })
  return { ...plan, releases: await Promise.all(releases) }
}

/**
 * Feature words and their combinations in the order in which they are laid over each other: after each word those that
 * join it to words before it, the longer over the shorter. `a b` gives a, b, a-b.
 */
export function overrideNames(features: readonly string[]): string[] {
  return features.flatMap((word, index) =>
    subsetsOf(features.slice(0, index))
      .toSorted((one, other) => one.length - other.length)
      .map(before => [...before, word].join('-')),
  )
}

function subsetsOf(words: readonly string[]): string[][] {
  return words.reduce<string[][]>((sets, word) => [...sets, ...sets.map(set => [...set, word])], [[]])
}

async function readLayer(path: string): Promise<ValueLayer[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  })
  if (text === undefined) return []
  const values = valuesIn(path, text)
  if (values === null) return []
  if (!isRecord(values))
    throw new ChartLockError(`${path} holds no map of values. Fix it, or leave the feature out.`)
  return [{ origin: path, values }]
}

function valuesIn(path: string, text: string): unknown {
  try {
    return parseHelmYaml(path, text)
  } catch (error) {
    if (!(error instanceof NotForHelm)) throw error
    throw new ChartLockError(`${error.message}. Fix it, or leave the feature out.`)
  }
}
