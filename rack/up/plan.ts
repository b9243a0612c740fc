// `pilotlight plan`: says what `up` would do, in order, without touching anything.

import { selectorTexts } from '#model/selector.ts'
import type { ChartPlan } from '../charts/plan/plan.ts'
import { planCluster } from '../cluster/plan.ts'
import { checkDataDirectory } from '../site/check-data.ts'
import { compileSite } from '../site/compile.ts'
import { readSiteFile } from '../site/read.ts'
import type { Site } from '../site/site.ts'
import { siteCharts } from './site-charts.ts'
import { signingSentences, type SigningPlaces } from './signing-day.ts'
import { accessSentences } from './plan-access.ts'
import { diskSentences } from './plan-disk.ts'
import { trustSentences } from './plan-trust.ts'
import { stepsOf, type StepId } from './steps.ts'

/** One line of a plan, as `plan --json` gives it. */
export type PlannedStep = {
  /** The step of `up` that it is part of; `disk`, `trust`, `log in` and `signing` are said of `publish`. */
  readonly stage: string
  readonly step: string
  /** What ends it, or what it is after. */
  readonly awaits: string
}

/**
 * Reads and checks a site with its charts as `up` does, and gives the steps that would make it true. It starts nothing and
 * fetches nothing.
 *
 * @throws {FileProblems} for mistakes in the site file; {ChartLockError} when its charts are of a source and not pinned
 */
export async function planSite(
  sitePath: string,
  dataPath: string,
  places: SigningPlaces,
): Promise<PlannedStep[]> {
  const site = await readSiteFile(sitePath, places.state)
  await checkDataDirectory(site, dataPath)
  const { plan: charts } = await siteCharts(sitePath, site, { stateDirectory: places.state })
  const signing = await signingSentences(site.name, places, Date.now())
  const facts = { site, charts, signing }
  return stepsOf('openstack').flatMap(({ id }) =>
    LINES[id](facts).map(line => ({ stage: id, awaits: '', ...line })),
  )
}

type Facts = { readonly site: Site; readonly charts: ChartPlan; readonly signing: readonly string[] }
type Line = Pick<PlannedStep, 'step'> & Partial<PlannedStep>

/** What a plan says of each step of `up`. */
export const LINES: { readonly [Id in StepId]: (facts: Facts) => readonly Line[] } = {
  charts: ({ charts: { releases } }) => [
    { step: `${releases.length} charts rendered, nothing installed yet` },
  ],
  publish: ({ site, signing }) => [
    ...compileSite(site).groups.map(({ id, profile, selector }) => ({
      step: `group ${id}: ${Object.entries(selectorTexts(selector ?? {}))
        .map(pair => pair.join('='))
        .join(' ')} boots profile ${profile}`,
    })),
    ...diskSentences(site).map(step => ({ stage: 'disk', step })),
    ...trustSentences(site).map(step => ({ stage: 'trust', step })),
    ...accessSentences(site).map(step => ({ stage: 'log in', step })),
    ...signing.map(step => ({ stage: 'signing', step })),
  ],
  'power on': ({ site: { machines } }) => [
    {
      step: machines.map(({ name }) => name).join(' '),
      awaits: '--power-on, or someone who switches them on',
    },
  ],
  approve: () => [], // said by `trust`
  boot: ({ site: { machines } }) =>
    machines.map(({ name, role, address }) => ({
      step: `${name} as ${role} at ${address}`,
      awaits: 'its report "ready"',
    })),
  cluster: ({ site }) => planCluster(site).map(({ title, waitsFor }) => ({ step: title, awaits: waitsFor })),
  openstack: ({ charts: { releases } }) =>
    releases.map(({ name, needs }) => ({
      step: `release ${name}`,
      awaits: needs.length === 0 ? '' : `after ${needs.join(', ')}`,
    })),
  verify: () => [{ step: 'a guest of the new cloud', awaits: 'its address, and its answer' }],
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
