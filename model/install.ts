// What is said between a machine's initrd and the server before a disk is written, and what is kept of it.

import { text, type Described } from './schema.ts'
import { time } from './time.ts'

/** A disk as the initrd of a machine sees it. */
export type SeenDisk = {
  /** Of the kernel, for example `nvme0n1`. */
  readonly name: string
  readonly path: string
  readonly bytes: number
  readonly model: string
  readonly serial: string
  /** Its name below /dev/disk/by-id. */
  readonly byId: string
  readonly type: string
  readonly removable: boolean
  /** What blkid knows of it, for example `ext4` or `gpt`; null when it holds nothing. */
  readonly holds: string | null
  /** What the initrd found on it that is ours: a whole state partition, one whose installation was cut off, one of another machine, or one that it cannot read. */
  readonly own?: 'installed' | 'unfinished' | 'other' | 'unreadable'
  /** The id of its partition table (GPT), in small letters: of our own the one that came with the grant. */
  readonly table?: string
}

/** One of our state partitions that the initrd found: what its machine.json names. */
export type FoundState = {
  /** The name of the machine. */
  readonly machine: string
  /** The SHA-256 of the text of /etc/pilotlight/ca.crt that it was installed with, in hex. */
  readonly authority: string
  /** The UUID of the hardware that it was installed on. */
  readonly uuid: string
  /** The version of the slot that was installed. */
  readonly version: string
  /** The disk that holds it, by its name in the list of disks; the first of those that were chosen, where it is left out. */
  readonly disk?: string
}

/** What an initrd asks before it writes or enters a disk. */
export type InstallAsk = {
  readonly action: 'install' | 'enter'
  readonly disks: readonly SeenDisk[]
  /** Names of the disks that the site's choice names, the first one first; two for a mirror. */
  readonly chosen: readonly string[]
  readonly found: FoundState | null
  /** What was sealed to the disk of the machine (`proof` of `POST /agent/v1/token`), opened with the key that this disk keeps. */
  readonly proof?: string
}

/** What the agent or the initrd adds to its report about a disk. */
export type InstallReport = {
  readonly disk?: string
  readonly version?: string
  readonly slot?: 'a' | 'b'
  /** Seconds that it took to write the disk, and then to enter the system on it. */
  readonly seconds?: { readonly write?: number; readonly enter?: number }
}

/** What is known of a disk that was written, so that it is recognised again. */
export type DiskName = Pick<SeenDisk, 'name' | 'bytes' | 'model' | 'serial' | 'byId'>

/** Describes where a machine is installed, as `GET /machines` shows it. */
export const installedSchema = {
  type: 'object',
  description: 'The system on the disk of a machine',
  required: ['disk', 'serial', 'version', 'at', 'boot'],
  properties: {
    disk: { ...text, description: 'The name of the disk as the kernel had it, for example `nvme0n1`' },
    serial: { type: 'string', description: 'Its serial number; empty where it has none' },
    bytes: { type: 'integer', description: 'Its size' },
    version: { type: 'string', description: 'The version of the slot: twelve digits of its root hash' },
    slot: { enum: ['a', 'b'] },
    at: { ...time, description: 'When the installation was done' },
    boot: { ...text, description: 'The network boot that installed it' },
  },
} as const

/** Where a machine is installed. */
export type Installed = Described<typeof installedSchema>

/** What an operator can order for the disk of a machine: the first two for its next network boot, `upgrade` for the system that runs. */
export const ORDER_VERBS = ['reinstall', 'wipe', 'upgrade'] as const
export type OrderVerb = (typeof ORDER_VERBS)[number]
/** The orders that a network boot spends. */
export type BootOrderVerb = Exclude<OrderVerb, 'upgrade'>

/**
 * How far an upgrade is. `ordered`: the machine has not fetched the order yet. `writing`: it writes the slot that does not run. `written`: every
 * start from now on takes the new version. `rebooting`: it has the order to restart, or is about to get it. `done`: it is ready with the new version. `failed`: `why` says what of it.
 */
export const UPGRADE_STATES = ['ordered', 'writing', 'written', 'rebooting', 'done', 'failed'] as const
export type UpgradeState = (typeof UPGRADE_STATES)[number]

