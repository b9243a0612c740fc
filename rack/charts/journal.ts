// What a journal says of a release: whether it must be installed again. Pure; the steps lie in the store.

import type { JournalEntry } from './store.ts'

/**
 * Whether a release need not be installed again: its last installation, of this very chart and these values, in this
 * cluster, got through, and Helm still has that revision as the deployed one.
 */
export function isApplied(
  entry: JournalEntry | undefined,
  wanted: { readonly cluster: string; readonly hash: string },
  deployedRevision: number | undefined,
): boolean {
  return (
    entry !== undefined &&
    entry.cluster === wanted.cluster &&
    entry.hash === wanted.hash &&
    entry.revision !== undefined &&
    entry.revision === deployedRevision
  )
}
