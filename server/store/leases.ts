// What DHCP keeps its leases in.

import type { Lease } from '#model/lease.ts'

/** A change of the leases: a row put in place of whatever its address had, or the row of an address removed. */
export type LeaseChange =
  { readonly kind: 'put'; readonly lease: Lease } | { readonly kind: 'drop'; readonly address: string }

/** Where leases outlive the process. */
export interface LeaseStore {
  /** All leases that are kept, whether they still run or not. */
  all(): Promise<readonly Lease[]>
  /** Makes all `changes`, in their order, or none; they are on disk when it resolves. */
  commit(changes: readonly LeaseChange[]): Promise<void>
}
