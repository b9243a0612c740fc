// Paths as Ignition wants them: absolute and clean.

import { posix } from 'node:path'

/** Why a path is not usable; undefined when it is. */
export function pathProblem(path: string): string | undefined {
  if (path === '') return 'a path is wanted'
  if (!path.startsWith('/')) return `"${path}" is relative; write it from /`
  const clean = cleanPath(path)
  return clean === path ? undefined : `"${path}" is not clean; write "${clean}"`
}

/** A path without `.`, `..`, doubled and trailing slashes (Go's path.Clean). */
export function cleanPath(path: string): string {
  const clean = posix.normalize(path)
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean
}
