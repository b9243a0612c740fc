// The files of a data directory as the linter sees them: what is below its folders, links followed, and which of these
// files are no one's content: what editors, git and operating systems leave, and what explains or makes the others.

import { readdirSync, type Stats } from 'node:fs'
import { basename, join } from 'node:path'
import { DEEPEST } from '../../inventory/directory-tree.ts'
import { statOf } from '../render/directory-files.ts'

/** Something in a folder of the data directory. */
export type Found = {
  /** From the root of the directory. */
  readonly file: string
  /** Bytes of the file; undefined when it is not a file that can be read, for example a link that leads nowhere. */
  readonly bytes: number | undefined
}

/** Everything below a folder of the directory at `root`, sorted by path. A link to a folder that it is in is left out. */
export function foundBelow(root: string, folder: string): Found[] {
  const found: Found[] = []
  const walk = (path: string, depth: number, around: ReadonlySet<string>) => {
    for (const name of namesIn(join(root, path))) {
      const file = `${path}/${name}`
      const it = statOf(join(root, file))
      if (it?.isDirectory() !== true) found.push({ file, bytes: it?.isFile() === true ? it.size : undefined })
      else if (depth < DEEPEST && !isTools(name) && !around.has(idOf(it)))
        walk(file, depth + 1, new Set([...around, idOf(it)]))
    }
  }
  const top = statOf(join(root, folder))
  walk(folder, 1, new Set(top === undefined ? [] : [idOf(top)]))
  return found.toSorted((a, b) => (a.file < b.file ? -1 : 1))
}

function idOf({ dev, ino }: Stats): string {
  return `${dev} ${ino}`
}

/** Says whether this is a folder of git, of an editor or of a language: nothing in it is meant for machines. */
function isTools(name: string): boolean {
  return /^(?:\..*|lost\+found|__pycache__|__MACOSX|node_modules)$/.test(name)
}

/**
 * Says whether no one can have meant this file as a group, profile or template: it is hidden, an editor's, a README or
 * license, or of a tool that makes or installs the others.
 */
export function isNoContent(file: string): boolean {
  const name = basename(file)
  return NO_CONTENT.some(pattern => pattern.test(name))
}

const NO_CONTENT = [
  /^\./,
  // Emacs, Vim, JetBrains, KDE
  /~$|^#.*#$|\.sw[a-p]$|^4913$|___jb_(?:tmp|old)___$|\.kate-swp$/,
  /^(?:Thumbs\.db|desktop\.ini|Icon\r)$/i,
  /^(?:readme|licen[cs]e|copying|notice|changelog|changes|authors|contributing|maintainers|owners|codeowners|todo)(?:[.\-_].*)?$/i,
  /\.(?:md|markdown|rst|adoc)$/i,
  /^(?:gnu)?makefile$|\.mk$|^(?:docker|vagrant|jenkins|just)file$/i,
  /\.(?:tf|tfvars|tfstate|tfstate\.backup|hcl)$|^terraform\.tfvars\.json$/,
]

/** Says whether the name is that of a copy that someone put aside. */
function isCopy(file: string): boolean {
  return /(?:\.(?:bak|backup|old|orig|rej|save|disabled|off|copy)|[-_ ]copy)\d*$/i.test(file)
}

/** The name of a file without its endings: `ignition/node` for `ignition/node.ign.tmpl`. */
function stemOf(file: string): string {
  const name = basename(file)
  const dot = name.indexOf('.', 1)
  return file.slice(0, file.length - name.length) + (dot < 0 ? name : name.slice(0, dot))
}

/** Says for a file whether it is what one of `products` is made from: it is beside that, and has its name. */
export function sourcesOf(products: Iterable<string>): (file: string) => boolean {
  const stems = new Set([...products].map(stemOf))
  return file => stemOf(file) !== file && !isCopy(file) && stems.has(stemOf(file))
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // it is not there, or may not be read
  }
}
