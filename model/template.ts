// Templates: files that profiles name, and what such files include.

import { filePath, type Described } from './schema.ts'

/** The folders of a data directory that hold templates. */
export const TEMPLATE_FOLDERS: readonly string[] = ['ignition', 'generic', 'cloud', 'ipxe', 'grub']

/** Describes a template. Bytes that are not UTF-8 are in `content` as `textOf` gives them. */
export const templateSchema = {
  type: 'object',
  description: 'The text of a file; over HTTP its own route takes and gives it as it is.',
  required: ['id', 'content'],
  properties: {
    id: {
      ...filePath,
      description: 'Folder and name, for example `ignition/node.ign`; the name says what it is',
    },
    content: { type: 'string' },
  },
} as const

/** The text of a file that profiles name, or that such a file includes. */
export type Template = Described<typeof templateSchema>
