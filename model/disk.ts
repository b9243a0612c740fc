// The disk that a machine is installed to: which one, and what may be done with it.

import type { Fault } from './fault.ts'
import { text, type Described } from './schema.ts'

/** What kinds of disk the kernel tells apart: on NVMe, else without and with rotating platters. */
export const DISK_TYPES = ['nvme', 'ssd', 'hdd'] as const
/** Where the key of an encrypted state partition is: nowhere, in the machine's TPM, with the server, or in the TPM where there is one. */
export const DISK_ENCRYPTIONS = ['no', 'tpm', 'server', 'auto'] as const

/** Bytes of the smallest disk that is installed to: both slots, and a state partition of some use (16 GiB). */
export const LEAST_DISK_BYTES = 2 ** 34
/** Bytes that are more than any disk has (1 PB). */
export const MOST_DISK_BYTES = 1e15

/** What udev makes of the identity of a disk: a name in /dev/disk/by-id, which is not one of a partition. */
const BY_ID = '^(?!.*-part[0-9]+$)[A-Za-z0-9#+.:=@_-]{1,200}$'
/** A serial number as disks show it, without the spaces around it. */
const SERIAL = '^(?! )[A-Za-z0-9 ._:+/()#,&@-]{1,128}(?<! )$'
/** The same of a model, where `*` is any text and `?` one character; some character must be given. */
const MODEL = '^(?! )(?=.*[A-Za-z0-9])[A-Za-z0-9 ._:+/()#,&@*?-]{1,128}(?<! )$'

/** Describes the `match` of a disk. */
export const matchSchema = {
  type: 'object',
  description:
    'What the disk must be, all of it; of those that are, an empty one goes first, then the smallest',
  properties: {
    byId: { ...text, pattern: BY_ID, format: 'disk', description: 'Its name in `/dev/disk/by-id`' },
    serial: { ...text, pattern: SERIAL, format: 'disk', description: 'The serial number that it shows' },
    model: {
      ...text,
      pattern: MODEL,
      format: 'disk',
      description: 'The model that it shows: `*` is any text, `?` one character',
    },
    type: { enum: DISK_TYPES, description: 'nvme; ssd: another without rotating platters; hdd: with them' },
    minSize: {
      type: 'integer',
      minimum: LEAST_DISK_BYTES,
      maximum: MOST_DISK_BYTES,
      description: 'Bytes that it has at least',
    },
  },
} as const

// Every field is required: what deletes a disk has no defaults.
const choiceSchema = {
  type: 'object',
  required: ['match', 'explicit', 'mirror', 'encrypt', 'overwrite'],
  properties: {
    match: matchSchema,
    explicit: {
      type: 'boolean',
      description:
        'Whether a disk is asked for: without a suitable one the boot ends with the reason; where it is not, the machine runs from RAM',
    },
    mirror: { type: 'boolean', description: 'On two disks, each with the same' },
    encrypt: {
      enum: DISK_ENCRYPTIONS,
      description:
        'Whether the state partition is encrypted, and where its key is: in the TPM of the machine, with the server, or (`auto`) in the TPM where there is one and else with the server',
    },
    overwrite: {
      type: 'boolean',
      description: 'Whether a disk may be taken that holds something; all of it is lost',
    },
  },
} as const

/** Describes the `disk` of a machine. */
export const diskSchema = {
  anyOf: [{ enum: ['none'] }, choiceSchema],
  description:
    'The disk that it is installed to. `none`, or not given: it runs from RAM, and no disk is written.',
} as const

/** Which disk a machine is installed to, as /etc/pilotlight/disk.json has it. */
export type DiskChoice = Described<typeof choiceSchema>
/** What the disk must be. */
export type DiskMatch = DiskChoice['match']
/** The same, or `none`: the machine runs from RAM. */
export type MachineDisk = Described<typeof diskSchema>

/** What holds for a machine of a site file that does not speak of disks. */
export const USUAL_DISK: DiskChoice = {
  match: {},
  explicit: false,
  mirror: false,
  encrypt: 'no',
  overwrite: false,
}

/** What is wrong with a choice whose fields are all right. */
export function diskFaults(disk: MachineDisk | undefined): Fault[] {
  if (disk === undefined || disk === 'none') return []
  const { match, mirror, overwrite } = disk
  const faults: Fault[] = []
  const alone = match.byId === undefined ? (match.serial === undefined ? undefined : 'serial') : 'byId'
  if (alone !== undefined && Object.keys(match).length > 1) {
    faults.push({ pointer: '/disk/match', detail: `${alone} names one disk: give it alone` })
  }
  if (alone !== undefined && mirror) {
    faults.push({ pointer: '/disk/mirror', detail: `a mirror takes two disks, and ${alone} names one` })
  }
  if (overwrite && Object.keys(match).length === 0) {
    faults.push({ pointer: '/disk/overwrite', detail: 'overwrite needs a match: say which disk may be lost' })
  }
  return faults
}
