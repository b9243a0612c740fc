// The plan without OpenStack's own services: what a bare API server can be brought to promise by a test that plays the kubelet.

import { chosenOf, type ChartPlan } from '#rack/charts/plan/plan.ts'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import type { Site } from '#rack/site/site.ts'
import { smallSite } from '../../small-site.ts'

/** The small rack with these values, and its plan's database, queue and cache. */
export function infrastructureOf(values: Record<string, unknown> = {}): { site: Site; plan: ChartPlan } {
  const site: Site = { ...smallSite, openstack: { ...smallSite.openstack, values } }
  return { site, plan: chosenOf(planCharts(site), ['mariadb', 'rabbitmq', 'memcached']) }
}
