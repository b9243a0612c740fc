// JSON schemas of what the agent on a machine sends.

import { cleanText } from '#model/clean.ts'
import { DISK_KEY_HOLDERS, DISK_SECRET, LUKS_UUID } from '#model/disk-key.ts'
import type { FoundState, InstallAsk, InstallReport, OrderAsk, SeenDisk } from '#model/install.ts'

const seconds = { type: 'number', minimum: 0, maximum: 86_400 } as const
const base64 = { type: 'string', pattern: '^[A-Za-z0-9+/]+={0,2}$', maxLength: 8192 } as const

/** `Shown`: what a machine enrolls with. */
export const enrollBody = {
  type: 'object',
  required: ['key'],
  additionalProperties: false,
  properties: {
    key: { type: 'string', maxLength: 128 },
    tpm: { type: 'object', required: ['ak'], properties: { ak: base64 } },
  },
} as const

/** `Asked`: what a machine sends for its bundle. */
export const askedBody = {
  type: 'object',
  required: ['answer'],
  additionalProperties: false,
  properties: {
    answer: { type: 'string', maxLength: 128 },
    csrs: { type: 'object', maxProperties: 32, additionalProperties: { type: 'string', maxLength: 8192 } },
    quote: {
      type: 'object',
      required: ['attest', 'signature'],
      properties: { attest: base64, signature: base64 },
    },
  },
} as const

/** What a machine sends to renew its certificates: nothing, for a challenge; then its answer and the requests to sign. */
export const renewBody = {
  type: 'object',
  additionalProperties: false,
  properties: { answer: askedBody.properties.answer, csrs: askedBody.properties.csrs },
} as const

/** What an installed machine sends for another token: its name, for a challenge; then its answer, too. */
export const tokenBody = {
  type: 'object',
  required: ['machine'],
  additionalProperties: false,
  properties: {
    machine: { type: 'string', minLength: 1, maxLength: 253 },
    answer: askedBody.properties.answer,
  },
} as const

/** `SentDiskKey`: the key of an encrypted disk, for the server to keep. */
export const diskKeyBody = {
  type: 'object',
  required: ['uuid', 'secret', 'recipient', 'holder'],
  additionalProperties: false,
  properties: {
    uuid: { type: 'string', pattern: LUKS_UUID },
    secret: { type: 'string', pattern: DISK_SECRET },
    recipient: { type: 'string', maxLength: 128 },
    holder: { enum: DISK_KEY_HOLDERS },
  },
} as const

/** What a machine sends that starts from an encrypted disk: its name and which disk, for a challenge; then its answer, too. */
export const unlockBody = {
  ...tokenBody,
  required: ['machine', 'uuid'],
  properties: { ...tokenBody.properties, uuid: { type: 'string', pattern: LUKS_UUID } },
} as const

/** Which start of a kernel a part of a console log is of, and its place from 1 on. */
export const consoleQuery = {
  type: 'object',
  required: ['boot', 'part'],
  properties: {
    boot: { type: 'string', pattern: '^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$' },
    part: { type: 'integer', minimum: 1, maximum: 1e9 },
  },
} as const

/** `OrderAsk`: what a system on a disk runs, and how far it is with what it was ordered to do. */
export const orderBody = {
  type: 'object',
  required: ['version', 'slot', 'kernel'],
  additionalProperties: false,
  properties: {
    version: { type: 'string', pattern: '^[0-9a-f]{12}$' },
    slot: { enum: ['a', 'b'] },
    kernel: consoleQuery.properties.boot,
    good: { type: 'boolean' },
    doing: { enum: ['nothing', 'writing', 'written', 'failed'] },
    target: { type: 'string', pattern: '^(?:[0-9a-f]{12})?$' },
    why: { type: 'string', maxLength: 1000 },
  },
} as const

/** An `OrderAsk` as it is sent; `good` is false and `doing` nothing where they are left out. */
export type SentOrderAsk = Pick<OrderAsk, 'version' | 'slot' | 'kernel' | 'target' | 'why'> &
  Partial<Pick<OrderAsk, 'doing'>> & { readonly good?: boolean }

/** Texts are cleaned, and those that are empty left out. */
export function orderAskOf({ version, slot, kernel, good, doing, target, why }: SentOrderAsk): OrderAsk {
  return {
    version,
    slot,
    kernel,
    isGood: good === true,
    doing: doing ?? 'nothing',
    ...(target !== undefined && target !== '' && { target }),
    ...(why !== undefined && why !== '' && { why: cleanText(why, 500) }),
  }
}

