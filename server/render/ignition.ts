// What a machine gets for the Ignition file of its profile: checked, and never an empty config in place of a bad one.

import { InvalidIgnition } from '../errors.ts'
import { checkIgnition } from '../ignition/config.ts'
import { errorsText } from '../ignition/findings.ts'
import { MATCHBOX_SPEC, matchboxJson } from '../ignition/write.ts'
import { remembered } from './remembered.ts'

/** A text that can be served, or what is wrong with it. */
export type Served = { readonly text: string } | { readonly problem: string }

/**
 * What is served for a template of ours that was rendered: the same config, without spaces.
 *
 * @throws {InvalidIgnition} 503, with line and column, when it is no JSON or breaks a rule of its spec
 */
export function renderedIgnition(name: string, text: string): string {
  return textOr(name, asRendered(text))
}

const asRendered = remembered<Served>(text => {
  const { good, findings } = checkIgnition(text)
  if (good === undefined) return kept({ problem: errorsText(findings) })
  return kept({ text: JSON.stringify(JSON.parse(text)) })
})

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
  return textOr(name, asMatchbox(text))
}

const asMatchbox = remembered<Served>(text => {
  const { good, findings } = checkIgnition(text)
  if (good === undefined) return kept({ problem: errorsText(findings) })
  return kept({ text: good.spec > MATCHBOX_SPEC ? text : matchboxJson(good.config, good.spec) })
})

function textOr(name: string, served: Served): string {
  if ('problem' in served) throw new InvalidIgnition(name, served.problem)
  return served.text
}

/** A result with its size. */
export function kept(value: Served): { value: Served; size: number } {
  return { value, size: ('text' in value ? value.text : value.problem).length }
}
