// Reads the fields of an object that somebody else wrote: each is checked as it is read, and what is wrong is collected.

import { isIPv4 } from 'node:net'
import { nearest } from '#progress/nearest.ts'
import type { Fault } from '../errors.ts'
import { normaliseMac } from '../match/mac.ts'
import { BadSelector, readSelector } from '../match/requirement.ts'
import { bytesOf } from '../match/text.ts'

/** Reads fields one by one, collects what is wrong with them, and knows at the end which nobody asked for. */
export class FieldReader {
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

  /** The value as it is, to choose how to read it. */
  peek(field: string): unknown {
    return this.#get(field)
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

  nested<T>(field: string, read: (inner: FieldReader) => T): T | undefined {
    const value = this.record(field)
    if (value === undefined) return undefined
    const inner = new FieldReader(value, `${this.#pointer}/${field}`)
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

/** Says whether a value is a JSON object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
