// The charts of a site: its plan and the charts that are not ours, for `up` and for every verb that works with them.

import { access, constants } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { Failure } from '#model/error.ts'
import { helmIn } from '../charts/session.ts'
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

/** The helm of the folder `tools`, or of PATH where it is not given or has none: a path or a name, for a command line. */
export function helmProgram(tools: string | undefined): Promise<string> {
  return helmIn(tools === undefined ? undefined : resolve(tools))
}

/**
 * Looks whether there is a helm to run, before every chart is blamed for its absence.
 *
 * @throws {Failure} NO_HELM, with where to get one
 */
export async function requireHelm(tools: string | undefined): Promise<void> {
  const folders = [
    ...(tools === undefined ? [] : [resolve(tools)]),
    ...(process.env.PATH ?? '').split(delimiter),
  ]
  try {
    await Promise.any(folders.map(folder => access(join(folder, 'helm'), constants.X_OK)))
  } catch {
    const remedy = '`pilotlight images build` makes one, and prints its folder as "tools": --tools DIR'
    throw new Failure('NO_HELM', 'there is no helm, neither in --tools nor on PATH', remedy)
  }
}
