// Which controllers of a site count for the quorum of etcd.

import type { Machine } from '#model/machine.ts'
import { isReady } from '#model/phase.ts'
import type { Journal } from '../machines/journal.ts'
import type { Clocks } from '../process/clock.ts'
import { SILENT_MS, type Liveness } from './liveness.ts'

/** A controller of a site, as it counts for the quorum of etcd. */
export type Controller = {
  readonly name: string
  /** It was ready in its last boot, and is not silent. */
  readonly runs: boolean
  /** It was ready, and does not ask any more. */
  readonly isSilent: boolean
}

/** The controllers of the site of a machine. */
export type ControllersOf = (machine: string) => readonly Controller[]

/** What it takes to know them. */
export type ControllerNeeds = {
  /** Who is declared, always as of now. */
  readonly catalog: {
    readonly machines: readonly Machine[]
    /** The site that declares a machine. */
    entry(kind: 'machine', id: string): { readonly site?: string } | undefined
  }
  readonly journal: Pick<Journal, 'currentOf'>
  /** Says whether a machine has a system on its disk that is its own. */
  readonly isInstalled: (machine: string) => boolean
  readonly liveness: Pick<Liveness, 'isHeard' | 'isReadySince'>
  readonly clocks: Pick<Clocks, 'wall'>
}

/** The controllers of the site that declares a machine, as they are when it is asked. */
export function controllersIn(needs: ControllerNeeds, machine: string): readonly Controller[] {
  const { catalog } = needs
  const siteOf = (name: string) => catalog.entry('machine', name)?.site
  return catalog.machines
    .filter(one => one.role === 'controller' && siteOf(one.name) === siteOf(machine))
    .map(one => controllerOf(needs, one))
}

function controllerOf(
  { journal, isInstalled, liveness, clocks }: ControllerNeeds,
  machine: Machine,
): Controller {
  const { name, disk } = machine
  const current = journal.currentOf({ machine })
  // One that runs from RAM asks nothing.
  const asks = disk !== undefined && disk !== 'none' && isInstalled(name)
  const goesOn = asks && current !== undefined && liveness.isReadySince(name, clocks.wall() - current.began)
  const wasReady = isReady(current?.phase) || goesOn
  const isSilent = wasReady && asks && !liveness.isHeard(name)
  return { name, runs: wasReady && !isSilent, isSilent }
}

/** What a refusal says of controllers that are silent, as a sentence; empty where none is. */
export function silentText(controllers: readonly Controller[]): string {
  const names = controllers.flatMap(({ name, isSilent }) => (isSilent ? [name] : []))
  if (names.length === 0) return ''
  const have = names.length === 1 ? 'has' : 'have'
  return `${names.join(', ')} ${have} not asked for orders for ${SILENT_MS / 60_000} minutes, and may be off. `
}
