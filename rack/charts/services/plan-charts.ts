// Draws up the plan of a site's OpenStack: the parts of the plan that it chose, with its own values over theirs.

import type { Site } from '../../site/site.ts'
import { ChartPlanError } from '../errors.ts'
import { factsOf } from '../plan/facts.ts'
import type { Kit } from '../plan/parts.ts'
import { checkGraph } from '../plan/graph.ts'
import { groupOf, type ChartPlan, type ReleasePlan } from '../plan/plan.ts'
import { computeKit } from './compute-kit.ts'
import { openstackHelm } from './openstack-helm.ts'
import { siteValuesOf } from '../values/values.ts'

const kits: Readonly<Record<Site['openstack']['plan'], Kit>> = {
  'compute-kit': computeKit,
  'openstack-helm': openstackHelm,
}

/**
 * The plan of a site's OpenStack.
 *
 * @throws {ChartPlanError} when the site's values name a release that the plan does not have
 */
export function planCharts(site: Site): ChartPlan {
  const { plan: name, waves, values } = site.openstack
  const { always, optional, forClients = [] } = kits[name]
  const facts = factsOf(site)
  const parts = [...always, ...waves.map(wave => optional[wave])].map(planner => planner(facts))
  const releases = withClients(
    parts.flatMap(part => part.releases),
    forClients,
  )
  const secrets = parts.flatMap(part => part.secrets)
  const names = releases.map(({ name }) => name)
  checkReleases(releases)
  const twice = secrets.find(({ name }, index) => secrets.findIndex(it => it.name === name) < index)
  if (twice !== undefined)
    throw new ChartPlanError(`Two parts of the plan make the secret ${twice.name}. Let one of them make it.`)
  const own = siteValuesOf(values, names)
  return {
    name,
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

/**
 * Writes into the values of these releases' network policies which releases need them, by what they need and what that
 * needs.
 */
function withClients(all: readonly ReleasePlan[], forClients: readonly string[]): ReleasePlan[] {
  return all.map(release => {
    if (!forClients.includes(release.name)) return release
    const clients = all.filter(({ name }) => needsOf(name, all).has(release.name)).map(({ name }) => name)
    const layer = { origin: 'network policy', values: { network_policy: { clients: clients.toSorted() } } }
    return { ...release, layers: [...release.layers, layer] }
  })
}

function needsOf(name: string, all: readonly ReleasePlan[]): Set<string> {
  const found = new Set<string>()
  const left = [name]
  for (let one = left.pop(); one !== undefined; one = left.pop()) {
    for (const need of all.find(release => release.name === one)?.needs ?? []) {
      if (found.has(need)) continue
      found.add(need)
      left.push(need)
    }
  }
  return found
}
