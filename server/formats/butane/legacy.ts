// Configs that are not Butane, and are taken for it: what Matchbox served in earlier versions, and files of another kind.

import type { Node } from '../ignition/tree.ts'

/** What is said of a Container Linux Config. */
export const CONTAINER_LINUX =
  'this is a Container Linux Config, which Matchbox no longer serves since v0.10: it has no variant and no version'

/** What is wrong with a config that names no variant, if it is recognised as something else. */
export function legacyProblem(root: Node): string | undefined {
  if (root.kind !== 'object') return undefined
  const keys = root.members.map(({ key }) => key)
  if (keys.includes('coreos') || keys.includes('write_files')) {
    return 'this is a cloud-config: keep it in cloud/ with #cloud-config as its first line, or write Butane'
  }
  const ignition = root.members.find(({ key }) => key === 'ignition')?.value
  if (ignition?.kind === 'object' && ignition.members.some(({ key }) => key === 'version')) {
    return 'this is an Ignition config, and only files whose names end in .ign are served as Ignition: rename it'
  }
  return keys.some(key => CONTAINER_LINUX_KEYS.has(key)) ? CONTAINER_LINUX : undefined
}

/**
 * The offset at which a template begins to be a Container Linux Config, if it is one: what it renders to is not known, but a
 * Butane config has its variant at the first level.
 */
export function containerLinuxAt(template: string): number | undefined {
  if (/\bvariant\b|^#cloud-config|^\s*\{\s*"/.test(template)) return undefined
  // What a value at the first level holds may be the variant.
  if (/^\{\{-?\s*(?!(?:if|else|end|range|with)\b|\/\*)/m.test(template)) return undefined
  const found = /^([a-z]+):/gm
  for (let match = found.exec(template); match !== null; match = found.exec(template)) {
    if (CONTAINER_LINUX_KEYS.has(match[1] ?? '')) return match.index
  }
  return undefined
}

/** The keys of a Container Linux Config. */
const CONTAINER_LINUX_KEYS: ReadonlySet<string> = new Set(
  'ignition storage systemd networkd passwd etcd flannel update docker locksmith'.split(' '),
)
