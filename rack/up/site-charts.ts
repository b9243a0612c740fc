// The charts of a site: its plan and the charts that are not ours, for `up` and for every verb that works with them.

import { helmProgram } from '../charts/releases/helm.ts'
import { chartsOfSite, type SiteCharts } from '../charts/sources/of-site.ts'
import type { Site } from '../site/site.ts'
import { atItsPlace, checkSiteValues } from './check-site-values.ts'

/**
 * The plan of a site, and its charts when they are not ours.
 *
 * @param tools the folder with helm; on PATH unless given
 * @throws {FileProblems} for values in the site file that no chart takes
 */
export async function siteCharts(
  siteFile: string,
  site: Site,
  { stateDirectory, tools }: { readonly stateDirectory: string; readonly tools?: string },
): Promise<SiteCharts> {
  const options = { stateDirectory, helm: await helmProgram(tools) }
  const prepared = await atItsPlace(siteFile, () => chartsOfSite(site, options))
  await checkSiteValues(siteFile, site, prepared.plan)
  return prepared
}
