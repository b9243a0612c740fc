// What a site file says about charts, made ready: where they come from, and the plan with the overrides that belong to them.

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { nearest } from '#model/nearest.ts'
import type { Site } from '../../site/site.ts'
import { ourCharts, type ChartSource } from './ours.ts'
import { referencesIn, secretReference } from '../secrets/secret-values.ts'
import { showPath } from '../values/values.ts'
import { planCharts } from '../services/plan-charts.ts'
import { layersOf, type ChartPlan } from '../plan/plan.ts'
import { ChartLockError, ChartPlanError } from '../errors.ts'
import { kindOfSource } from './fetch.ts'
import { changedChart, lockedCharts, pinCharts, type SourceOptions } from './locked.ts'
import { readLock, writeLock, type ChartLock } from './lock-file.ts'
import { withOverrides } from './overrides.ts'
import { withUpstreamCharts } from './upstream.ts'

/** The plan of a site, and the source of its charts. */
export type SiteCharts = { readonly plan: ChartPlan; readonly charts: ChartSource }

/**
 * Reads what the site names beside itself: lock file and overrides.
 *
 * @throws {ChartLockError} when the site has a source of charts and they are not locked, or for another source
 * @throws {ChartPlanError} as planCharts, withOverrides and withUpstreamCharts do
 * @throws {ChartFileError} when Helm would refuse a file of a chart or an override
 */
export async function chartsOfSite(
  site: Site,
  { stateDirectory, ...options }: SourceOptions & { readonly stateDirectory: string },
): Promise<SiteCharts> {
  return checked(await preparedOf(site, { ...options, stateDirectory }))
}

async function preparedOf(
  site: Site,
  { stateDirectory, ...options }: SourceOptions & { readonly stateDirectory: string },
): Promise<SiteCharts> {
  const plan = planCharts(site)
  const { charts: origin, features } = site.openstack
  if (origin === undefined) {
    if (features.length === 0) return { plan, charts: ourCharts }
    throw new ChartPlanError(
      'openstack.features select nothing: the charts of this program have no overrides. Name others as openstack.charts, or leave the features out.',
      { place: ['openstack', 'features'], mistake: 'value' },
    )
  }
  const lock = await readLock(origin.lock)
  if (lock === undefined || lock.source !== origin.source)
    throw new ChartLockError(
      `The charts of ${origin.source} are not pinned: ${origin.lock} ${lock === undefined ? 'is not there' : `is for ${lock.source}`}. ` +
        'Pin them: pilotlight charts lock SITE.',
    )
  const cache = join(stateDirectory, 'chart-archives')
  const charts = lockedCharts(lock, { ...options, cache })
  const whole = await withOverrides(plan, await overridesOf(origin), features)
  return {
    plan: site.openstack.plan === 'openstack-helm' ? await withUpstreamCharts(whole, charts) : whole,
    charts,
  }
}

/** @throws {ChartPlanError} for a value that refers to a secret which the plan does not make */
function checked(prepared: SiteCharts): SiteCharts {
  const { secrets, releases } = prepared.plan
  for (const { name, layers } of releases)
    for (const { path, secret, key } of referencesIn(layersOf({ layers }).site.values)) {
      const entries = secrets.find(it => it.name === secret)?.entries
      if (entries !== undefined && key in entries) continue
      const near = nearest(
        secret,
        secrets.map(it => it.name),
      )
      throw new ChartPlanError(
        `openstack.values.${showPath([name, ...path])} refers to ${secretReference(secret, key)}, and the plan has no such ${entries === undefined ? 'secret' : 'key of it'}. ` +
          (entries === undefined
            ? near === undefined
              ? `It has: ${secrets.map(it => it.name).join(' ')}.`
              : `Write ${near}, if that is meant.`
            : `It has: ${Object.keys(entries).join(' ')}.`),
        { place: ['openstack', 'values', name, ...path], mistake: 'value' },
      )
    }
  return prepared
}

/**
 * Pins every chart of the site's plan and writes the lock file. What is pinned already keeps its version, unless it is
 * to be updated to the newest.
 *
 * @throws {ChartLockError} when the site's charts are our own, which need no lock; or when one is not what was pinned under
 *   the same version, and it is not to be updated
 * @throws {ChartNotFound} when the source lacks one of them
 */
export async function lockSiteCharts(
  site: Site,
  {
    update,
    versions = {},
    ...options
  }: SourceOptions & {
    readonly update: boolean
    /** By chart; required for a registry. */
    readonly versions?: Readonly<Record<string, string>>
  },
): Promise<{ path: string; lock: ChartLock }> {
  const origin = site.openstack.charts
  if (origin === undefined)
    throw new ChartLockError(
      'The site names no source of charts: they are those of this program, change only with it, and need no lock. ' +
        'To take others, name where they are: openstack: { charts: { source: https://… } }.',
    )
  const kept = update ? undefined : await readLock(origin.lock)
  const pinned = kept?.source === origin.source ? kept.charts : {}
  const names = [...new Set(planCharts(site).releases.map(({ chart }) => chart))]
  const wanted = names.map(name => {
    const version = versions[name] ?? pinned[name]?.version
    return version === undefined ? { name } : { name, version }
  })
  const lock = await pinCharts(origin.source, wanted, options)
  for (const [name, { version, sha256 }] of Object.entries(lock.charts)) {
    const before = pinned[name]
    if (before?.version === version && before.sha256 !== sha256)
      throw changedChart(origin.source, name, before, sha256)
  }
  writeLock(origin.lock, lock)
  return { path: origin.lock, lock }
}

/** A checkout of openstack-helm has them beside its charts. */
async function overridesOf({
  source,
  overrides,
}: NonNullable<Site['openstack']['charts']>): Promise<string | undefined> {
  if (overrides !== undefined) {
    const found = await stat(overrides).catch(() => undefined)
    if (found?.isDirectory() === true) return overrides
    throw new ChartPlanError(
      `There is no folder ${overrides}. Correct the path: it is relative to the site file.`,
      { place: ['openstack', 'charts', 'overrides'], mistake: 'value' },
    )
  }
  return kindOfSource(source) === 'folder' ? join(source, 'values_overrides') : undefined
}
