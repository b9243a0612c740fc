// What an object must be before it is kept, whoever brings it: REST, gRPC or a site. Everything wrong is told at once,
// each with a JSON pointer into the object.

import { isIPv4 } from 'node:net'
import { nearest } from '#progress/nearest.ts'
import type { Fault } from '../errors.ts'
import { normaliseMac } from '../match/mac.ts'
import { BadSelector, readSelector } from '../match/requirement.ts'
import { bytesOf } from '../match/text.ts'
import type { Kind, KindedObject } from './changes.ts'
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
  const reader = new Reader(value)
  const warnings: Fault[] = []
  const object = READERS[kind](reader, warnings, lenient)
  const faults = reader.end()
  // The readers give what the types of objects.ts say, or faults.
  return faults.length > 0
    ? { faults, warnings }
    : { faults, warnings, good: { kind, object } as KindedObject }
}

const READERS: Record<Kind, (fields: Reader, warnings: Fault[], lenient: boolean) => object> = {
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
    const machine = {
      name: fields.matching('name', /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'a host name in lower case'),
      macs: fields.texts('macs')?.map((text, at) => fields.mac(`macs/${at}`, text)) ?? [],
      uuid: fields.text('uuid')?.toLowerCase(),
      role: fields.oneOf('role', ['controller', 'compute']),
      address: fields.address('address'),
      labels: fields.labels('labels') ?? {},
    }
    if (machine.macs.length === 0 && machine.uuid === undefined) {
      fields.fault('macs', 'a machine is known by a MAC or a uuid: give one')
    }
    return present(machine)
  },
}

/** Reads fields one by one, collects what is wrong with them, and knows at the end which nobody asked for. */
class Reader {
  readonly #value: Readonly<Record<string, unknown>>
  readonly #pointer: string
  readonly #asked = new Set<string>()
  readonly #faults: Fault[] = []

  constructor(value: Readonly<Record<string, unknown>>, pointer = '') {
    this.#value = value
    this.#pointer = pointer
  }

  /** What was found; unknown fields are faults, never ignored. */
  end(): readonly Fault[] {
    for (const key of Object.keys(this.#value)) {
      if (this.#asked.has(key)) continue
      const meant = nearest(key, [...this.#asked])
      const mend =
        meant === undefined ? `there are ${[...this.#asked].join(' ')}` : `did you mean "${meant}"?`
      this.fault(key, `"${key}" is unknown; ${mend}`)
    }
    return this.#faults
  }

  fault(field: string, detail: string, place: { line?: number; column?: number } = {}): void {
    this.#faults.push({ ...place, pointer: `${this.#pointer}/${field}`, detail })
  }

  raw(field: string): string {
    const value = this.#get(field)
    if (typeof value === 'string') return value
    this.fault(field, `${field} is missing, or no text`)
    return ''
  }

  text(field: string): string | undefined {
    const value = this.#get(field)
    if (value === undefined || value === null || value === '') return undefined
    if (typeof value === 'string') return value
    this.fault(field, `${field} is ${JSON.stringify(value)}; write it as a string`)
    return undefined
  }

  needed(field: string): string | undefined {
    const text = this.text(field)
    if (text === undefined && this.#faults.length === 0) this.fault(field, `${field} is missing`)
    return text
  }

  /** A name of which a file could be made. */
  id(field: string, { nested }: { readonly nested: boolean }): string | undefined {
    const id = this.needed(field)
    if (id === undefined) return undefined
    const parts = id.split('/')
    if (parts.length > 1 && !nested) this.fault(field, `"${id}" holds a /, which no id of this kind has`)
    if (!parts.every(isFileName)) {
      this.fault(field, `${JSON.stringify(id)} could not be the name of a file: choose another`)
    }
    return id
  }

  integer(field: string): number | undefined {
    const value = this.#get(field)
    if (value === undefined || value === null || Number.isSafeInteger(value))
      return (value as number) ?? undefined
    this.fault(field, `${field} is ${JSON.stringify(value)}; write an integer`)
    return undefined
  }

  record(field: string): Readonly<Record<string, unknown>> | undefined {
    const value = this.#get(field)
    if (value === undefined || value === null) return undefined
    if (isRecord(value)) return value
    this.fault(field, `${field} is no JSON object`)
    return undefined
  }

  nested<T>(field: string, read: (inner: Reader) => T): T | undefined {
    const value = this.record(field)
    if (value === undefined) return undefined
    const inner = new Reader(value, `${this.#pointer}/${field}`)
    const result = read(inner)
    this.#faults.push(...inner.end())
    return result
  }

  selector(field: string): object | undefined {
    const value = this.record(field)
    try {
      return value && readSelector(value)
    } catch (error) {
      if (!(error instanceof BadSelector)) throw error
      this.fault(`${field}/${error.key.replaceAll('~', '~0').replaceAll('/', '~1')}`, error.message)
      return undefined
    }
  }

  texts(field: string): string[] | undefined {
    const value = this.#get(field)
    if (value === undefined || value === null) return undefined
    if (Array.isArray(value) && value.every(item => typeof item === 'string')) return value
    this.fault(field, `${field} is no list of strings`)
    return undefined
  }

  labels(field: string): Readonly<Record<string, unknown>> | undefined {
    const labels = this.record(field)
    for (const [key, value] of Object.entries(labels ?? {})) {
      if (typeof value !== 'string') this.fault(`${field}/${key}`, `${field}.${key} is no string`)
    }
    return labels
  }

  matching(field: string, pattern: RegExp, what: string): string | undefined {
    const text = this.needed(field)
    if (text !== undefined && !pattern.test(text)) this.fault(field, `"${text}" is not ${what}`)
    return text
  }

  oneOf(field: string, choices: readonly string[]): string | undefined {
    const text = this.needed(field)
    if (text !== undefined && !choices.includes(text))
      this.fault(field, `${field} is one of ${choices.join(' ')}`)
    return text
  }

  address(field: string): string | undefined {
    const text = this.needed(field)
    if (text !== undefined && !isIPv4(text)) this.fault(field, `"${text}" is no IPv4 address`)
    return text
  }

  mac(field: string, text: string): string {
    const mac = normaliseMac(text)
    if (mac === undefined) this.fault(field, `"${text}" is no MAC address`)
    return mac ?? text
  }

  #get(field: string): unknown {
    this.#asked.add(field)
    return Object.hasOwn(this.#value, field) ? this.#value[field] : undefined
  }
}

function isFileName(text: string): boolean {
  if (text === '' || text === '.' || text === '..' || !text.isWellFormed()) return false
  return !/\p{Cc}/u.test(text) && bytesOf(text).length <= LONGEST_NAME
}

/** Bytes of a file name: 255, of which `.json` takes five. */
const LONGEST_NAME = 250

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The fields that have a value. */
function present(fields: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