/** What a machine's agent reports. */
export const reportBody = {
  type: 'object',
  required: ['stage'],
  properties: {
    stage: { enum: ['installing', 'installed', 'wiped', 'booted', 'ready', 'failed'] },
    text: { type: 'string', maxLength: 2000 },
    log: { type: 'string', maxLength: 65_536 },
    install: {
      type: 'object',
      properties: {
        disk: { type: 'string', maxLength: 64 },
        version: { type: 'string', maxLength: 64 },
        slot: { type: 'string', maxLength: 8 },
        seconds: {
          type: 'object',
          properties: { write: seconds, enter: seconds },
        },
      },
    },
  },
} as const

/** What a report says of a disk: texts are cleaned, and what is not a slot is left out. */
export function installReportOf({ disk, version, slot, seconds }: SentReport): InstallReport {
  return {
    ...(disk !== undefined && disk !== '' && { disk: cleanText(disk, 64) }),
    ...(version !== undefined && version !== '' && { version: cleanText(version, 64) }),
    ...((slot === 'a' || slot === 'b') && { slot }),
    ...(seconds !== undefined && { seconds }),
  }
}

/** An `InstallReport` as it is sent. */
export type SentReport = Omit<InstallReport, 'slot'> & { readonly slot?: string }

/** A text about a disk, as it is on the disk: kernels, firmware and makers leave it out where there is none. */
const diskText = { type: ['string', 'null'], maxLength: 300 } as const

/** `InstallAsk`: the disks that an initrd sees, which of them were chosen, and which of our states was found. */
export const installBody = {
  type: 'object',
  required: ['action', 'disks', 'chosen'],
  properties: {
    action: { enum: ['install', 'enter'] },
    disks: {
      type: 'array',
      maxItems: 64,
      items: {
        type: 'object',
        required: ['name', 'bytes'],
        properties: {
          name: { type: 'string', pattern: '^[A-Za-z0-9!_-]{1,64}$' },
          path: diskText,
          bytes: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
          model: diskText,
          serial: diskText,
          byId: diskText,
          type: diskText,
          removable: { type: ['boolean', 'null'] },
          holds: diskText,
          own: { enum: ['installed', 'unfinished', 'other', 'unreadable', null] },
          table: { type: ['string', 'null'], maxLength: 64 },
        },
      },
    },
    chosen: { type: 'array', maxItems: 2, uniqueItems: true, items: { type: 'string', maxLength: 64 } },
    found: {
      type: ['object', 'null'],
      required: ['machine', 'authority', 'version'],
      properties: {
        machine: { type: 'string', maxLength: 253 },
        authority: { type: 'string', maxLength: 128 },
        uuid: { type: ['string', 'null'], maxLength: 64 },
        version: { type: 'string', maxLength: 64 },
        disk: { type: ['string', 'null'], maxLength: 64 },
      },
    },
    proof: { type: ['string', 'null'], maxLength: 128 },
  },
} as const

/** Texts are cleaned where they are kept; null, and what is left out, is the empty text. */
export function installAskOf(sent: SentAsk): InstallAsk {
  const { action, chosen, disks, found, proof } = sent
  return {
    action,
    chosen,
    disks: disks.map(({ own, holds, removable, table, ...disk }) => ({
      name: disk.name,
      bytes: disk.bytes,
      path: cleanText(disk.path ?? '', 200),
      model: cleanText(disk.model ?? '', 128).trim(),
      serial: cleanText(disk.serial ?? '', 128).trim(),
      byId: cleanText(disk.byId ?? '', 200),
      type: cleanText(disk.type ?? '', 16),
      removable: removable === true,
      holds: holds === undefined || holds === null ? null : cleanText(holds, 300),
      ...(own !== undefined && own !== null && { own }),
      ...(table && { table: table.toLowerCase() }),
    })),
    found: found
      ? {
          machine: cleanText(found.machine, 253),
          authority: cleanText(found.authority, 128),
          uuid: cleanText(found.uuid ?? '', 64),
          version: cleanText(found.version, 64),
          ...(found.disk ? { disk: found.disk } : {}),
        }
      : null,
    ...(proof && { proof }),
  }
}

type Loose<T> = { readonly [Key in keyof T]?: T[Key] | null }

/** An `InstallAsk` as it is sent. */
export type SentAsk = {
  readonly action: InstallAsk['action']
  readonly disks: readonly (Pick<SeenDisk, 'name' | 'bytes'> & Loose<Omit<SeenDisk, 'name' | 'bytes'>>)[]
  readonly chosen: readonly string[]
  readonly found?:
    (Pick<FoundState, 'machine' | 'authority' | 'version'> & Loose<Pick<FoundState, 'uuid' | 'disk'>>) | null
  readonly proof?: string | null
}
