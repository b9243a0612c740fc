// Profiles: what machines boot.

import { filePath, text, texts, type Described } from './schema.ts'

/** Describes a profile, in the order of Matchbox's own fields. */
export const profileSchema = {
  type: 'object',
  description: 'Kernel, initrds and arguments, and the templates of a machine',
  required: ['id'],
  properties: {
    id: filePath,
    name: text,
    ignition_id: { ...text, description: 'A file below `ignition/`' },
    cloud_id: { ...text, description: 'A file below `cloud/`' },
    boot: { type: 'object', properties: { kernel: text, initrd: texts, args: texts } },
    generic_id: { ...text, description: 'A file below `generic/`' },
  },
} as const

/** What a machine boots: kernel, initrds, arguments, and the Ignition template by file name (Matchbox's JSON). */
export type Profile = Described<typeof profileSchema>
