// Puts the files of local folders (`storage.trees`) into a config.

import { posix } from 'node:path'
import type { Report } from '../ignition/findings.ts'
import type { Fields } from '../ignition/read.ts'
import type { Path } from '../ignition/tree.ts'
import type { Directory, File, IgnitionConfig, Link, Owner } from '../ignition/types.ts'
import { dataUrlOf } from './data-url.ts'
import type { Origins } from './origins.ts'
import type { LocalFiles, TreeEntry } from './local-files.ts'
import type { Tree } from './types.ts'

/** The config with everything that its trees hold; a file or link that it names without content gets it from there. */
export function addTrees(
  config: IgnitionConfig,
  trees: readonly Tree[],
  { files, report, origins }: TreeSources,
): IgnitionConfig {
  if (trees.length === 0) return config
  const nodes: Nodes = {
    directories: [...(config.storage?.directories ?? [])],
    files: [...(config.storage?.files ?? [])],
    links: [...(config.storage?.links ?? [])],
  }
  for (const [index, tree] of trees.entries()) {
    const path = ['storage', 'trees', index]
    const entries = files.tree(tree.local ?? '')
    if (typeof entries === 'string') report.error(path, entries)
    else for (const entry of entries) addEntry(entry, tree, nodes, path, { report, origins })
  }
  const storage = { ...config.storage, ...nodes }
  for (const kind of ['directories', 'files', 'links'] as const) {
    origins.set(nodes[kind], origins.of(config.storage?.[kind]) ?? ['storage', 'trees'], new Map())
  }
  const planted = { ...config, storage }
  origins.set(storage, ['storage'], new Map())
  origins.set(planted, [], new Map())
  return planted
}

/** The files beside the config, where mistakes are reported, and where the origin of each node is noted. */
export type TreeSources = {
  readonly files: LocalFiles
  readonly report: Report
  readonly origins: Origins
}

type Nodes = { readonly directories: Directory[]; readonly files: File[]; readonly links: Link[] }

function addEntry(
  entry: TreeEntry,
  tree: Tree,
  nodes: Nodes,
  at: Path,
  { report, origins }: Pick<TreeSources, 'report' | 'origins'>,
): void {
  const add = <Node extends object>(list: Node[], index: number, node: Node) => {
    const before = list[index] as Fields | undefined // a node of the config
    const after = node as Fields
    if (before !== undefined) {
      const kept = Object.keys(before).filter(key => before[key] === after[key])
      const members = kept.map(key => [key, origins.of(before, key) ?? at] as const)
      origins.set(node, origins.of(before) ?? at, new Map(members))
    }
    origins.all(after, at)
    put(list, index, node)
  }
  const path = posix.join(tree.path || '/', entry.path)
  const owners = ownersOf(tree)
  const clash = () => report.error(at, `${path} is in the config already`)
  if (entry.kind === 'directory') {
    if (tree.dirMode === undefined && Object.keys(owners).length === 0) return
    if (isKnown(nodes, path)) clash()
    else add(nodes.directories, -1, { path, ...owners, mode: tree.dirMode ?? 0o755 })
    return
  }
  if (entry.kind === 'link') {
    const known = nodes.links.findIndex(link => link.path === path)
    if (known < 0 ? isKnown(nodes, path) : nodes.links[known]?.target) clash()
    else add(nodes.links, known, { ...(nodes.links[known] ?? { path, ...owners }), target: entry.target })
    return
  }
  const known = nodes.files.findIndex(file => file.path === path)
  const file = nodes.files[known]
  if (known < 0 ? isKnown(nodes, path) : file?.contents?.source) {
    clash()
    return
  }
  const contents = { ...file?.contents, ...dataUrlOf(entry.content, file?.contents?.compression) }
  const mode = file?.mode ?? tree.fileMode ?? (entry.isExecutable ? 0o755 : 0o644)
  add(nodes.files, known, { ...(file ?? { path, ...owners }), contents, mode })
}

function ownersOf({ user, group }: Tree): { readonly user?: Owner; readonly group?: Owner } {
  return {
    ...(user && Object.keys(user).length > 0 && { user }),
    ...(group && Object.keys(group).length > 0 && { group }),
  }
}

function isKnown(nodes: Nodes, path: string): boolean {
  return [...nodes.directories, ...nodes.files, ...nodes.links].some(node => node.path === path)
}

function put<Node>(list: Node[], index: number, node: Node): void {
  if (index < 0) list.push(node)
  else list[index] = node
}
