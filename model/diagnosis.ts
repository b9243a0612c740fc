// What `pilotlight doctor` finds: one verdict for each thing that it looks at, or would have looked at.

import { text, type Described } from './schema.ts'

/** ok: looked at, and right. warning: looked at, and worth knowing. failed: something will not work. unseen: it was not looked at. */
export const VERDICTS = ['ok', 'warning', 'failed', 'unseen'] as const

/** Describes one diagnosis, as `POST /v1/diagnosis` lists it. */
export const diagnosisSchema = {
  type: 'object',
  required: ['check', 'verdict', 'text'],
  properties: {
    check: { ...text, description: 'What was looked at, in a word or two' },
    verdict: { enum: VERDICTS, description: '`unseen`: it was not looked at, and `text` has the reason' },
    text: { ...text, description: 'A sentence: what was seen' },
    fix: { ...text, description: 'One command; every check that failed has one' },
    blocks: { type: 'boolean', description: 'The machines of the site would not boot' },
  },
} as const

/** One thing that was looked at, and what was seen. */
export type Diagnosis = Described<typeof diagnosisSchema>

/** The checks without which no machine is switched on: `pilotlight up` asks for these alone. */
export const BOOT_CHECKS = ['dhcp', 'other dhcp', 'assets', 'images', 'firewall'] as const
