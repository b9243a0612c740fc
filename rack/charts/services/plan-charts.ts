// Draws up the plan of a site's OpenStack: the parts of the plan that it chose, with its own values over theirs.

import type { Site } from '../../site/site.ts'
import { ChartPlanError } from '../errors.ts'
import { factsOf } from '../plan/facts.ts'
import { checkGraph } from '../plan/graph.ts'
import { groupOf, type ChartPlan, type ReleasePlan } from '../plan/plan.ts'
import { computeKit } from './compute-kit.ts'
import { openstackHelm } from './openstack-helm.ts'
import { siteValuesOf } from '../values/values.ts'

/**
 * The plan of a site's OpenStack.
 *
 * @throws {ChartPlanError} when the site's values name a release that the plan does not have
 */
export function planCharts(site: Site): ChartPlan {
  const partsOf = site.openstack.plan === 'openstack-helm' ? openstackHelm : computeKit
  const parts = partsOf(factsOf(site))
  const releases = parts.flatMap(part => part.releases)
  const secrets = parts.flatMap(part => part.secrets)
  const names = releases.map(({ name }) => name)
  checkReleases(releases)
  const twice = secrets.find(({ name }, index) => secrets.findIndex(it => it.name === name) < index)
  if (twice !== undefined)
    throw new ChartPlanError(`Two parts of the plan make the secret ${twice.name}. Let one of them make it.`)
  const own = siteValuesOf(site.openstack.values, names)
  return {
    name: site.openstack.plan,
    namespace: 'openstack',
    secrets,
    releases: releases.map(release => ({
      ...release,
      layers: [...release.layers, { origin: 'site file', values: own.get(release.name) ?? {} }],
    })),
  }
}

/** Checks the needs; inside a group they may go in a circle. */
function checkReleases(releases: readonly ReleasePlan[]): void {
  checkGraph(
    releases.map(release => {
      const group = groupOf(release, releases).map(({ name }) => name)
      return { id: release.name, needs: release.needs.filter(need => !group.includes(need)) }
    }),
  )
}
