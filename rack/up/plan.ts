// `pilotlight plan`: says what `up` would do, in order, without touching anything.

import { selectorTexts } from '#model/selector.ts'
import { planCharts } from '../charts/services/plan-charts.ts'
import { planCluster } from '../cluster/plan.ts'
import { checkDataDirectory } from '../site/check-data.ts'
import { compileSite } from '../site/compile.ts'
import { readSiteFile } from '../site/read.ts'
import { signingSentences, type SigningPlaces } from './plan-signing.ts'
import { trustSentences } from './plan-trust.ts'
import { atItsPlace, checkSiteValues } from './values.ts'

/** One step as `plan` prints it, and as `plan --json` gives it. */
export type PlannedStep = { readonly stage: string; readonly step: string; readonly awaits: string }

/** Reads and checks a site, and gives the steps that would make it true. */
export async function planSite(
  sitePath: string,
  dataPath: string,
  places: SigningPlaces,
): Promise<PlannedStep[]> {
  const site = await readSiteFile(sitePath)
  await checkDataDirectory(site, dataPath)
  const charts = await atItsPlace(sitePath, async () => planCharts(site))
  await checkSiteValues(sitePath, site, charts)
  const { groups } = compileSite(site)
  const signing = await signingSentences(site.name, places, Date.now())
  return [
    ...groups.map(({ id, profile, selector }) => ({
      stage: 'publish',
      step: `group ${id}: ${Object.entries(selectorTexts(selector ?? {}))
        .map(pair => pair.join('='))
        .join(' ')} boots profile ${profile}`,
      awaits: '',
    })),
    ...trustSentences(site).map(step => ({ stage: 'trust', step, awaits: '' })),
    ...signing.map(step => ({ stage: 'signing', step, awaits: '' })),
    ...site.machines.map(({ name, role, address }) => ({
      stage: 'boot',
      step: `${name} as ${role} at ${address}`,
      awaits: 'its report "ready"',
    })),
    ...planCluster(site).map(({ title, waitsFor }) => ({ stage: 'cluster', step: title, awaits: waitsFor })),
    ...charts.releases.map(({ name, needs }) => ({
      stage: 'openstack',
      step: `release ${name}`,
      awaits: needs.length === 0 ? '' : `after ${needs.join(', ')}`,
    })),
  ]
}

/** The steps as a table for a person. */
export function planTable(steps: readonly PlannedStep[]): string {
  const width = Math.max(...steps.map(({ step, awaits }) => (awaits === '' ? 0 : step.length)))
  return steps
    .map(({ stage, step, awaits }, index) => {
      const head = stage === steps[index - 1]?.stage ? '' : stage
      return `${head.padEnd(10)} ${step.padEnd(width)}  ${awaits}`.trimEnd()
    })
    .join('\n')
}
