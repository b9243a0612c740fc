// What is made or loaded when it is first needed: a server that never needs it neither waits for it nor keeps it in memory.

import { createRequire } from 'node:module'

/** The result of `make`, which is called once, at the first call; again after one that throws. */
export function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}

/** A package that is loaded at the first call; the caller says of which type it is. */
export function lazyPackage(name: string): () => unknown {
  return lazily((): unknown => createRequire(import.meta.url)(name))
}
