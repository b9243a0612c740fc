// openstack-helm's feature overrides: values files by chart and feature word, which its own plugin would pass to Helm.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { someOf } from '#model/clean.ts'
import { nearest } from '#model/nearest.ts'
import type { ChartPlan } from '../plan/plan.ts'
import type { ValueLayer } from '../values/values.ts'
import { ChartPlanError } from '../errors.ts'
import { helmMapIfThere } from './chart-file.ts'

/** As many words give 255 names of files a chart; each word more doubles them. */
const MOST_FEATURES = 8

/**
 * The plan with a layer below all others for each file `<folder>/<chart>/<words>.yaml` that is there.
 *
 * @throws {ChartFileError} when Helm would refuse one of them
 * @throws {ChartPlanError} for a word that selects no file of any chart, and for more than eight words
 */
export async function withOverrides(
  plan: ChartPlan,
  folder: string | undefined,
  features: readonly string[],
): Promise<ChartPlan> {
  if (features.length > MOST_FEATURES)
    throw new ChartPlanError(
      `openstack.features has ${features.length} words, and ${MOST_FEATURES} are the most. Leave out those that select nothing.`,
      { place: ['openstack', 'features'], mistake: 'value' },
    )
  const there = folder === undefined ? new Set<string>() : await filesBelow(folder)
  refuseUnknown(features, folder, [...there])
  if (folder === undefined) return plan
  const names = overrideNames(features)
  const releases = plan.releases.map(async release => {
    const found = await Promise.all(
      names
        .map(name => `${release.chart}/${name}.yaml`)
        .filter(file => there.has(file))
        .map(file => readLayer(folder, file)),
    )
    return { ...release, layers: [...found.flat(), ...release.layers] }
  })
  return { ...plan, releases: await Promise.all(releases) }
}

/**
 * Feature words and their combinations in the order in which they are laid over each other: after each word those that
 * join it to words before it, the longer over the shorter. `a b` gives a, b, a-b.
 */
export function overrideNames(features: readonly string[]): string[] {
  return features.flatMap((word, index) => namesEndingWith(word, features.slice(0, index)))
}

function namesEndingWith(word: string, before: readonly string[]): string[] {
  return subsetsOf(before)
    .toSorted((one, other) => one.length - other.length)
    .map(words => [...words, word].join('-'))
}

function subsetsOf<T>(words: readonly T[]): T[][] {
  return words.reduce<T[][]>((sets, word) => [...sets, ...sets.map(set => [...set, word])], [[]])
}

/** The names `<chart>/<words>.yaml` of all files below a folder; none where there is no folder. */
async function filesBelow(folder: string): Promise<ReadonlySet<string>> {
  const charts = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const files = charts.map(async ({ name }) => {
    const inside = await readdir(join(folder, name)).catch(() => [])
    return inside.filter(file => file.endsWith('.yaml')).map(file => `${name}/${file}`)
  })
  return new Set((await Promise.all(files)).flat())
}

/**
 * A word that selects no file changes nothing, and is most often misspelt. A file counts whichever chart it is for: the same words
 * are also given to charts that this plan does not have.
 *
 * @throws {ChartPlanError} with the words that there are
 */
function refuseUnknown(features: readonly string[], folder: string | undefined, files: readonly string[]) {
  const known = new Set(files.map(file => file.slice(file.indexOf('/') + 1, -'.yaml'.length)))
  for (const [index, word] of features.entries()) {
    const sets = subsetsOf([...features.keys()]).filter(set => set.includes(index))
    if (sets.some(set => known.has(set.map(at => features[at]).join('-')))) continue
    const place = { place: ['openstack', 'features', index], mistake: 'value' } as const
    if (known.size === 0)
      throw new ChartPlanError(
        `The feature ${word} selects nothing: ${folder === undefined ? 'the site names no folder of overrides' : `there is no override in ${folder}`}. ` +
          'Name the folder as openstack.charts.overrides, or leave the features out.',
        place,
      )
    throw new ChartPlanError(
      `The feature ${word} selects no file of ${folder}. ${suggestionFor(word, [...known].toSorted())}`,
      place,
    )
  }
}

function suggestionFor(word: string, known: readonly string[]): string {
  const parts = [...new Set(known.flatMap(name => [name, ...name.split('-')]))]
  const joined = known.filter(name => name.split('-').includes(word))
  if (joined.length > 0) return `It does so only together with others: ${someOf(joined, 12)}.`
  const near = nearest(word, parts)
  return near === undefined ? `There are: ${someOf(known, 12)}.` : `Write ${near}, if that is meant.`
}

async function readLayer(folder: string, file: string): Promise<ValueLayer[]> {
  const remedy = 'Correct it there, or take its words out of openstack.features.'
  const values = await helmMapIfThere(folder, file, { folder, remedy })
  return values === undefined ? [] : [{ origin: join(folder, file), values }]
}