/** Describes an order, as `GET /v1/orders` lists it. */
export const orderSchema = {
  type: 'object',
  description:
    'What the next network boot of a machine does to its disk, or the upgrade of the system that runs',
  required: ['machine', 'verb', 'at', 'until', 'who'],
  properties: {
    machine: text,
    verb: { enum: ORDER_VERBS },
    at: { ...time, description: 'When it was ordered' },
    until: {
      ...time,
      description: 'Until when a network boot may spend it, or the machine is asked to do it',
    },
    who: { ...text, description: 'Who ordered it' },
    withoutProof: {
      type: 'boolean',
      description:
        "Also a boot spends it that does not show the key which the machine's disk keeps; left out where it has to",
    },
    replaced: {
      enum: ORDER_VERBS,
      description:
        'What another order waited to do, which this one took the place of; only in the answer to an order',
    },
    boot: { ...text, description: 'The boot that wipes the disk now; left out until one does' },
    target: { ...text, description: 'Of an upgrade: the version that the machine is to run' },
    state: { enum: UPGRADE_STATES, description: 'Of an upgrade: how far it is' },
    since: { ...time, description: 'Of an upgrade: since when it is in this state' },
    why: { ...text, description: 'Of an upgrade that failed: why' },
    healthySeconds: {
      type: 'integer',
      description:
        'Of an upgrade: how long after each of its starts the new image is marked good, or the machine restarts; 900 where it is left out',
    },
  },
} as const

/** What the next network boot of a machine does to its disk, or an upgrade; times in milliseconds since 1970. */
export type Order = Described<typeof orderSchema>
/** The same as the API shows it: times in ISO 8601. */
export type OrderView = Omit<Order, 'at' | 'until' | 'since'> & {
  readonly at: string
  readonly until: string
  readonly since?: string
}

/** How long after its start a new image has to be marked good; what an order may say instead. All in seconds. */
export const HEALTHY_SECONDS = { default: 900, least: 60, most: 86_400 } as const

/** What a system that runs from a disk asks once a minute: what it runs, and how far it is with what it was ordered to do. */
export type OrderAsk = {
  /** The version that it runs, and the slot of that. */
  readonly version: string
  readonly slot: 'a' | 'b'
  /** A UUID that each start of its kernel makes anew. */
  readonly kernel: string
  /** The services of its role run, and the loader has it as good. */
  readonly isGood: boolean
  /** What it does with `target`, or did in this start. */
  readonly doing: 'nothing' | 'writing' | 'written' | 'failed'
  readonly target?: string
  /** Why it failed. */
  readonly why?: string
}

/** What a system that asks is to do. `againSeconds`: when it is to ask again. */
export type OrderAnswer =
  | { readonly do: 'nothing'; readonly againSeconds: number }
  | {
      readonly do: 'write'
      readonly version: string
      /** Of slot.json; the files that it names are beside it. */
      readonly url: string
      /** Of the bytes of slot.json, in hex. */
      readonly sha256: string
      /** How long after each of its starts the new image is marked good, or the machine restarts. */
      readonly healthySeconds: number
      readonly againSeconds: number
    }
  | { readonly do: 'reboot'; readonly version: string; readonly againSeconds: number }

/** Says whether two looks at a disk are of the same one: by serial number, else by its id, else by place and size. */
export function isSameDisk(one: DiskName, other: DiskName): boolean {
  if (one.bytes !== other.bytes) return false
  if (one.serial !== '' || other.serial !== '')
    return one.serial === other.serial && one.model === other.model
  if (one.byId !== '' || other.byId !== '') return one.byId === other.byId
  return one.name === other.name
}

/** A disk for a sentence: `nvme0n1 (S4EVNX0R, 960 GB)`. */
export function diskText({ name, serial, bytes }: Pick<DiskName, 'name' | 'serial' | 'bytes'>): string {
  const size = bytes >= 1e9 ? `${Math.round(bytes / 1e9)} GB` : `${Math.round(bytes / 1e6)} MB`
  return `${name} (${serial === '' ? '' : `${serial}, `}${size})`
}
