// What a machine gets for the Ignition file of its profile: checked, and never an empty config in place of a bad one.

import { messageOf } from '#progress/wait.ts'
import { InvalidIgnition } from '../errors.ts'
import { checkIgnition, ignitionProblem } from '../ignition/config.ts'
import { errorsText } from '../ignition/findings.ts'
import { MATCHBOX_SPEC, matchboxJson } from '../ignition/write.ts'

/**
 * Reads rendered text as an Ignition config.
 *
 * @throws {InvalidIgnition} 503, with line and column, when it is no JSON or breaks a rule of its spec
 */
export function ignitionOf(name: string, text: string): object {
  let config: unknown
  try {
    config = JSON.parse(text)
  } catch (error) {
    throw new InvalidIgnition(name, messageOf(error))
  }
  const version = (config as { ignition?: { version?: unknown } } | null)?.ignition?.version
  if (typeof version !== 'string') throw new InvalidIgnition(name, 'it has no ignition.version')
  const problem = ignitionProblem(text)
  if (problem !== undefined) throw new InvalidIgnition(name, problem)
  return config as object // it has an `ignition` object
}

/** Says whether a file is Ignition as it stands, which Matchbox tells by its ending: no template, no Butane. */
export function isPlainIgnition(name: string): boolean {
  return name.endsWith('.ign') || name.endsWith('.ignition')
}

/**
 * What is served for a file of a Matchbox data directory. Specs 3.0 to 3.4 become Matchbox's 3.4.0, byte for byte;
 * later ones, which Matchbox empties, are given as they stand.
 *
 * @throws {InvalidIgnition} 503, with line and column, where Matchbox would serve an empty config
 */
export function plainIgnition(name: string, text: string): string {
  const { good, findings } = checkIgnition(text)
  if (good === undefined) throw new InvalidIgnition(name, errorsText(findings))
  return good.spec > MATCHBOX_SPEC ? text : matchboxJson(good.config, good.spec)
}
