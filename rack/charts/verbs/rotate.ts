// New texts for secrets, brought to the services that use them.

import { randomBytes } from 'node:crypto'
import { rotateSecrets } from '../secrets/rotation.ts'
import { changeSecrets, type KeptSecret } from '../secrets/secrets.ts'
import { applyCharts, type ChartOptions, type ChartsResult } from './apply.ts'

/** What was rotated, and how the releases started with it. */
export type RotationResult = ChartsResult & {
  readonly rotated: readonly Pick<KeptSecret, 'name' | 'version'>[]
}

/**
 * Rotates the secrets of these names, or all that can be, and applies the plan: releases that use one are rolled.
 * The new texts are on disk before the first release is touched, so a run that fails is finished by `applyCharts`.
 *
 * @throws {ChartPlanError} when a secret cannot be rotated; nothing is changed then
 * @throws as applyCharts does
 */
export async function rotateAndApply(
  options: ChartOptions,
  names: readonly string[] | 'all',
): Promise<RotationResult> {
  const { plan, stateDirectory } = options
  let rotated: readonly KeptSecret[] = []
  await changeSecrets(
    stateDirectory,
    kept => (rotated = rotateSecrets(plan.secrets, names, kept, randomBytes)),
  )
  return {
    ...(await applyCharts(options)),
    rotated: rotated.map(({ name, version }) => ({ name, version })),
  }
}
