// What is kept of each machine beside its boot journal: what its boots have had of us (tokens, a bundle), the keys that it
// showed, whether its next boot is open, until when it signs, what is on its disk, and what is ordered for that.

import type { DiskKeyHolder } from '#model/disk-key.ts'
import type { DiskName, Order } from '#model/install.ts'
import type { MachineKey } from '#model/machine-key.ts'

/** A time by the host's own clock, which no one sets: the run of the host, and milliseconds since it began. */
export type HostTime = { readonly run: string; readonly at: number }

/** A token as it is kept: never itself, only its hash. */
export type TokenRecord = {
  /** SHA-256, in hex. */
  readonly hash: string
  readonly machine: string
  readonly boot: string
  /** Milliseconds since 1970, until which it must be used first. */
  readonly until: number
  /** When it was made; none of a version that did not keep it. */
  readonly made?: HostTime
  /** Milliseconds since 1970, when it was first shown. */
  readonly usedAt?: number
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
  /** The hash of the token by which its initrd showed the key of the machine's disk. */
  readonly shownBy?: string
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

/** An operator opened the next boot of a machine; times in milliseconds since 1970. */
export type Reopening = {
  readonly machine: string
  readonly at: number
  readonly until: number
  readonly who: string
  /** When it was opened; none of a version that did not keep it. */
  readonly made?: HostTime
}

/** Until when a controller can sign certificates of its cluster: the end of the signers that it was given. */
export type Signing = {
  readonly site: string
  /** Milliseconds since 1970. */
  readonly until: number
}

/** What a boot was allowed to do with the disks of its machine, and what became of it; times in milliseconds since 1970. */
export type Install = {
  readonly machine: string
  /** The network boot that was granted it, or the last one that entered it before it was confirmed. */
  readonly boot: string
  /** The boot that was granted it, where another one entered it. */
  readonly grantedBoot?: string
  /** The first one is the one that it boots from; two for a mirror. */
  readonly disks: readonly DiskName[]
  readonly version: string
  readonly slot?: 'a' | 'b'
  /** What the disks held before may be overwritten. */
  readonly overwrite: boolean
  /** The operator whose order it was. */
  readonly orderedBy?: string
  /** The id of the partition table that it writes: a disk that shows it is one that it was begun on. None of a version that did not make one. */
  readonly table?: string
  /** The root hashes of the images that the machine was given, in hex, the last one last; none of a version that did not keep them. */
  readonly roothashes?: readonly string[]
  readonly grantedAt: number
  /** The machine reported that the disks are written. */
  readonly installedAt?: number
  /** Its boot had its bundle, so it was the machine itself: from then on this is its system. One of a machine's at most. */
  readonly confirmedAt?: number
}

/** What is ordered for a machine, as it is kept. */
export type KeptOrder = Order & {
  readonly made: HostTime
  /** Of an upgrade: `since` by the host's own clock; none of a version that did not keep it. */
  readonly sinceHost?: HostTime
  /** Of an upgrade: the start of the kernel that was asked to restart. */
  readonly kernel?: string
  /** Of a wipe: the boot that showed the key of the machine when it was ordered to wipe. */
  readonly provenBoot?: string
}

/** The key of an encrypted state partition. It is kept sealed. */
export type DiskKey = {
  /** Of the LUKS2 header. */
  readonly uuid: string
  /** What opens it: 32 characters of base32. */
  readonly secret: string
  /** The age recipient whose identity the disk has in clear. */
  readonly recipient: string
  readonly holder: DiskKeyHolder
  /** The network boot that made it. */
  readonly boot: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** The fingerprint of the machine's key that an operator rejected, and this one with it. */
  readonly rejected?: string
  /** It is of a disk that the machine had before it was installed again. Kept here since what is known of the later install can go. */
  readonly discarded?: true
}

/** What is known of the disk of one machine. */
export type DiskRecord = {
  /** The latest boot first. */
  readonly installs: readonly Install[]
  readonly order?: KeptOrder
}

/** What is kept of one machine, for people to see. */
export interface MachineRecord {
  boot(id: string): MachineBoot | undefined
  /** The latest boot that a bundle was given to, or that was ready. */
  lastUsedBoot(): MachineBoot | undefined
  token(hash: string): TokenRecord | undefined
  /** The tokens of a boot, in the order in which they were made. */
  tokensOf(boot: string): TokenRecord[]
  /** The keys that it showed, the one seen last first. */
  keys(): MachineKey[]
  /** Another machine that a key is approved for; a TPM that was moved has the same one. */
  otherOwner(fingerprint: string): string | undefined
  /** The last time that it was opened, also when that is over. */
  reopening(): Reopening | undefined
  /** Says whether a boot is one that the machine was opened for, also when its time is over. */
  isReopened(boot: string): boolean
  /** What its boots did with its disks, and what is ordered, also when the time of the order is over. */
  disk(): DiskRecord
  /** The keys of its encrypted disks, the latest first. */
  diskKeys(): readonly DiskKey[]
}

/** The same, to be changed. */
export interface ChangingRecord extends MachineRecord {
  /** Keeps what a boot has had, in place of what was known of it. */
  putBoot(boot: MachineBoot): void
  /** Marks the bundle of a boot as handed out, and to whom; false when it or that of a later boot was before. */
  spend(boot: string, at: number, to?: Recipient): boolean
  /** Keeps a token, the last of those that its boot has had, and what the boot has had with it. */
  addToken(token: TokenRecord, of: MachineBoot): void
  /** Marks a token as shown. */
  useToken(hash: string, at: number): void
  forgetToken(hash: string): void
  /** Keeps a key; one that becomes approved retires the one before. */
  putKey(key: MachineKey): void
  /** Opens the next boot that has no token yet; what is pinned stays until that boot's key is decided on. */
  reopen(reopening: Reopening): void
  /** Closes the machine; of a boot whose key was decided on only when it was opened for that boot. */
  closeReopened(boot?: string): void
  putSigning(signing: Signing): void
  /** Opens a boot that has its token already, on which an operator decided by an order. */
  reopenFor(boot: string, reopening: Reopening): void
  /** Keeps what a boot did with the disks, in place of what was known of it. */
  putInstall(install: Install): void
  /** Marks what a boot installed as the machine's system, in place of every other; nothing where it installed none. */
  confirmInstall(boot: string, at: number): void
  forgetInstalls(): void
  putOrder(order: KeptOrder): void
  /** Keeps the keys of its encrypted disks, in place of those before. */
  putDiskKeys(keys: readonly DiskKey[]): void
  endOrder(): void
}

/** Hears what is committed, in the order of the commits, before the one who changed it does. */
export type RecordFollower = {
  /** Called once, first: the latest boot of each machine as `used` gives it, and what was opened, and what is known of disks. */
  begin(all: {
    readonly used: readonly MachineBoot[]
    readonly reopened: readonly Reopening[]
    readonly disks: ReadonlyMap<string, DiskRecord>
  }): void
  /** The latest boot that a bundle was given to, or that was ready, after it changed. */
  used(boot: MachineBoot): void
  /** A machine was opened, or closed: then without a reopening. */
  reopened(machine: string, reopening: Reopening | undefined): void
  /** What is known of the disk of a machine, after it changed. */
  disk(machine: string, disk: DiskRecord): void
}

/** The records of machines that outlive the process. */
export interface MachineRecords {
  /**
   * Does `step` on what is kept of one machine, all of it or nothing, as if no other step ran at the same time, whatever
   * machine that is of; resolves with its result once that is on disk, in one commit with other steps of the same batch.
   * A step that throws changes nothing. It may be done again when another step of its batch fails: it changes the record
   * alone, and reports what it has to report by its result.
   */
  change<T>(machine: string, step: (record: ChangingRecord) => T): Promise<T>
  /** Looks at what is kept of one machine: as it is between two steps. */
  read<T>(machine: string, look: (record: MachineRecord) => T): Promise<T>
  /** The token with a hash, and whose it is. */
  token(hash: string): Promise<TokenRecord | undefined>
  /** The keys that a machine showed, or all machines; the one seen last first. */
  keys(machine?: string): Promise<MachineKey[]>
  /** Until when each controller can sign, by the machine's name. */
  signings(): Promise<Map<string, Signing>>
  /** Gives `follower` what there is, and then every change; there is one follower. Resolves once it has begun. */
  follow(follower: RecordFollower): Promise<void>
}

/** The system of a machine: the install that had its bundle, or was ready where there is none. */
export function confirmedIn({ installs }: Pick<DiskRecord, 'installs'>): Install | undefined {
  return installs.find(({ confirmedAt }) => confirmedAt !== undefined)
}

/** Says whether a machine has a system on its disk that is its own. */
export function isInstalledIn(disk: DiskRecord | undefined): boolean {
  return disk !== undefined && confirmedIn(disk) !== undefined
}

/** Says whether a boot is the one that was granted an install. */
export function isGrantOf({ boot, grantedBoot = boot }: Install, id: string): boolean {
  return grantedBoot === id
}
