// The templates as those who render them see them: files with names, whichever layer they come from.

import { bytesOf } from '#model/text.ts'
import type { Catalog } from './catalog.ts'

/** Files by folder and name, for example `ignition/node.ign.njk`. */
export interface TemplateFiles {
  /** Changes whenever the content does; undefined when there is no such file. */
  stampOf(name: string): string | undefined
  /** The content, as `textOf` gives it; undefined when there is no such file. */
  textOf(name: string): string | undefined
  /** The content; undefined when there is no such file. */
  bytesOf(name: string): Uint8Array | undefined
}

/** The templates of the catalog, as it is at each call. */
export function templateFiles(catalog: Catalog): TemplateFiles {
  const textOf = (name: string) => catalog.entry('template', name)?.object.content
  return {
    stampOf: name => catalog.entry('template', name)?.version,
    textOf,
    bytesOf: name => {
      const text = textOf(name)
      return text === undefined ? undefined : bytesOf(text)
    },
  }
}
