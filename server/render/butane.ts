// What a machine gets for a Butane file of a Matchbox data directory, once it is rendered as a template.

import { InvalidButane } from '../errors.ts'
import type { LocalFiles } from '../butane/local-files.ts'
import { transpile } from '../butane/transpile.ts'
import { errorsText } from '../ignition/findings.ts'
import { MATCHBOX_SPEC, matchboxJson, writeIgnition } from '../ignition/write.ts'

/**
 * The Ignition config of a Butane text. What gives spec 3.0 to 3.4 comes out as Matchbox's 3.4.0, byte for byte; later
 * specs, which Matchbox empties, are written as Butane does.
 *
 * @throws {InvalidButane} 404 as in Matchbox, with line and column of the rendered text
 */
export function butaneIgnition(name: string, text: string, files: LocalFiles): string {
  const { good, findings } = transpile(text, files)
  if (good === undefined) throw new InvalidButane(name, errorsText(findings))
  const { config, spec } = good
  return spec > MATCHBOX_SPEC
    ? writeIgnition(config, spec, { emptyObjects: false })
    : matchboxJson(config, spec)
}
