// Groups: which machines get which profile.

import { fileName, text, type Described } from './schema.ts'
import type { Selector } from './selector.ts'

/** Describes a group, in the order of Matchbox's own fields; ours goes last. */
export const groupSchema = {
  type: 'object',
  description: 'Selector to profile, with metadata for the templates',
  required: ['id', 'profile'],
  properties: {
    id: fileName,
    name: text,
    profile: { ...text, description: 'The id of a profile' },
    selector: {
      type: 'object',
      'x-read': 'selector',
      description:
        'What each label must be: a text, {"glob": "cmp-*"}, {"cidr": "10.20.0.0/24"}, {"present": true}, or a list of which one is enough',
    },
    metadata: { type: 'object', additionalProperties: {}, description: 'For the templates' },
    priority: {
      type: 'integer',
      'x-ours': true,
      description: 'Groups of a greater one are tried first, whatever they ask for; 0 when it is not given',
    },
  },
} as const

/** Selector to profile, with metadata for the templates (Matchbox's JSON, and `priority`). */
export type Group = Omit<Described<typeof groupSchema>, 'selector'> & { readonly selector?: Selector }
