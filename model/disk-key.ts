// The key of an encrypted state partition, as the server keeps it and an administrator sees it.

import { text, type Described } from './schema.ts'
import { time } from './time.ts'

/** What opens an encrypted state partition by itself: the machine's TPM, or the key that the server hands out at each boot. */
export const DISK_KEY_HOLDERS = ['tpm', 'server'] as const
export type DiskKeyHolder = (typeof DISK_KEY_HOLDERS)[number]

/** 160 random bits as 32 characters of base32 (RFC 4648 §6), which LUKS takes as they are; people see them in groups of four. */
export const DISK_SECRET = '^[A-Z2-7]{32}$'
/** The UUID of a LUKS2 header. */
export const LUKS_UUID = '^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$'

/** Describes a recovery key, as `POST /v1/machines/{name}/disk/recover` shows it. */
export const recoveryKeySchema = {
  type: 'object',
  description: 'The recovery key of an encrypted state partition',
  required: ['uuid', 'key', 'holder', 'at', 'boot', 'isPresent'],
  properties: {
    uuid: { ...text, description: 'The UUID of the LUKS2 header, which the console of the machine shows' },
    key: { ...text, description: 'The key in groups of four; case and dashes count for nothing' },
    holder: { enum: DISK_KEY_HOLDERS, description: 'What opens it without a person' },
    at: { ...time, description: 'When it was made' },
    boot: { ...text, description: 'The network boot that made it' },
    isPresent: { type: 'boolean', description: 'Whether it is that of the system that the machine runs' },
  },
} as const

/** The recovery key of an encrypted state partition; `at` in milliseconds since 1970. */
export type RecoveryKey = Described<typeof recoveryKeySchema>
/** The same as the API shows it: `at` in ISO 8601. */
export type RecoveryKeyView = Omit<RecoveryKey, 'at'> & { readonly at: string }

/** Describes a permission to hand out the key of a machine's disk. */
export const unlockSchema = {
  type: 'object',
  description: 'Until when the server hands the key of the disk out to the machine',
  required: ['machine', 'until'],
  properties: { machine: text, until: time },
} as const

export type Unlock = Described<typeof unlockSchema>
export type UnlockView = Omit<Unlock, 'until'> & { readonly until: string }
