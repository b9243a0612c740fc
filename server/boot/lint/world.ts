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
  /** Says whether an asset is a link to a file elsewhere, which is not served. */
  readonly isLinkedOut?: (path: string) => boolean
  /** The labels that scripts, arguments or configs make machines send: keys of the queries in them. */
  readonly sentKeys: () => ReadonlySet<string>
  readonly limits: RenderLimits
}

/** How much is rendered at most; of more groups those are taken that differ most. */
export type RenderLimits = {
  /** Groups of one profile. */
  readonly groups: number
  /** Groups, counted for each profile that is rendered for them. */
  readonly renderings: number
  /** Different texts that are checked as configs. */
  readonly texts: number
}

/** For `pilotlight lint`, which has a process of its own, and for the thread of a server: some seconds. */
export const OWN_PROCESS: RenderLimits = { groups: 2000, renderings: 20_000, texts: 1000 }

/** For a server, where machines wait meanwhile: some tenths of a second. */
export const IN_SERVER: RenderLimits = { groups: 25, renderings: 250, texts: 100 }

/** `make`, which is asked at the first call only. */
export function lazily<T>(make: () => T): () => T {
  let made: { readonly it: T } | undefined
  return () => (made ??= { it: make() }).it
}
