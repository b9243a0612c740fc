// Whether rendered objects still hold a password that the chart publishes, in whatever form. Pure.

import { isRecord } from '#model/record.ts'
import type { PreflightProblem } from '../errors.ts'
import { isSecretName, passwordInUrl } from '../secrets/published.ts'
import { mapAt, type Values } from '../values/values.ts'
import { containersOf, mapsIn, podTemplateOf, titleOf } from './rendered.ts'

/** The Secrets, ConfigMaps and variables of a release that hold one of the texts which its chart publishes. */
export function checkPublished(
  release: string,
  objects: readonly Values[],
  texts: readonly string[],
): PreflightProblem[] {
  const known = new Set(texts)
  if (known.size === 0) return []
  return objects.flatMap(object => {
    const keys = entriesOf(object).flatMap(([key, text]) => (holds(key, text, known) ? [key] : []))
    return [...new Set(keys)].map(key => ({
      release,
      what: `${key} of ${titleOf(object)} holds a password that the chart publishes, which anyone can read`,
      remedy: `Give another where it comes from, in openstack.values.${release}, or switch it off there.`,
    }))
  })
}

/** Names and texts of what an object holds: a Secret's data as it is read. */
function entriesOf(object: Values): [key: string, text: string][] {
  const variables = containersOf(podTemplateOf(object)?.spec ?? {}).flatMap(container =>
    mapsIn(container['env']).map(({ name, value }) => [name, value] as const),
  )
  const isSecret = object['kind'] === 'Secret'
  const isHolder = isSecret || object['kind'] === 'ConfigMap'
  const data = isHolder ? Object.entries(mapAt(object, 'data')) : []
  const plain = isHolder && isRecord(object['stringData']) ? Object.entries(object['stringData']) : []
  return [
    ...variables,
    ...data.map(([key, value]) => [key, isSecret ? decoded(value) : value] as const),
    ...plain,
  ].flatMap(([key, text]) => (typeof key === 'string' && typeof text === 'string' ? [[key, text]] : []))
}

/** Whether a text is a published one under the name of a secret: all of it, in a URL, or in a line `NAME = TEXT`. */
function holds(key: string, text: string, known: ReadonlySet<string>): boolean {
  if (known.has(text.trim()) && isSecretName(key)) return true
  return text.split('\n').some(line => {
    const inUrl = passwordInUrl(line)
    if (inUrl !== undefined && known.has(inUrl)) return true
    const [, name = '', value = ''] = /^\s*"?([\w.-]+)"?\s*[=:]\s*(.*?)\s*$/.exec(line) ?? []
    return isSecretName(name) && known.has(value.replaceAll(/^["']|["'],?$/g, ''))
  })
}

function decoded(value: unknown): unknown {
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : value
}
