// What an object must be before it is kept, whoever brings it: REST, gRPC or a site. Everything wrong is told at once,
// each with a JSON pointer into the object.

import type { Fault } from '../errors.ts'
import { plainUuid } from '../match/uuid.ts'
import type { Kind, KindedObject } from './changes.ts'
import { FieldReader, isRecord } from './field-reader.ts'
import { DEADLINE_MINUTES } from './trust.ts'
import { TEMPLATE_FOLDERS } from './layout.ts'
import { templateFindings } from './template-check.ts'

/** An object that was looked at: whole where nothing is wrong with it. */
export type Checked = {
  readonly faults: readonly Fault[]
  readonly warnings: readonly Fault[]
  readonly good?: KindedObject
}

/**
 * Checks a value as an object of `kind`, and normalises its MAC addresses and UUIDs. A lenient check makes warnings of
 * what is wrong in the text of a template.
 */
export function checkObject(kind: Kind, value: unknown, { lenient = false } = {}): Checked {
  if (!isRecord(value))
    return { faults: [{ pointer: '', detail: `a ${kind} is a JSON object` }], warnings: [] }
  const reader = new FieldReader(value)
  const warnings: Fault[] = []
  const object = READERS[kind](reader, warnings, lenient)
  const faults = reader.end()
  // The readers give what the types of objects.ts say, or faults.
  return faults.length > 0
    ? { faults, warnings }
    : { faults, warnings, good: { kind, object } as KindedObject }
}

const READERS: Record<Kind, (fields: FieldReader, warnings: Fault[], lenient: boolean) => object> = {
  group: fields => {
    const group = {
      id: fields.id('id', { nested: false }),
      name: fields.text('name'),
      profile: fields.needed('profile'),
      selector: fields.selector('selector'),
      priority: fields.integer('priority'),
      metadata: fields.record('metadata'),
    }
    return present(group)
  },
  profile: fields => {
    const boot = fields.nested('boot', inner => ({
      kernel: inner.text('kernel'),
      initrd: inner.texts('initrd'),
      args: inner.texts('args'),
    }))
    const profile = {
      id: fields.id('id', { nested: true }),
      name: fields.text('name'),
      boot: boot && present(boot),
      ignition_id: fields.text('ignition_id'),
      generic_id: fields.text('generic_id'),
      cloud_id: fields.text('cloud_id'),
    }
    return present(profile)
  },
  template: (fields, warnings, lenient) => {
    const id = fields.id('id', { nested: true }) ?? ''
    const [folder = '', name] = id.split('/')
    if (!TEMPLATE_FOLDERS.includes(folder) || name === undefined) {
      fields.fault(
        'id',
        `"${id}" is no template: it is folder/name, with a folder of ${TEMPLATE_FOLDERS.join(' ')}`,
      )
    }
    const content = fields.raw('content')
    for (const { severity, message, line, column } of templateFindings({ id, content })) {
      const place = { detail: `${id}:${line}:${column}: ${message}`, line, column }
      if (severity === 'error' && !lenient) fields.fault('content', place.detail, place)
      else warnings.push({ pointer: '/content', ...place })
    }
    return { id, content }
  },
  machine: fields => {
    const uuid = fields.text('uuid')
    const machine = {
      name: fields.matching('name', /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'a host name in lower case'),
      macs: fields.texts('macs')?.map((text, at) => fields.mac(`macs/${at}`, text)) ?? [],
      uuid: uuid === undefined ? undefined : plainUuid(uuid),
      role: fields.oneOf('role', ['controller', 'compute']),
      address: fields.address('address'),
      tpm: fields.text('tpm'),
      firmware: fields.text('firmware'),
      labels: fields.labels('labels') ?? {},
      trust: fields.nested('trust', readTrust),
    }
    for (const field of ['tpm', 'firmware'] as const) {
      const text = machine[field]
      if (text === undefined || /^SHA256:[0-9a-f]{64}$/.test(text)) continue
      fields.fault(field, `"${text}" is not a digest: write SHA256: and 64 digits, 0-9 and a-f`)
    }
    if (machine.macs.length === 0 && machine.uuid === undefined) {
      fields.fault('macs', 'a machine is known by a MAC or a uuid: give one')
    }
    return present(machine)
  },
}

function readTrust(fields: FieldReader): object {
  const isNamed = typeof fields.peek('approve') === 'string'
  const minutes = fields.integer('deadlineMinutes')
  if (minutes !== undefined && minutes < 1) fields.fault('deadlineMinutes', 'deadlineMinutes is less than 1')
  return {
    level: fields.oneOf('level', ['L1', 'L2', 'L3']),
    approve: isNamed
      ? fields.oneOf('approve', ['operator', 'first-boot'])
      : present(fields.nested('approve', readPolicy) ?? {}),
    reboot: fields.oneOf('reboot', ['same-key', 'approve', 'auto']),
    deadlineMinutes: minutes ?? DEADLINE_MINUTES,
  }
}

function readPolicy(fields: FieldReader): Readonly<Record<string, unknown>> {
  const policy = {
    racks: fields.texts('racks'),
    ports: fields.texts('ports'),
    serials: fields.texts('serials'),
  }
  if (Object.values(policy).every(value => value === undefined)) {
    fields.fault('racks', 'approve has no condition: give racks, ports or serials')
  }
  return policy
}

/** The fields that have a value. */
function present(fields: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
