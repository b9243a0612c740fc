// What `pilotlight charts plan` prints: the releases, or the values of one with the origin of each.

import { inScratch } from '#host/scratch.ts'
import { titleOf } from '#rack/charts/gates/promises.ts'
import { chosenOf, type ChartPlan, type ReleasePlan } from '#rack/charts/plan/plan.ts'
import { ourCharts, type ChartSource } from '#rack/charts/sources/ours.ts'
import { chartDefaults } from '#rack/charts/values/defaults.ts'
import { explainLayers, showPath, type ExplainedValue } from '#rack/charts/values/values.ts'

/** Something to print, as data and as lines. */
export type Explained = { readonly data: object; readonly lines: readonly string[] }

/** The plan: releases with needs and promises, and the names of the secrets. */
export function explainPlan({ name, namespace, releases, secrets }: ChartPlan): Explained {
  const lines = releases.flatMap(({ name: release, needs, after, group, promises }) => [
    [
      release,
      ...(needs.length > 0 ? [`needs ${needs.join(', ')}`] : []),
      ...(after.length > 0 ? [`installed after ${after.join(', ')}`] : []),
      ...(group === undefined ? [] : [`together with group ${group}`]),
    ].join('; '),
    ...promises.map(promised => `    ${titleOf(promised)}`),
  ])
  const data = { plan: name, namespace, releases, secrets: secrets.map(it => it.name) }
  return { data, lines: [...lines, `secrets: ${data.secrets.join(' ')}`] }
}

/** Every value of a release, or of all (`true`), with its origin; lists that replaced lists are pointed out. */
export async function explainValues(
  plan: ChartPlan,
  which: string | true,
  charts: ChartSource = ourCharts,
): Promise<Explained> {
  const releases = which === true ? plan.releases : chosenOf(plan, [which]).releases
  const shown = await inScratch(scratch =>
    Promise.all(
      releases.map(async release => ({ release, values: await layered(release, charts, scratch) })),
    ),
  )
  const lines = shown.flatMap(({ release, values }) => [release.name, ...values.map(valueLine)])
  const data = Object.fromEntries(shown.map(({ release, values }) => [release.name, values]))
  return { data: { values: data }, lines }
}

async function layered(
  { chart, layers }: ReleasePlan,
  charts: ChartSource,
  scratch: string,
): Promise<ExplainedValue[]> {
  const { path } = await charts.unpack(chart, scratch)
  const defaults = { origin: 'chart', values: await chartDefaults(path) }
  return explainLayers([defaults, ...layers])
}

function valueLine({ path, value, origin, replaced }: ExplainedValue): string {
  const isList = Array.isArray(value) && Array.isArray(replaced?.value)
  const note = isList ? `, instead of the whole list of the ${replaced?.origin}` : ''
  return `    ${showPath(path)}: ${JSON.stringify(value)}  (${origin}${note})`
}
