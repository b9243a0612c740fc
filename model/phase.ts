// How far is a machine? One table of phases, which the journal follows, the API lists, the page draws and `up` counts.

import type { BootEvent } from './boot.ts'
import { text, texts, type Described } from './schema.ts'

/** Describes a phase, as `GET /v1/phases` lists it. */
export const phaseSchema = {
  type: 'object',
  description: 'How far the boot of a machine is',
  required: ['name', 'text', 'kinds', 'steps', 'quarters'],
  properties: {
    name: text,
    text: { ...text, description: 'The same for people' },
    kinds: { ...texts, description: 'The kinds of boot events that lead here' },
    steps: {
      type: 'object',
      additionalProperties: text,
      description:
        'The steps of this phase that a person counts: kind of the event that completes one, and its name',
    },
    quarters: {
      type: 'integer',
      minimum: 0,
      maximum: 4,
      description: 'How much of the way is done, in quarters: for drawing it',
    },
    end: {
      enum: ['good', 'bad'],
      description:
        'A boot that is here is over, and how it ended; it goes on by itself where this is left out',
    },
  },
} as const

/** A row of the table. */
export type PhaseDefinition = Described<typeof phaseSchema>

/**
 * All phases, in the order of a boot. To add one: a row here; the API, the page, the metrics and `up` follow. The order
 * counts: a boot stays in the furthest phase that its events lead to. One with a bad end is the last, because it may follow
 * any other, and only the machine's own reports lead there and out of it.
 */
export const PHASES = [
  { name: 'new', text: 'not seen yet', kinds: [], steps: {}, quarters: 0 },
  {
    name: 'address',
    text: 'firmware asks DHCP for an address',
    kinds: ['discover', 'offer', 'request', 'ack'],
    steps: { ack: 'address' },
    quarters: 1,
  },
  {
    name: 'loader',
    text: 'firmware fetches the boot loader',
    kinds: ['read', 'sent', 'loader'],
    steps: { sent: 'loader' },
    quarters: 1,
  },
  {
    name: 'script',
    text: 'the loader has its boot script',
    kinds: ['script'],
    steps: { script: 'script' },
    quarters: 2,
  },
  {
    name: 'kernel',
    text: 'the loader fetches kernel, initrd and root image',
    kinds: ['kernel', 'initrd', 'rootfs'],
    steps: { kernel: 'kernel', rootfs: 'rootfs' },
    quarters: 2,
  },
  {
    name: 'config',
    text: 'the initrd has its Ignition config, or its bundle',
    kinds: ['config', 'bundle'],
    steps: { config: 'config' },
    quarters: 3,
  },
  {
    name: 'installing',
    text: 'the initrd writes the system to the disk, and enters it',
    kinds: ['installing', 'installed'],
    steps: { installed: 'installed' },
    quarters: 3,
  },
  {
    name: 'booted',
    text: 'the operating system runs',
    kinds: ['booted'],
    steps: { booted: 'booted' },
    quarters: 3,
  },
  {
    name: 'ready',
    text: 'the machine reported that it is ready',
    kinds: ['ready'],
    steps: { ready: 'ready' },
    quarters: 4,
    end: 'good',
  },
  {
    name: 'failed',
    text: 'the machine reported that it failed',
    kinds: ['failed'],
    steps: {},
    quarters: 4,
    end: 'bad',
  },
] as const satisfies readonly PhaseDefinition[]

/** The name of a phase. */
export type Phase = (typeof PHASES)[number]['name']

const TABLE: readonly (PhaseDefinition & { readonly name: Phase })[] = PHASES
const ROWS = new Map(TABLE.map((row, place) => [row.name, { ...row, place }]))
const PHASE_OF = new Map(TABLE.flatMap(({ name, kinds }) => kinds.map(kind => [kind, name] as const)))
const STEP_OF = new Map(TABLE.flatMap(({ steps }) => Object.entries(steps)))

/**
 * The phase after one more event: the furthest that was reached, so that the DHCP renewal of a running system changes
 * nothing. A report of the machine itself decides alone: by one it fails, and by the next it leaves `failed`.
 */
export function phaseAfter(phase: Phase, { kind, layer }: Pick<BootEvent, 'kind' | 'layer'>): Phase {
  const next = PHASE_OF.get(kind)
  if (next === undefined) return phase
  if (layer === 'os') return next
  return endOf(next) !== 'bad' && placeOf(next) > placeOf(phase) ? next : phase
}

/** Says whether a boot in `phase` has reached `other`, or is further. */
export function hasReached(phase: Phase, other: Phase): boolean {
  return placeOf(phase) >= placeOf(other)
}

/** How a boot in this phase ended; undefined while it goes on. */
export function endOf(phase: Phase): PhaseDefinition['end'] {
  return ROWS.get(phase)?.end
}

/** Says whether a machine has booted, and well; one that was never seen has not. */
export function isReady(phase: Phase | undefined): boolean {
  return phase !== undefined && endOf(phase) === 'good'
}

/** The step that an event of this kind completes, as a person counts them. */
export function stepOf(kind: string): string | undefined {
  return STEP_OF.get(kind)
}

function placeOf(phase: Phase): number {
  return ROWS.get(phase)?.place ?? 0
}
