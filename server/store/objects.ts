// What the inventory keeps its objects in: machines, groups, profiles and templates with their history, and the networks
// of sites.

import type { Kind, Objects } from '#model/kinds.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import type { SiteObjects } from '#model/site.ts'
import type { Auditing } from './audit.ts'

/** An object as the store has it. */
export type StoredObject<K extends Kind = Kind> = {
  readonly kind: K
  readonly id: string
  /** Undefined for a file of the data directory that was deleted through the API. */
  readonly object?: Objects[K]
  /** The version of the file that it hides although it has no object. */
  readonly hides?: string
  /** Given by the store: unique, and greater than that of every write before. */
  readonly revision: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly who: string
  /** Undefined for what belongs to no site. */
  readonly site?: string
  /** In the site file. */
  readonly position: number
}

/** One row to write. Without an object it is removed, or hides a version of a file. */
export type RowChange = {
  readonly kind: Kind
  readonly id: string
  readonly object?: Objects[Kind]
  readonly hides?: string
  /** The revision that has to be there; 0 for nothing, undefined for whatever is. */
  readonly expect?: number
  readonly position?: number
}

/** Who writes, when, and for which site. */
export type Author = {
  readonly who: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly site?: string
  /** The start of an entry in the audit log, which is committed with the write where that changes something. */
  readonly audit?: Auditing | undefined
}

/** A row before and after its change; where both are the same nothing was written. */
export type RowOutcome = {
  readonly kind: Kind
  readonly id: string
  readonly before: StoredObject | undefined
  readonly after: StoredObject | undefined
}

/** One write of one object. */
export type Revision<K extends Kind = Kind> = {
  /** Counts the writes of all objects together. */
  readonly revision: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly who: string
  readonly action: 'put' | 'delete'
  /** What was put. */
  readonly object?: Objects[K]
}

/** The provisioning network of a site. */
export type StoredNetwork = { readonly name: string; readonly network: ProvisioningNetwork }

/** Hears what is committed, in the order of the commits, before the writer does. */
export type ObjectFollower = {
  /** Called once, first, with everything that is kept. */
  begin(all: Snapshot): void
  /** What a write changed. */
  objects(outcomes: readonly RowOutcome[]): void
  /** All networks, after one of them changed. */
  networks(networks: readonly StoredNetwork[]): void
}

/** Everything that is kept. */
export type Snapshot = {
  /** Those of no site, then those of each site in the order of its file. To be read before `begin` returns. */
  readonly objects: Iterable<StoredObject>
  readonly networks: readonly StoredNetwork[]
}

/** Where objects outlive the process. */
export interface ObjectStore {
  /** Gives `follower` what there is, and then every change; there is one follower. Resolves once it has begun. */
  follow(follower: ObjectFollower): Promise<void>
  /**
   * Makes all changes or none; resolves once they are on disk, together with others of the same batch. Each looks at what
   * the one before it left, and so do the writes of others: of two that expect the same revision one fails.
   *
   * @throws {PreconditionFailed} {NotStored} {OwnedBySite} {SiteConflict}
   */
  write(changes: readonly RowChange[], author: Author): Promise<RowOutcome[]>
  /** Says what `write` would do, and leaves everything as it is. Throws what `write` throws. */
  dryRun(changes: readonly RowChange[], author: Author): Promise<RowOutcome[]>
  /**
   * Replaces all objects of one site, and its network, in one step; says whether that changed anything.
   *
   * @throws {SiteConflict} when another site, or none, has the same machine, address, profile or group
   */
  putSite(name: string, objects: SiteObjects, author: Omit<Author, 'site'>): Promise<boolean>
  /** The network of each site, by name. */
  networks(): Promise<StoredNetwork[]>
  /** What was written to an object, newest first. */
  history(kind: Kind, id: string, limit: number): Promise<Revision[]>
}
