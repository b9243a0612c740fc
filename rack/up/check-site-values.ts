// Checks the values of a site file against the charts that take them, and reports the place of each mistake in the file.

import { readFile } from 'node:fs/promises'
import { isRecord } from '#model/record.ts'
import { checkValues } from '../charts/values/check-values.ts'
import { chartDefaults } from '../charts/values/defaults.ts'
import { ChartPlanError } from '../charts/errors.ts'
import { showPath } from '../charts/values/values.ts'
import { chartFolder } from '../charts/sources/ours.ts'
import type { ChartPlan } from '../charts/plan/plan.ts'
import { YamlReader } from '../site/document.ts'
import type { Site } from '../site/site.ts'

/**
 * Compares `openstack.values` with the values of our charts. What charts of other makers take, only Helm can say.
 *
 * @throws {FileProblems} with every key that no chart reads and every value of a wrong type
 */
export async function checkSiteValues(path: string, site: Site, plan: ChartPlan): Promise<void> {
  if (site.openstack.charts !== undefined) return
  const found = await Promise.all(
    plan.releases.map(async ({ name, chart }) => {
      const values = site.openstack.values[name]
      if (!isRecord(values)) return []
      const problems = checkValues(await chartDefaults(chartFolder(chart)), values)
      return problems.map(problem => ({ ...problem, path: ['openstack', 'values', name, ...problem.path] }))
    }),
  )
  if (found.flat().length === 0) return
  const reader = new YamlReader(path, await readFile(path, 'utf8'))
  for (const { kind, path: place, what, remedy } of found.flat())
    reader.complain(kind === 'unknown key' ? 'PL-1002' : 'PL-1004', place, what, remedy)
  reader.finish()
}

/**
 * Runs what plans a site, and reports the place of a mistake that is in the site file.
 *
 * @throws {FileProblems} for a mistake with a place; anything else unchanged
 */
export async function atItsPlace<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof ChartPlanError) || error.place === undefined) throw error
    const reader = new YamlReader(path, await readFile(path, 'utf8'))
    const [sentence = '', ...remedy] = error.message.split('. ')
    // The reader writes the key before what is said of it.
    const named = `${showPath(error.place.map(String))} `
    const what = sentence.startsWith(named) ? sentence.slice(named.length) : sentence
    reader.complain(error.mistake === 'key' ? 'PL-1002' : 'PL-1004', error.place, what, remedy.join('. '))
    reader.finish()
    throw error
  }
}
