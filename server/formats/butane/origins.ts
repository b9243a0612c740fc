// Where in the YAML each piece of the Ignition config comes from: sugar adds items to lists and fields to objects, so the
// path of a finding about the result is not the path of what a person wrote.

import type { Value } from '../ignition/read.ts'
import type { Path } from '../ignition/tree.ts'

type Origin = {
  /** The object or list itself. */
  readonly path: Path
  /** Fields and items that come from elsewhere. */
  readonly members: ReadonlyMap<string | number, Path>
}

/** Origins of objects and lists, by identity. Paths have Ignition's way of writing. */
export class Origins {
  readonly #known = new WeakMap<object, Origin>()

  /** Notes that `value` and everything below it is at the same path of the source, below `path`. */
  mirror(value: Value | undefined, path: Path = []): void {
    this.#note(value, path, (parent, step) => [...parent, step])
  }

  /** Notes that `value` and everything below it is made from what is at `path`. */
  all(value: Value | undefined, path: Path): void {
    this.#note(value, path, parent => parent)
  }

  /** Notes an object or list that was put together from others. */
  set(value: object, path: Path, members: ReadonlyMap<string | number, Path>): void {
    this.#known.set(value, { path, members })
  }

  /** The origin of an object or list; of a member, when `step` is given. */
  of(value: Value | undefined, step?: string | number): Path | undefined {
    if (typeof value !== 'object') return undefined
    const origin = this.#known.get(value)
    if (step === undefined) return origin?.path
    const below = (value as Readonly<Record<string | number, Value>>)[step]
    return (
      origin?.members.get(step) ??
      this.of(below) ??
      (origin === undefined ? undefined : [...origin.path, step])
    )
  }

  /** The path in the source of a path of the result. */
  source(config: Value, path: Path): Path {
    let value: Value | undefined = config
    let source: Path = this.of(config) ?? []
    for (const step of path) {
      const below: Path | undefined = this.of(value, step)
      source = below ?? [...source, step]
      value =
        typeof value === 'object' ? (value as Readonly<Record<string | number, Value>>)[step] : undefined
    }
    return source
  }

  /** What is known of an object already, and of its members, stays. */
  #note(value: Value | undefined, path: Path, below: (parent: Path, step: string | number) => Path): void {
    if (typeof value !== 'object') return
    const known = this.#known.get(value)
    const members = new Map(known?.members)
    const entries: [string | number, Value][] = Array.isArray(value)
      ? [...value.entries()]
      : Object.entries(value)
    for (const [step, member] of entries) {
      const at = members.get(step) ?? this.of(member) ?? below(path, step)
      members.set(step, at)
      this.#note(member, at, below)
    }
    this.#known.set(value, { path: known?.path ?? path, members })
  }
}
