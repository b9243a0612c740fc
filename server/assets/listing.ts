// The page that lists a folder of assets, as Go's file server writes it.

import { readdir, realpath, stat } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { compareTexts } from '../formats/gotemplate/values.ts'
import { escapeHtml } from '../formats/gotemplate/escape.ts'
import { isPublic } from './names.ts'

/** A folder: its names, those of folders in it with a `/` behind, and when it changed. */
export type Folder = { readonly names: readonly string[]; readonly mtimeMs: number }

/**
 * The folder that `path` (decoded, below the root) means. Undefined when there is none, or it is outside of `root` once all
 * links are followed.
 */
export async function folderBelow(root: string, path: string): Promise<Folder | undefined> {
  if (path.includes('\0')) return undefined
  try {
    const top = await realpath(root)
    const real = await realpath(join(top, posix.join('/', path)))
    if (!isPublic(top, real)) return undefined
    const entries = await readdir(real, { withFileTypes: true })
    const names = entries
      .filter(({ name }) => isPublic(top, join(real, name)))
      .toSorted((a, b) => compareTexts(a.name, b.name))
      .map(entry => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    return { names, mtimeMs: (await stat(real)).mtimeMs }
  } catch {
    return undefined // not there, not a folder, or not ours to read
  }
}

/** The HTML of a listing. */
export function listingPage(names: readonly string[]): string {
  const lines = names.map(name => `<a href="${hrefOf(name)}">${escapeHtml(name)}</a>\n`)
  return `<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n${lines.join('')}</pre>\n`
}

/** A name as a relative URL; one with a colon must not look like a scheme. */
function hrefOf(name: string): string {
  const href = Array.from(Buffer.from(name), byte => {
    const letter = String.fromCharCode(byte)
    return /[\w.~$&+,/:;=@-]/.test(letter) ? letter : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }).join('')
  return /^[^/]*:/.test(href) ? `./${href}` : href
}
