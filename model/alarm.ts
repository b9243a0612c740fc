// Alarms: what an operator should look at. An alarm is a state: it begins, may repeat, is acknowledged, and ends.

import { text, type Described } from './schema.ts'
import { time } from './time.ts'

/** How urgent an alarm is, the most urgent first. */
export const SEVERITIES = ['critical', 'major', 'minor', 'warning'] as const

/** critical: something is lost or in wrong hands now. major: soon, or for one machine. minor: someone waits. warning: to know. */
export type Severity = (typeof SEVERITIES)[number]

/** What is known of all alarms of a code. */
export type AlarmDefinition = {
  /** One word: the kind of its events in the journal, and its label in `pilotlight_alarms_total`. */
  readonly kind: string
  readonly severity: Severity
  /** The heading of its paragraph in docs/errors.md. */
  readonly title: string
  /** The command that shows more, or repairs it. `{name}` is the name of the entity. */
  readonly repair: string
  /** condition: it is cleared when what it reports is over. operator: nothing shows that it is over, an operator clears it. */
  readonly endsBy: 'condition' | 'operator'
}

/**
 * Every alarm. To add one: a row here, a paragraph in docs/errors.md, and a test that raises it and, where a condition ends
 * it, clears it.
 */
export const ALARMS = {
  'PL-7001': {
    kind: 'refused',
    severity: 'major',
    title: 'request in the name of a machine refused',
    repair: 'pilotlight journal {name}',
    endsBy: 'operator',
  },
  'PL-7002': {
    kind: 'replayed',
    severity: 'critical',
    title: 'bundle asked for twice in one boot',
    repair: 'pilotlight journal {name}',
    endsBy: 'operator',
  },
  'PL-7003': {
    kind: 'held',
    severity: 'minor',
    title: 'machine waits for an operator',
    repair: 'pilotlight machines pending',
    endsBy: 'condition',
  },
  'PL-7004': {
    kind: 'moved',
    severity: 'minor',
    title: 'machine at another switch port',
    repair: 'pilotlight journal {name}',
    endsBy: 'operator',
  },
  'PL-7005': {
    kind: 'copied',
    severity: 'critical',
    title: 'another host copies a machine',
    repair: 'pilotlight journal {name}',
    endsBy: 'operator',
  },
  'PL-7006': {
    kind: 'declined',
    severity: 'major',
    title: "a machine's address is used by another host",
    repair: 'pilotlight journal {name}',
    endsBy: 'operator',
  },
  'PL-7007': {
    kind: 'pool',
    severity: 'major',
    title: 'address pool nearly full',
    repair: 'pilotlight get leases',
    endsBy: 'condition',
  },
  'PL-7008': {
    kind: 'signing',
    severity: 'major',
    title: 'cluster will stop renewing certificates',
    repair: 'pilotlight up SITE',
    endsBy: 'condition',
  },
  'PL-7009': {
    kind: 'foreign',
    severity: 'major',
    title: 'another DHCP server in the network of a site',
    repair: 'pilotlight doctor',
    endsBy: 'condition',
  },
  'PL-7010': {
    kind: 'upgrade',
    severity: 'major',
    title: 'upgrade of a machine failed',
    repair: 'pilotlight journal {name}',
    endsBy: 'condition',
  },
  'PL-7020': {
    kind: 'disk',
    severity: 'critical',
    title: 'state directory takes no write',
    repair: 'df {name}',
    endsBy: 'condition',
  },
  'PL-7021': {
    kind: 'store',
    severity: 'critical',
    title: 'store is damaged',
    repair: 'pilotlight restore BACKUP --state-path {name}',
    endsBy: 'condition',
  },
  'PL-7022': {
    kind: 'files',
    severity: 'minor',
    title: 'files of the data directory cannot be used',
    repair: 'pilotlight lint {name}',
    endsBy: 'condition',
  },
  'PL-7023': {
    kind: 'loader',
    severity: 'major',
    title: 'boot loader is missing',
    repair: 'pilotlight images build',
    endsBy: 'condition',
  },
} as const satisfies Readonly<Record<string, AlarmDefinition>>

/** A key of `ALARMS`. */
export type AlarmCode = keyof typeof ALARMS
/** The kind of an alarm. */
export type AlarmKind = (typeof ALARMS)[AlarmCode]['kind']

/** All codes, in the order of the table. */
export const ALARM_CODES = Object.keys(ALARMS) as readonly AlarmCode[] // its own keys, none other

/** Describes an alarm, as `GET /v1/alarms` lists it. */
export const alarmSchema = {
  type: 'object',
  description: 'Something that an operator should look at',
  required: ['id', 'code', 'severity', 'entity', 'state', 'since', 'lastSeen', 'count', 'reason', 'repair'],
  properties: {
    id: { ...text, description: '`CODE:ENTITY`: there is one alarm for each code and entity' },
    code: { enum: ALARM_CODES, description: '`pilotlight help CODE` explains it' },
    severity: { enum: SEVERITIES },
    entity: {
      ...text,
      pattern: '^[a-z]+:',
      description:
        'What it is about, with its kind: `machine:ctl-1`, `pool:10.20.0.100`, `state:/var/lib/pilotlight`',
    },
    state: { enum: ['active', 'acknowledged', 'cleared'] },
    since: { ...time, description: 'When it began; when it is raised after it was cleared, it begins again' },
    lastSeen: { ...time, description: 'When it was raised last' },
    count: { type: 'integer', minimum: 1, description: 'How often it was raised since it began' },
    reason: { ...text, description: 'A sentence: what was seen last' },
    repair: { ...text, description: 'A command that shows more, or repairs it' },
    acknowledged: {
      type: 'object',
      description: 'An operator knows of it',
      required: ['at', 'who'],
      properties: { at: time, who: text },
    },
    cleared: {
      type: 'object',
      description: 'It is over; `who` is the operator who said so, and is left out where the condition ended',
      required: ['at'],
      properties: { at: time, who: text },
    },
  },
} as const

/** Something that an operator should look at. */
export type Alarm = Omit<Described<typeof alarmSchema>, 'code'> & { readonly code: AlarmCode }

/** The code of each kind. */
export const CODE_OF = Object.fromEntries(ALARM_CODES.map(code => [ALARMS[code].kind, code])) as Readonly<
  Record<AlarmKind, AlarmCode> // every kind is in the table
>
