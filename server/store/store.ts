// What the inventory keeps beyond the life of the process, whoever keeps it.

import type { BootEvent } from '#model/boot.ts'
import type { BundleDescription, SiteAuthority } from '#model/bundle.ts'
import type { MachineKey } from '#model/machine-key.ts'

/** One boot of one machine, as the journal groups events. */
export type Boot = {
  /** For example `b-001f`. */
  readonly id: string
  /** The MAC that the machine booted with; lower case, colons. */
  readonly mac: string
  readonly machine?: string
  /** Milliseconds since 1970 of its first event. */
  readonly began: number
}

/** Until when a controller can sign certificates of its cluster: the end of the signers that it was given. */
export type Signing = {
  readonly site: string
  /** Milliseconds since 1970. */
  readonly until: number
}

/** A token as it is kept: never itself, only its hash. */
export type TokenRecord = {
  /** SHA-256, in hex. */
  readonly hash: string
  readonly machine: string
  readonly boot: string
  /** Milliseconds since 1970, until which it must be used first. */
  readonly until: number
  /** The run of the host in which it was made, and when by the host's own clock; none of a version that did not keep it. */
  readonly made?: { readonly run: string; readonly at: number }
  /** Milliseconds since 1970, when it was first shown. */
  readonly usedAt?: number
}

/** An operator opened the next boot of a machine; times in milliseconds since 1970. */
export type Reopening = {
  readonly machine: string
  readonly at: number
  readonly until: number
  readonly who: string
  /** The run of the host in which it was opened, and when by the host's own clock; none of a version that did not keep it. */
  readonly made?: { readonly run: string; readonly at: number }
}

/** What one boot of a declared machine has had of us. */
export type MachineBoot = {
  readonly machine: string
  /** For example `b-001f`. */
  readonly boot: string
  /** How many tokens were made for it. */
  readonly tokens: number
  /** DHCP showed whose boot it is. */
  readonly proven: boolean
  /** DHCP showed nothing, and its sender was not at the machine's declared address: anyone may have begun it. */
  readonly isElsewhere?: boolean
  /** The switch port, as the relay of DHCP named it before its first token was made. */
  readonly port?: string
  /** DHCP of this boot came from more than one switch port. */
  readonly isPortMoved?: boolean
  /** The hash of the token that the bundle was given for. */
  readonly token?: string
  /** The age recipient that the bundle was sealed to, and the fingerprint that was approved for it. */
  readonly key?: string
  readonly fingerprint?: string
  /** Milliseconds since 1970, when the bundle was handed out. */
  readonly bundleAt?: number
  /** Milliseconds since 1970, when the machine reported `ready`. */
  readonly readyAt?: number
}

/** Who got a bundle: by which token (its hash), sealed to which key. */
export type Recipient = { readonly token: string; readonly key: string; readonly fingerprint: string }

/** Keeps everything. Whatever returns has been committed, unless it says otherwise. */
export interface Store {
  /** What a machine gets; sealed on disk. */
  bundle(machine: string): BundleDescription | undefined
  /** Says whether it differs from the one stored before. */
  putBundle(machine: string, bundle: BundleDescription): boolean
  /** The names of all sites. */
  sites(): Promise<string[]>
  /** What signs for a site; sealed on disk. */
  authority(site: string): SiteAuthority | undefined
  /** Says whether it differs from the one stored before. */
  putAuthority(site: string, authority: SiteAuthority): boolean
  /** Until when each controller can sign, by the machine's name. */
  signings(): Map<string, Signing>
  putSigning(machine: string, signing: Signing): void

  /**
   * Does `work` in a transaction, in one commit with other work of the same turn of the event loop and the events that wait;
   * resolves once it is on disk. It may be done again when other work of that commit fails, so it changes the store alone.
   */
  together<T>(work: () => T): Promise<T>
  /**
   * Keeps a token, the last of those that its boot has had, and what the boot has had with it; in `together`, so that it is
   * both or none.
   */
  addToken(token: TokenRecord, boot: MachineBoot): void
  token(hash: string): TokenRecord | undefined
  /** The tokens of a boot, in the order in which they were made. */
  tokensOf(machine: string, boot: string): TokenRecord[]
  /** Marks a token as shown. */
  useToken(hash: string, at: number): void
  forgetToken(hash: string): void

  machineBoot(machine: string, boot: string): MachineBoot | undefined
  /** The latest boot of the machine that a bundle was given to. */
  lastUsedBoot(machine: string): MachineBoot | undefined
  /** Keeps what a boot has had, in place of what was known of it. */
  putMachineBoot(boot: MachineBoot): void
  /** Marks the bundle of a boot as handed out, and to whom; false when it or that of a later boot was before. Atomic. */
  spendBoot(machine: string, boot: string, at: number, to?: Recipient): boolean

  /** The keys that a machine showed, or all machines; the one seen last first. */
  machineKeys(machine?: string): MachineKey[]
  /** Keeps a key; one that becomes approved retires the one before. */
  putMachineKey(key: MachineKey): void
  /** Opens the next boot of a machine that has no token yet; what is pinned stays until that boot's key is decided on. */
  reopenMachine(reopening: Reopening): void
  /** What was opened, of one machine or of all, also when its time is over. */
  reopenings(machine?: string): Reopening[]
  /** Says whether a boot is one that the machine was opened for, also when its time is over. */
  isReopened(machine: string, boot: string): boolean
  /** Closes a machine; of a boot whose key was decided on only when it was opened for that boot. */
  closeReopened(machine: string, boot?: string): void

  /** Adds events and their boots; resolves once they are on disk, together with others of the same moment. */
  append(boot: Boot, event: BootEvent, when?: 'soon' | 'within a second'): Promise<void>
  /** Events after the cursor, oldest first. */
  eventsAfter(id: number, filter: { readonly machine?: string; readonly limit: number }): BootEvent[]
  eventsOf(boot: string): BootEvent[]
  /** The events of several boots: those of one boot together, oldest first. */
  eventsOfBoots(boots: readonly string[]): BootEvent[]
  /** The latest boots of declared machines, of each machine and of each of its MACs, in the order in which they began. */
  latestBoots(): Boot[]
  /** Boots of undeclared machines, newest first, from before the boot of a number. */
  strangerBoots(before: number, limit: number): (Boot & { readonly number: number })[]
  /** Removes the boots up to a number of these MACs that belong to no declared machine; resolves once that is on disk. */
  forgetStrangers(macs: readonly string[], upTo: number): Promise<void>
  /**
   * Removes some boots of undeclared machines from before the boot of a number; says whether there are more.
   */
  trimStrangers(before: number, limit: number): Promise<boolean>
  /** The boots of a machine or MAC, newest first. */
  bootsOf(known: { readonly machine?: string; readonly macs: readonly string[] }, limit: number): Boot[]
  /** The greatest event id and the greatest boot number given so far. */
  counters(): { readonly event: number; readonly boot: number }
  /** Removes boots that began before a time (milliseconds), tokens that ended, and the history of what was removed. */
  prune(before: number, share?: number): void

  close(): void
}
