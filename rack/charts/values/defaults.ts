// A chart's own values, read from its folder as Helm reads them.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { textIfThere } from '#host/read-if-there.ts'
import { isRecord } from '#model/record.ts'
import { parseHelmYaml } from '../../site/helm-yaml.ts'
import { mergeValues, type Values } from './values.ts'

/**
 * The values of the chart in a folder, over those that it imports from the charts it depends on (`import-values` by
 * name, from `exports`). Those are in its `charts` folder, or where a `repository` of the form `file://PATH` says.
 */
export async function chartDefaults(chart: string): Promise<Values> {
  const { dependencies = [] } = (await readYaml(join(chart, 'Chart.yaml'))) as ChartFile
  const imported = await Promise.all(
    dependencies.map(async ({ name, repository = '', 'import-values': names = [] }) => {
      const inside = await readYaml(join(chart, 'charts', name, 'values.yaml'))
      const beside = join(chart, repository.replace(/^file:\/\//, ''), 'values.yaml')
      const values = inside ?? (repository.startsWith('file://') ? await readYaml(beside) : undefined) ?? {}
      const exported = isRecord(values['exports']) ? values['exports'] : {}
      return names.flatMap(it => (typeof it === 'string' && isRecord(exported[it]) ? [exported[it]] : []))
    }),
  )
  const own = (await readYaml(join(chart, 'values.yaml'))) ?? {}
  return [...imported.flat(), own].reduce<Values>(mergeValues, {})
}

/** A chart's own values, with those of the charts inside it below their names, as Helm has them. */
export async function allDefaults(chart: string): Promise<Values> {
  const inside = join(chart, 'charts')
  const names = await readdir(inside).catch(() => [])
  const below = await Promise.all(
    names.map(async name => ({ [name]: await allDefaults(join(inside, name)) })),
  )
  return [...below, await chartDefaults(chart)].reduce(mergeValues, {})
}

type ChartFile = {
  readonly dependencies?: readonly {
    readonly name: string
    readonly repository?: string
    readonly 'import-values'?: readonly unknown[]
  }[]
}

/** A YAML file that holds a map, as Helm reads it; undefined when there is none. */
async function readYaml(path: string): Promise<Values | undefined> {
  const text = await textIfThere(path)
  const read: unknown = text === undefined ? undefined : parseHelmYaml(path, text)
  return isRecord(read) ? read : undefined
}
