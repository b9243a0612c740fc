// Checks what an Ignition template rendered to.

import { messageOf } from '#progress/wait.ts'
import { InvalidIgnition } from '../errors.ts'

/**
 * Reads rendered text as an Ignition config.
 *
 * @throws {InvalidIgnition} 500, with the place, when it is no JSON or has no `ignition.version`
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
  return config as object // it has an `ignition` object
}
