// New texts for secrets that are in use. Pure: what a secret becomes; `rotate` then brings it to its services.

import { ChartPlanError } from '../errors.ts'
import type { SecretPlan } from '../plan/plan.ts'
import { generateText, type KeptSecret, type Random } from './secrets.ts'

/**
 * The next version of the secrets of these names, or of all that can be rotated.
 *
 * @throws {ChartPlanError} when a name is not in the plan, was never made, or stands for something that cannot change
 */
export function rotateSecrets(
  plan: readonly SecretPlan[],
  names: readonly string[] | 'all',
  kept: readonly KeptSecret[],
  random: Random,
): KeptSecret[] {
  const chosen = names === 'all' ? plan.filter(isRotatable) : names.map(name => planned(plan, name))
  if (chosen.length === 0) {
    const why = plan
      .map(({ rotation }) => (typeof rotation === 'object' ? rotation.never : undefined))
      .find(Boolean)
    throw new ChartPlanError(`No secret of this plan can be rotated${why === undefined ? '.' : `: ${why}`}`)
  }
  return chosen.map(it => {
    const found = kept.find(({ name }) => name === it.name)
    if (found === undefined)
      throw new ChartPlanError(`The secret ${it.name} was not made yet. Apply the plan first.`)
    const entries = it.rotation === 'key-repository' ? moveKeysOn(found, random) : renewed(it, found, random)
    return { name: it.name, version: found.version + 1, entries }
  })
}

function planned(plan: readonly SecretPlan[], name: string): SecretPlan {
  const found = plan.find(it => it.name === name)
  const choice = plan.filter(isRotatable).map(it => it.name)
  if (found === undefined)
    throw new ChartPlanError(
      `The plan has no secret "${name}". It can rotate: ${choice.join(' ') || 'none'}.`,
    )
  if (typeof found.rotation === 'object')
    throw new ChartPlanError(`The secret ${name} cannot be rotated: ${found.rotation.never}`)
  return found
}

/** Says whether a new text can take the place of a secret's. */
export function isRotatable({ rotation, entries }: SecretPlan): boolean {
  return typeof rotation !== 'object' && Object.values(entries).some(entry => 'generate' in entry)
}

function renewed({ entries }: SecretPlan, kept: KeptSecret, random: Random): KeptSecret['entries'] {
  const texts = Object.entries(entries).map(([key, entry]) => [
    key,
    'text' in entry ? entry.text : generateText(entry, random),
  ])
  return { ...kept.entries, ...Object.fromEntries(texts) }
}

/**
 * Keystone's own way (`keystone-manage fernet_rotate`): the staged key 0, which every server has by now, becomes the
 * primary one, which has the highest number; a new one is staged; what was primary still opens the tokens of before, and
 * of those only the last is kept.
 */
function moveKeysOn({ entries }: KeptSecret, random: Random): KeptSecret['entries'] {
  const numbers = Object.keys(entries)
    .map(Number)
    .toSorted((a, b) => b - a)
  const primary = numbers[0] ?? 0
  return {
    0: generateText({ generate: 'fernet-key' }, random),
    [primary]: entries[primary] ?? '',
    [primary + 1]: entries[0] ?? '',
  }
}
