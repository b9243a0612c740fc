// What the rules need to know besides the objects that they examine.

import type { TemplateFiles } from '../../inventory/template-files.ts'
import type { Renderers } from '../render/answers.ts'

/** What groups and profiles refer to. */
export type World = {
  /** Names of all profiles. */
  readonly profiles: { has(name: string): boolean; keys(): Iterable<string> }
  readonly files: TemplateFiles
  readonly renderers: Renderers
  /** Bytes of the asset at a path below `/assets/`; undefined when it is not there. Left out where none are served. */
  readonly assetBytes?: (path: string) => number | undefined
}
