// What the plan `openstack-helm` takes from the charts themselves, once they are at hand: every password that they publish is
// replaced, the ingresses that they make are switched off, and versions that would not come up are refused.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inScratch } from '#host/scratch.ts'
import { isRecord } from '#model/record.ts'
import { ChartPlanError } from '../errors.ts'
import type { ChartPlan, ReleasePlan, SecretPlan } from '../plan/plan.ts'
import { publishedTexts, replacementOf, siteKeyOf, type PublishedText } from '../secrets/published.ts'
import { chartDefaults } from '../values/defaults.ts'
import { mergeLayers, mergeValues, valueAt, type Values } from '../values/values.ts'
import { versionIn } from './fetch.ts'
import type { ChartSource } from './ours.ts'

/** The oldest version of the charts that this plan is for. */
const OLDEST = '2026.1.0'

/** A chart's name, version and own values. */
export type UpstreamChart = { readonly version: string; readonly values: Values }

/**
 * The plan with what follows from its charts: see `withUpstreamChart`.
 *
 * @throws {ChartPlanError} when a chart cannot come up, or keeps a published password
 * @throws as `ChartSource.unpack` does
 */
export async function withUpstreamCharts(plan: ChartPlan, charts: ChartSource): Promise<ChartPlan> {
  return inScratch(async scratch => {
    let whole = plan
    // One after another: each copies a chart and reads all of it.
    for (const release of plan.releases) {
      const { path } = await charts.unpack(release.chart, scratch)
      const file = join(path, 'Chart.yaml')
      const version = versionIn(file, await readFile(file, 'utf8')) ?? ''
      whole = withUpstreamChart(whole, release.name, { version, values: await chartDefaults(path) })
    }
    return whole
  })
}

/**
 * The plan with what follows from the chart of one of its releases. Pure.
 *
 * @throws {ChartPlanError} when the chart cannot come up, or keeps a published password
 */
export function withUpstreamChart(plan: ChartPlan, name: string, chart: UpstreamChart): ChartPlan {
  const releases = plan.releases.map(release => {
    if (release.name !== name) return { release, secrets: [] }
    refuseOld(release, chart)
    const own = release.layers.at(-1)?.values ?? {} // of the site file
    const before = mergeValues(chart.values, mergeLayers(release.layers.slice(0, -1)))
    const texts = publishedTexts(release.chart, before)
    refuseKept(release, texts, own)
    const { values, secrets } = replacementOf(texts.filter(({ path }) => valueAt(own, path) === undefined))
    const layers = [
      ...release.layers.slice(0, -1),
      { origin: 'no ingress', values: withoutIngress(chart.values) },
      { origin: 'secrets', values },
      ...release.layers.slice(-1),
    ]
    return { release: { ...release, layers }, secrets }
  })
  return {
    ...plan,
    releases: releases.map(it => it.release),
    secrets: mergeSecrets(
      plan.secrets,
      releases.flatMap(it => it.secrets),
    ),
  }
}

/**
 * Charts up to 2026.1 make an Ingress for each API, with the host of its public address. Ours is an IP address with a node
 * port, which is not a host of an Ingress (RFC 1123), and there is no controller for one.
 */
function withoutIngress({ manifests }: Values): Values {
  const made = Object.keys(isRecord(manifests) ? manifests : {})
  const names = made.filter(key => /^(service_)?ingress(_|$)|^secret_ingress_tls$/.test(key))
  return names.length === 0 ? {} : { manifests: Object.fromEntries(names.map(key => [key, false])) }
}

function refuseOld({ name }: ReleasePlan, { version }: UpstreamChart): void {
  const [year = 0, half = 0] = version.split('.').map(part => Number.parseInt(part, 10))
  if (year > 2026 || (year === 2026 && half >= 1)) return
  throw new ChartPlanError(
    `Release ${name} would not come up: its chart has the version ${version || '(none)'}, and before ${OLDEST} pods wait for an ingress controller, ` +
      `which this cluster does not have. Take the charts of ${OLDEST} or later: pilotlight charts lock SITE --update.`,
    { place: ['openstack', 'charts', 'source'] },
  )
}

/** @throws {ChartPlanError} for a published text that the site repeats, or that nothing generated can replace */
function refuseKept({ name }: ReleasePlan, texts: readonly PublishedText[], own: Values): void {
  for (const { path, text, instead } of texts) {
    const key = siteKeyOf(name, path)
    const place = ['openstack', 'values', name]
    const given = valueAt(own, path)
    if ((typeof given === 'string' || typeof given === 'number') && `${given}` === text)
      throw new ChartPlanError(
        `${key} is the text that the chart publishes, which anyone can read. Give another, or leave it out: then it is generated.`,
        { place },
      )
    if (given === undefined && 'refused' in instead)
      throw new ChartPlanError(
        `The chart of release ${name} publishes a secret that cannot be generated: ${instead.refused}. Give your own as ${key}, or null.`,
      )
  }
}

function mergeSecrets(known: readonly SecretPlan[], more: readonly SecretPlan[]): SecretPlan[] {
  const merged = new Map(known.map(it => [it.name, it]))
  for (const secret of more) {
    const before = merged.get(secret.name)
    merged.set(
      secret.name,
      before ? { ...before, entries: { ...secret.entries, ...before.entries } } : secret,
    )
  }
  return [...merged.values()]
}
