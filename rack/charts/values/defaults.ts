// A chart's own values, read from its folder as Helm reads them.

import { join } from 'node:path'
import { isRecord } from '#model/record.ts'
import { chartsInside, helmMapIfThere, readChartFile } from '../sources/chart-file.ts'
import { mergeValues, type Values } from './values.ts'

/**
 * The values of the chart in a folder, over those that it imports from the charts it depends on (`import-values` by
 * name, from `exports`). Those are in its `charts` folder, or where a `repository` of the form `file://PATH` says.
 *
 * @throws {ChartFileError} when Helm would refuse one of the files
 */
export async function chartDefaults(chart: string): Promise<Values> {
  const { dependencies } = await readChartFile(chart)
  const imported = await Promise.all(
    dependencies.map(async ({ name, repository = '', imports }) => {
      const inside = await helmMapIfThere(join(chart, 'charts', name), 'values.yaml')
      const beside = join(chart, repository.replace(/^file:\/\//, ''))
      const isBeside = inside === undefined && repository.startsWith('file://')
      const values = inside ?? (isBeside ? await helmMapIfThere(beside, 'values.yaml') : undefined) ?? {}
      const exported = isRecord(values['exports']) ? values['exports'] : {}
      return imports.flatMap(it => (isRecord(exported[it]) ? [exported[it]] : []))
    }),
  )
  const own = (await helmMapIfThere(chart, 'values.yaml')) ?? {}
  return [...imported.flat(), own].reduce<Values>(mergeValues, {})
}

/** A chart's own values, with those of the charts inside it below their names, as Helm has them. */
export async function allDefaults(chart: string): Promise<Values> {
  const below = await Promise.all(
    (await chartsInside(chart)).map(async ({ name, folder }) => ({ [name]: await allDefaults(folder) })),
  )
  return [...below, await chartDefaults(chart)].reduce(mergeValues, {})
}
