// What the plan `openstack-helm` takes from the charts themselves, once they are at hand: every password that they publish is
// replaced, the ingresses that they make are switched off, and what would not come up is refused.

import { inScratch } from '#host/scratch.ts'
import { isRecord } from '#model/record.ts'
import { ChartPlanError } from '../errors.ts'
import { ADMIN_SECRET, layersOf, type ChartPlan, type ReleasePlan, type SecretPlan } from '../plan/plan.ts'
import { cloudAdmin } from '../../openstack/endpoints.ts'
import { publishedTexts, replacementOf, type PublishedText } from '../secrets/published.ts'
import { whyNotUp } from '../services/openstack-helm-limits.ts'
import { readChartFile } from './chart-file.ts'
import { allDefaults } from '../values/defaults.ts'
import { listAround, mergeLayers, mergeValues, siteKeyOf, valueAt, type Values } from '../values/values.ts'
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
    const texts = new Map<string, readonly PublishedText[]>()
    // One after another: each copies a chart and reads all of it.
    for (const release of plan.releases) {
      const { path } = await charts.unpack(release.chart, scratch)
      const { version } = await readChartFile(path)
      const chart = { version, values: await allDefaults(path) }
      texts.set(release.name, publishedIn(release, chart))
      whole = withUpstreamChart(whole, release.name, chart)
    }
    refuseTwoPasswords(whole, texts)
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
    const { plan: below, site } = layersOf(release)
    const own = site.values
    const before = mergeValues(chart.values, mergeLayers(below))
    const texts = publishedIn(release, chart)
    refuseKept(release, texts, own)
    refuseOwn(release, texts, own)
    refuseUnfit(release, mergeValues(before, own))
    const { values, secrets } = replacementOf(texts.filter(({ path }) => valueAt(own, path) === undefined))
    const layers = [
      ...below,
      { origin: 'no ingress', values: withoutIngress(chart.values) },
      { origin: 'secrets', values },
      site,
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

/** What a chart publishes, with what the plan and its overrides have over it, without what the site gives. */
function publishedIn(release: ReleasePlan, { values }: UpstreamChart): PublishedText[] {
  return publishedTexts(release.chart, mergeValues(values, mergeLayers(layersOf(release).plan)))
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
  const [year = 0, half = 0] = version
    .replace(/^v/, '')
    .split('.')
    .map(part => Number.parseInt(part, 10))
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
    const given = valueAt(own, path)
    if ((typeof given === 'string' || typeof given === 'number') && `${given}` === text)
      throw new ChartPlanError(
        `${key} is the text that the chart publishes, which anyone can read. Give another, or leave it out: then it is generated.`,
        placeOf(name, path),
      )
    const list = listAround(path)
    const isReplaced = list !== undefined && valueAt(own, list) !== undefined
    if (given === undefined && !isReplaced && 'refused' in instead)
      throw new ChartPlanError(
        `The chart of release ${name} publishes a secret that cannot be generated: ${instead.refused}. ` +
          (list === undefined
            ? `Give your own as ${key}, or null.`
            : `Give the whole list ${siteKeyOf(name, list)}, with your own in it.`),
      )
  }
}

/** @throws {ChartPlanError} for an account of the site's with no password, or with one that the chart publishes elsewhere */
function refuseOwn({ name, chart }: ReleasePlan, texts: readonly PublishedText[], own: Values): void {
  const known = new Set(texts.map(({ text }) => text))
  for (const { path, instead } of texts)
    if (!('refused' in instead) && ['', null].includes(valueAt(own, path) as string | null))
      throw new ChartPlanError(
        `${siteKeyOf(name, path)} is empty, and so would be the password of what has it. Give one, or leave it out: then it is generated.`,
        placeOf(name, path),
      )
  const repeated = publishedTexts(chart, own).find(({ text }) => known.has(text))
  if (repeated !== undefined)
    throw new ChartPlanError(
      `${siteKeyOf(name, repeated.path)} is a text that the chart publishes, which anyone can read. Give another.`,
      placeOf(name, repeated.path),
    )
}

/** Where the site file has a value of a release, or would have it. */
function placeOf(
  release: string,
  path: readonly string[],
): Pick<ChartPlanError, 'mistake'> & { place: string[] } {
  return { place: ['openstack', 'values', release, ...path], mistake: 'value' }
}

/** @throws {ChartPlanError} for values with which the chart would not come up in a cluster of this plan */
function refuseUnfit({ name }: ReleasePlan, values: Values): void {
  const found = whyNotUp(name, values)
  if (found === undefined) return
  throw new ChartPlanError(
    `Release ${name} would not come up: ${siteKeyOf(name, found.path)} ${found.why}`,
    placeOf(name, found.path),
  )
}

/**
 * An account has one password, in all charts that have the account: a job of one sets it, the others show it.
 *
 * @throws {ChartPlanError} when the site gives another one in some of them
 */
function refuseTwoPasswords(
  { releases }: ChartPlan,
  found: ReadonlyMap<string, readonly PublishedText[]>,
): void {
  const uses = releases.flatMap(({ name, layers }) => {
    const values = mergeLayers(layers)
    return (found.get(name) ?? []).flatMap(({ path, instead }) =>
      'refused' in instead
        ? []
        : [
            {
              id: `${instead.secret}/${instead.key}`,
              release: name,
              path,
              text: String(valueAt(values, path)),
            },
          ],
    )
  })
  for (const [id, of] of Map.groupBy(uses, it => it.id)) {
    const given = of.find(({ text }) => !text.startsWith('secret://'))
    if (given === undefined) continue
    const key = siteKeyOf(given.release, given.path)
    const place = placeOf(given.release, given.path)
    if (id.startsWith(`${ADMIN_SECRET}/`))
      throw new ChartPlanError(
        `${key} is the password of ${cloudAdmin.user}, with which this program itself asks Keystone. Leave it out: it is generated, and pilotlight openstack rc shows it.`,
        place,
      )
    const other = of.find(({ text }) => text !== given.text)
    if (other !== undefined)
      throw new ChartPlanError(
        `${key} is the password of an account that release ${other.release} has, too, as ${siteKeyOf(other.release, other.path)}. ` +
          'Give both the same, or none: then it is generated.',
        place,
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
