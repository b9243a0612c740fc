// The states of the server itself that are alarms: its network, its disk, its store, its data directory and its boot loaders.

import type { Condition } from './conditions.ts'

/** What is looked at. */
export type ServerStates = {
  readonly statePath: string
  /** Why nothing can be kept now: because of the disk, or because the store is damaged. */
  readonly trouble: () => { readonly kind: 'disk' | 'store'; readonly reason: string } | undefined
  readonly dataPath: string
  /** A sentence for each file of the data directory that cannot be used. */
  readonly problems: () => readonly string[]
  readonly loadersPath: string
  /** Why each loader that is missing could not be read. */
  readonly missingLoaders: readonly string[]
  /** What was seen of another DHCP server, by network. */
  readonly otherDhcp: () => Readonly<Record<string, string>>
}

/** All of them. */
export function serverConditions(states: ServerStates): readonly Condition[] {
  const { statePath, trouble, dataPath, problems, loadersPath, missingLoaders, otherDhcp } = states
  const troubleOf = (kind: 'disk' | 'store') => {
    const now = trouble()
    return now?.kind === kind ? { [`state:${statePath}`]: `${now.reason}: nothing can be changed` } : {}
  }
  return [
    { code: 'PL-7009', find: otherDhcp },
    { code: 'PL-7020', find: () => troubleOf('disk') },
    { code: 'PL-7021', find: () => troubleOf('store') },
    { code: 'PL-7022', find: () => listed(`data:${dataPath}`, problems()) },
    { code: 'PL-7023', find: () => listed(`loaders:${loadersPath}`, missingLoaders) },
  ]
}

/** One alarm for all sentences: the number of them, and the first. */
function listed(entity: string, sentences: readonly string[]): Record<string, string> {
  const [first, ...others] = sentences
  if (first === undefined) return {}
  return { [entity]: others.length === 0 ? first : `${first} (and ${others.length} more)` }
}
