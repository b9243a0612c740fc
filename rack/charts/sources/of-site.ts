// What a site file says about charts, made ready: where they come from, and the plan with the overrides that belong to them.

import { join } from 'node:path'
import type { Site } from '../../site/site.ts'
import { ourCharts, type ChartSource } from './ours.ts'
import { planCharts } from '../services/plan-charts.ts'
import type { ChartPlan } from '../plan/plan.ts'
import { ChartLockError } from '../errors.ts'
import { kindOfSource } from './fetch.ts'
import { lockedCharts, pinCharts, type SourceOptions } from './locked.ts'
import { readLock, writeLock, type ChartLock } from './lock-file.ts'
import { withOverrides } from './overrides.ts'
import { withUpstreamCharts } from './upstream.ts'

/** The plan of a site, and the source of its charts. */
export type SiteCharts = { readonly plan: ChartPlan; readonly charts: ChartSource }

/**
 * Reads what the site names beside itself: lock file and overrides.
 *
 * @throws {ChartLockError} when the site has a source of charts and they are not locked, or for another source
 * @throws {ChartPlanError} as planCharts and withUpstreamCharts do
 */
export async function chartsOfSite(
  site: Site,
  { stateDirectory, ...options }: SourceOptions & { readonly stateDirectory: string },
): Promise<SiteCharts> {
  const plan = planCharts(site)
  const { charts: origin, features } = site.openstack
  if (origin === undefined) return { plan, charts: ourCharts }
  const lock = await readLock(origin.lock)
  if (lock === undefined || lock.source !== origin.source)
    throw new ChartLockError(
      `The charts of ${origin.source} are not pinned: ${origin.lock} ${lock === undefined ? 'is not there' : `is for ${lock.source}`}. ` +
        'Pin them: pilotlight charts lock SITE.',
    )
  const cache = join(stateDirectory, 'chart-archives')
  const charts = lockedCharts(lock, { ...options, cache })
  const overrides = overridesOf(origin)
  const whole = overrides === undefined ? plan : await withOverrides(plan, overrides, features)
  return {
    plan: site.openstack.plan === 'openstack-helm' ? await withUpstreamCharts(whole, charts) : whole,
    charts,
  }
}

/**
 * Pins every chart of the site's plan and writes the lock file. What is pinned already keeps its version, unless it is
 * to be updated to the newest.
 *
 * @throws {ChartLockError} when the site's charts are our own, which need no lock
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
  writeLock(origin.lock, lock)
  return { path: origin.lock, lock }
}

/** A checkout of openstack-helm has them beside its charts. */
function overridesOf({ source, overrides }: NonNullable<Site['openstack']['charts']>): string | undefined {
  if (overrides !== undefined) return overrides
  return kindOfSource(source) === 'folder' ? join(source, 'values_overrides') : undefined
}
