// Rules for files, directories and links.

import { posix } from 'node:path'
import { cleanPath, pathProblem } from './paths.ts'
import type { Report } from './findings.ts'
import type { Path } from './tree.ts'
import type { FileNode, IgnitionConfig, Integer, Link, Storage } from './types.ts'

/** What holds for each node by itself. */
export function nodeRules(
  { directories = [], files = [], links = [] }: Storage,
  spec: number,
  { error, warning }: Report,
): void {
  const each = (kind: string, nodes: readonly (FileNode & { readonly mode?: Integer })[]) => {
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
      if (mode !== undefined && spec < 6 && (BigInt(mode) & 0o7000n) !== 0n) {
        const message = `Ignition of this spec ignores the setuid, setgid and sticky bits of ${octal(mode)}`
        warning('special-bits', [...path, 'mode'], message)
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
        for (const key of Object.keys(link[side] ?? {})) {
          warning('owner-of-hard-link', [...path, side, key], 'a hard link has the owner of its target')
        }
      }
    }
  }
}

/**
 * What cannot be written because a file of the same config is where a folder must be: the machine would end in the
 * emergency shell. ignition-validate does not look for it (coreos/ignition issue 1457).
 */
export function belowFileRules({ storage = {}, systemd }: IgnitionConfig, { error }: Report): void {
  const isFile = new Map<string, string>()
  for (const { path = '' } of storage.files ?? []) isFile.set(path, 'a file')
  const written: { readonly at: Path; readonly path: string }[] = []
  for (const kind of ['directories', 'files', 'links'] as const) {
    for (const [index, { path = '' }] of (storage[kind] ?? []).entries()) {
      written.push({ at: ['storage', kind, index, 'path'], path })
    }
  }
  for (const [index, { contents, dropins = [], name = '' }] of (systemd?.units ?? []).entries()) {
    const at = ['systemd', 'units', index]
    const path = `/etc/systemd/system/${name}`
    if (contents) {
      written.push({ at: [...at, 'name'], path })
      isFile.set(path, 'a systemd unit')
    }
    for (const [number, dropin] of dropins.entries()) {
      if (dropin.contents) {
        written.push({ at: [...at, 'dropins', number, 'name'], path: `${path}.d/${dropin.name ?? ''}` })
      }
    }
  }
  for (const { at, path } of written) {
    const file = parentsOf(path).find(parent => isFile.has(parent))
    if (file !== undefined) {
      error(at, `${path} is below ${file}, which is ${isFile.get(file) ?? ''} of this config`)
    }
  }
}

/** A mode as it is written in YAML: 0644. */
export function octal(mode: Integer): string {
  return `0${mode.toString(8)}`
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
