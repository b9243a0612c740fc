// What a machine gets for a Butane file of a Matchbox data directory, once it is rendered as a template.

import { InvalidButane } from './errors.ts'
import type { LocalFiles } from '../../formats/butane/local-files.ts'
import { transpile, type Transpiled } from '../../formats/butane/transpile.ts'
import { errorsText } from '../../formats/ignition/findings.ts'
import { MATCHBOX_SPEC, matchboxJson, writeIgnition } from '../../formats/ignition/write.ts'
import { kept, type Served } from './ignition.ts'
import { remembered } from './remembered.ts'

/**
 * The Ignition config of a Butane text. What gives spec 3.0 to 3.4 comes out as Matchbox's 3.4.0, byte for byte; later
 * specs, which Matchbox empties, are written as Butane does.
 *
 * @throws {InvalidButane} 404 as in Matchbox, with line and column of the rendered text
 */
export function butaneIgnition(name: string, text: string, files: LocalFiles): string {
  const served = transpilerFor(files)(text)
  if ('problem' in served) throw new InvalidButane(name, served.problem)
  return served.text
}

const transpilers = new WeakMap<LocalFiles, (text: string) => Served>()

/** The result for a text with these files beside it; it is kept only if none of them was read. */
function transpilerFor(files: LocalFiles): (text: string) => Served {
  const known = transpilers.get(files)
  if (known !== undefined) return known
  const transpiler = remembered<Served>(text => {
    let isAlone = true
    const watched: LocalFiles = {
      read: path => {
        isAlone = false
        return files.read(path)
      },
      tree: path => {
        isAlone = false
        return files.tree(path)
      },
    }
    const served = servedOf(transpile(text, watched))
    return isAlone ? kept(served) : { value: served }
  })
  transpilers.set(files, transpiler)
  return transpiler
}

function servedOf({ good, findings }: Transpiled): Served {
  if (good === undefined) return { problem: errorsText(findings) }
  const { config, spec } = good
  const isLater = spec > MATCHBOX_SPEC
  return {
    text: isLater ? writeIgnition(config, spec, { emptyObjects: false }) : matchboxJson(config, spec),
  }
}
