// Rules for files, directories and links.

import { posix } from 'node:path'
import { cleanPath, pathProblem } from './paths.ts'
import type { Report } from './findings.ts'
import type { FileNode, Link, Storage } from './types.ts'

/** What holds for each node by itself. */
export function nodeRules({ directories = [], files = [], links = [] }: Storage, report: Report): void {
  const { error } = report
  const each = (kind: string, nodes: readonly (FileNode & { readonly mode?: number })[]) => {
    for (const [index, node] of nodes.entries()) {
      const path = ['storage', kind, index]
      error([...path, 'path'], pathProblem(node.path ?? ''))
      for (const side of ['user', 'group'] as const) {
        const { id, name = '' } = node[side] ?? {}
        if (id !== undefined && name !== '') error([...path, side], 'give id or name, not both')
      }
      const { mode } = node
      if (mode !== undefined && (mode < 0 || mode > 0o7777)) {
        error([...path, 'mode'], `${mode} is not a file mode; they go from 0 to 4095 (octal 7777)`)
      }
    }
  }
  each('directories', directories)
  each('files', files)
  each('links', links)
  for (const [index, file] of files.entries()) {
    if (file.overwrite && file.contents?.source === undefined) {
      error(
        ['storage', 'files', index, 'overwrite'],
        'there is nothing to overwrite with: contents has no source',
      )
    }
  }
}

/** What holds between nodes: nothing is below a link, and a hard link is not to a directory. */
export function storageRules(storage: Storage, spec: number, { error, warning }: Report): void {
  const { directories = [], files = [], links = [] } = storage
  const linked = new Set(links.map(link => link.path ?? ''))
  for (const [kind, nodes] of [
    ['directories', directories],
    ['files', files],
    ['links', links],
  ] as const) {
    for (const [index, { path = '' }] of nodes.entries()) {
      const link = parentsOf(path).find(parent => linked.has(parent))
      if (link !== undefined) error(['storage', kind, index], `${path} is below ${link}, which is a link`)
    }
  }
  for (const [index, link] of links.entries()) {
    const path = ['storage', 'links', index]
    const { target = '', hard } = link
    if (spec >= 3 && target === '') error([...path, 'target'], 'a link needs a target')
    else if (hard) {
      const full = targetOf(link)
      if (directories.some(directory => directory.path === full)) {
        error(path, `a hard link cannot lead to the directory ${full}`)
      }
      for (const side of ['user', 'group'] as const) {
        if (Object.keys(link[side] ?? {}).length > 0)
          warning([...path, side], 'a hard link has the owner of its target')
      }
    }
  }
}

function targetOf({ path = '', target = '' }: Link): string {
  const clean = cleanPath(target)
  return clean.startsWith('/') ? clean : cleanPath(posix.join(path, target))
}

function parentsOf(path: string): string[] {
  const parents: string[] = []
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) parents.push(path.slice(0, at))
  return parents
}
