// Boots, their names, and what happens in them.

import { text, type Described } from './schema.ts'
import { time } from './time.ts'

const boot = { ...text, description: 'For example `b-001f`' } as const
const mac = { ...text, description: 'The MAC that the machine booted with: lower case, colons' } as const
const machine = { ...text, description: "The inventory's name, when the machine is known" } as const

/** Describes an event, as `GET /v1/events` and the journal of a machine list it. */
export const eventSchema = {
  type: 'object',
  description: 'One thing that happened in one boot of one machine',
  required: ['id', 'at', 'boot', 'mac', 'layer', 'kind', 'text', 'detail'],
  properties: {
    id: {
      type: 'integer',
      description: 'Grows by one an event, over all machines: the cursor of `GET /v1/events?after=`',
    },
    at: { ...time, description: 'Milliseconds since 1970' },
    boot,
    mac,
    machine,
    layer: { enum: ['dhcp', 'tftp', 'http', 'os'] },
    kind: {
      ...text,
      description:
        'For example discover, offer, ack, sent, script, kernel, config, installing, installed, bundle, booted, ready, failed',
    },
    text: { ...text, description: 'A sentence for a person' },
    detail: { type: 'object', additionalProperties: { anyOf: [{ type: 'string' }, { type: 'number' }] } },
  },
} as const

/** Describes a boot, as `GET /v1/machines/{name}/boots` lists it. */
export const bootSchema = {
  type: 'object',
  description: 'One boot of one machine, as the journal groups events',
  required: ['id', 'mac', 'began'],
  properties: {
    id: boot,
    mac,
    machine,
    began: { ...time, description: 'Milliseconds since 1970 of its first event' },
  },
} as const

/** One thing that happened in one boot of one machine. */
export type BootEvent = Described<typeof eventSchema>
/** One boot of one machine, as the journal groups events. */
export type Boot = Described<typeof bootSchema>

// The names of boots: `b-001f` for the 31st that this server saw, in hexadecimal, four digits at least.

/** The name of a boot by its number. */
export function bootId(number: number): string {
  return `b-${number.toString(16).padStart(4, '0')}`
}

/** The number of a boot by its name. */
export function bootNumber(id: string): number {
  return Number.parseInt(id.slice(2), 16)
}

/** Says whether a boot began after another one: `b-0010` after `b-000f`. */
export function isLater(one: string, other: string): boolean {
  return bootNumber(one) > bootNumber(other)
}
