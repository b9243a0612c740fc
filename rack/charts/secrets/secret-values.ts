// Secrets in Helm values, for charts that want passwords there: a value that is a reference in every layer, plan and
// diff, and becomes the text only in what Helm is given.

import { isRecord } from '#model/record.ts'
import { ChartPlanError } from '../errors.ts'
import type { Values } from '../values/values.ts'
import type { Secrets } from './secrets.ts'

const pattern = /^secret:\/\/([a-z0-9-]+)\/([\w.-]+)$/

/** What values have in place of a key of a secret: `secret://nova-db/password`. */
export function secretReference(secret: string, key: string): string {
  return `secret://${secret}/${key}`
}

/** A reference in values, and where it is. */
type FoundReference = {
  readonly path: readonly string[]
  readonly secret: string
  readonly key: string
}

/** All references in values. */
export function referencesIn(values: unknown, path: readonly string[] = []): FoundReference[] {
  if (Array.isArray(values)) return values.flatMap((it, index) => referencesIn(it, [...path, String(index)]))
  if (isRecord(values)) return Object.entries(values).flatMap(([key, it]) => referencesIn(it, [...path, key]))
  const [, secret = '', key = ''] = (typeof values === 'string' && pattern.exec(values)) || []
  return secret === '' ? [] : [{ path, secret, key }]
}

/**
 * The values with each reference replaced by the text that it names.
 *
 * @throws {ChartPlanError} when a secret or key is not there
 */
export function withSecretTexts(values: Values, secrets: Secrets): Values {
  return replaced(values, secrets) as Values // a map stays one
}

function replaced(value: unknown, secrets: Secrets): unknown {
  if (Array.isArray(value)) return value.map(it => replaced(it, secrets))
  if (isRecord(value))
    return Object.fromEntries(Object.entries(value).map(([key, it]) => [key, replaced(it, secrets)]))
  const [, secret = '', key = ''] = (typeof value === 'string' && pattern.exec(value)) || []
  if (secret === '') return value
  const text = secrets[secret]?.[key]
  if (text !== undefined) return text
  throw new ChartPlanError(
    `The values refer to ${String(value)}, and this site has no such secret. It has: ${Object.keys(secrets).join(' ')}.`,
  )
}
