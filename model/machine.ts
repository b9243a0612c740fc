// Machines that are declared, and what they must show before they get anything secret.

import { diskFaults, diskSchema } from './disk.ts'
import type { Fault } from './fault.ts'
import { MACHINE_ROLES } from './role.ts'
import { digest, ipv4, text, texts, type Described } from './schema.ts'

const policySchema = {
  type: 'object',
  description: 'A first key is approved when all of the conditions that are given hold.',
  minProperties: 1,
  properties: {
    racks: { ...texts, description: 'The label `rack` that the machine is declared with' },
    ports: {
      ...texts,
      description:
        'The switch port that the relay of DHCP named in this boot, for example `circuit=ge-0/0/7 remote=tor-1`',
    },
    serials: { ...texts, description: 'The label `serial` that the machine is declared with' },
  },
} as const

const trustSchema = {
  type: 'object',
  description:
    'What must be shown before the machine gets its bundle; level L2 with an operator where it is not given',
  required: ['level', 'approve', 'reboot', 'deadlineMinutes'],
  properties: {
    level: {
      enum: ['L1', 'L2', 'L3'],
      description:
        'L1: the wire is trusted. L2: the bundle is sealed to a key that was approved. L3: a TPM vouches for that key.',
    },
    approve: {
      anyOf: [{ enum: ['operator', 'first-boot'] }, policySchema],
      description:
        "Who approves a machine's first key: an operator, no one (trust on first use, pinned from then on), or conditions.",
    },
    reboot: {
      enum: ['same-key', 'approve', 'auto'],
      description:
        'A machine that was ready and boots by firmware again: it must show the key that is pinned, an operator opens that boot, or it may with any key.',
    },
    deadlineMinutes: {
      type: 'integer',
      minimum: 1,
      maximum: 10_080, // a week
      default: 60,
      description: 'How long a machine may wait for its approval',
    },
  },
} as const

/** What a machine is built of, which decides with which drivers it boots. */
export const HARDWARE = ['server', 'vm'] as const

/** Describes a machine. How to add a field: CONTRIBUTING.md. */
export const machineSchema = {
  type: 'object',
  description: 'Hardware that someone declared: known by MAC or UUID, with the address kept for it',
  required: ['name', 'macs', 'role', 'address', 'labels'],
  properties: {
    name: { ...text, pattern: '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$', format: 'host-name' },
    macs: {
      type: 'array',
      items: { type: 'string', format: 'mac' },
      default: [],
      description: 'Lower case, colons',
    },
    uuid: { ...text, format: 'smbios-uuid', description: 'Lower case, as SMBIOS shows it' },
    role: { enum: MACHINE_ROLES },
    address: { ...ipv4, description: 'The reservation that DHCP gives' },
    tpm: {
      ...digest,
      description:
        "The fingerprint of its TPM's attestation key. Where it is given, a machine that shows another TPM does not pass for this one.",
    },
    firmware: {
      ...digest,
      description:
        'What its TPM must have measured of its firmware at L3: the digest of PCRs 0 to 7, as the event of its bundle shows it',
    },
    labels: { type: 'object', additionalProperties: { type: 'string' }, default: {} },
    notes: { ...text, description: 'What an operator wants to remember of it' },
    hardware: {
      enum: HARDWARE,
      description:
        'server: it boots with drivers for all hardware; vm: with those of virtual machines alone, so a network boot transfers 34 MB less',
    },
    disk: diskSchema,
    trust: trustSchema,
  },
} as const

/** Hardware that someone declared: known by MAC or UUID, with the address kept for it. */
export type Machine = Described<typeof machineSchema>
/** What a machine must show before it gets its bundle. docs/security.md says what each level defends against. */
export type MachineTrust = Described<typeof trustSchema>
/** A first key is approved when all of the conditions that are given hold. */
export type ApprovalPolicy = Described<typeof policySchema>

/** What is wrong with a machine whose fields are all right. */
export function machineFaults({ macs, uuid, disk }: Pick<Machine, 'macs' | 'uuid' | 'disk'>): Fault[] {
  const isKnown = macs.length > 0 || uuid !== undefined
  const unknown = { pointer: '/macs', detail: 'a machine is known by a MAC or a uuid: give one' }
  return [...(isKnown ? [] : [unknown]), ...diskFaults(disk)]
}
