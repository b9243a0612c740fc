// The rack file: which machines a lab has, what kind of virtual hardware each is, and the bridge they share.

import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { Node } from 'yaml'
import { LabError } from './errors.ts'

/** A virtual machine of the rack. MAC in lower case with colons, UUID in lower case. */
export type RackMachine = {
  readonly name: string
  readonly mac: string
  readonly uuid: string
  /** `qemu`: a whole emulated computer; `container`: namespaces of this host behind a network-boot client. */
  readonly driver: 'qemu' | 'container'
  /** What a `qemu` machine boots by; a container machine has no firmware and acts as BIOS. */
  readonly firmware: 'bios' | 'uefi'
  /** Size of a `qemu` machine's memory; of a container machine, the most it may use (absent: no limit). */
  readonly memoryMiB?: number
  readonly cpus?: number
  /** Size of an empty disk, only for `qemu`. */
  readonly diskGiB?: number
  /** What runs a `qemu` machine: emulation (`tcg`), or the host's processor when asked for (`kvm`). */
  readonly accelerator: 'tcg' | 'kvm'
}

/** A rack, read and checked. */
export type Rack = {
  readonly name: string
  /** IPv4 address with prefix length, which the provisioner has on the rack's bridge. */
  readonly bridge: { readonly address: string; readonly prefix: number }
  /** The site file of this rack, an absolute path. */
  readonly site?: string
  /** What the server of this rack serves (Matchbox layout), an absolute path; absent: the project's own. */
  readonly data?: string
  /** A rack without a site file: the JSON file of `SiteObjects` given to its server, an absolute path. */
  readonly objects?: string
  readonly machines: readonly RackMachine[]
}

/** A mistake in a rack file, with its place: line and column count from 1. */
export class RackFileError extends LabError {
  readonly file: string
  readonly line: number
  readonly column: number
  constructor(file: string, line: number, column: number, what: string) {
    super('RACK_FILE', `${file}:${line}:${column}: ${what}`)
    this.file = file
    this.line = line
    this.column = column
  }
}

/**
 * Reads and checks a rack file.
 *
 * @throws {RackFileError} at the first mistake
 */
export async function readRack(file: string): Promise<Rack> {
  return parseRack(await readFile(file, 'utf8'), resolve(file))
}

/**
 * Reads the text of a rack file; relative paths in it count from the folder of `file`.
 *
 * @throws {RackFileError} at the first mistake
 */
export function parseRack(text: string, file: string): Rack {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const fail = (offset: number, what: string): never => {
    const { line, col } = lines.linePos(offset)
    throw new RackFileError(file, line, col, what)
  }
  const [broken] = document.errors
  if (broken) fail(broken.pos[0], broken.message)
  const root = new Place(document.contents, 0, 'the rack', fail)
  root.onlyKeys('name', 'bridge', 'site', 'data', 'objects', 'machines')
  const [address, prefix] = readBridge(root.at('bridge'))
  const site = root.optional('site')
  const data = root.optional('data')
  const objects = root.optional('objects')
  const machines = root.at('machines').items().map(readMachine)
  expectUnique(root.at('machines').items(), ['name', 'mac', 'uuid'])
  return {
    name: root.at('name').text(NAME, 'lower case letters, digits and dashes, at most 20'),
    bridge: { address, prefix },
    ...(site && { site: resolve(dirname(file), site.text()) }),
    ...(data && { data: resolve(dirname(file), data.text()) }),
    ...(objects && { objects: resolve(dirname(file), objects.text()) }),
    machines,
  }
}

const NAME = /^[a-z0-9][a-z0-9-]{0,19}$/
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const BRIDGE = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/

function readBridge(place: Place): [address: string, prefix: number] {
  place.onlyKeys('address')
  const text = place.at('address').text(BRIDGE, 'an IPv4 address with its prefix, like 10.20.0.1/24')
  const [, address = '', prefix = ''] = BRIDGE.exec(text) ?? []
  if (address.split('.').some(part => Number(part) > 255) || Number(prefix) > 30)
    place.at('address').fail(`${text} is no address of a network with room for machines`)
  return [address, Number(prefix)]
}

function readMachine(place: Place): RackMachine {
  place.onlyKeys('name', 'mac', 'uuid', 'driver', 'firmware', 'memoryMiB', 'cpus', 'diskGiB', 'accelerator')
  const driver = place.at('driver').oneOf('qemu', 'container')
  const firmware = place.optional('firmware')
  const disk = place.optional('diskGiB')
  if (driver === 'container' && firmware) firmware.fail('a container machine has no firmware; leave it out')
  if (driver === 'container' && disk) disk.fail('a container machine has no disk; leave it out')
  const memoryMiB = place.optional('memoryMiB')?.count(256)
  const cpus = place.optional('cpus')?.count(1)
  return {
    name: place.at('name').text(NAME, 'lower case letters, digits and dashes, at most 20'),
    mac: place.at('mac').text(MAC, 'a MAC address like 52:54:00:20:00:01').toLowerCase(),
    uuid: place.at('uuid').text(UUID, 'a UUID').toLowerCase(),
    driver,
    firmware: firmware?.oneOf('bios', 'uefi') ?? 'bios',
    ...(memoryMiB !== undefined && { memoryMiB }),
    ...(cpus !== undefined && { cpus }),
    ...(disk && { diskGiB: disk.count(1) }),
    accelerator: place.optional('accelerator')?.oneOf('tcg', 'kvm') ?? 'tcg',
  }
}

function expectUnique(machines: readonly Place[], keys: readonly string[]): void {
  for (const key of keys) {
    const seen = new Set<string>()
    for (const machine of machines) {
      const place = machine.at(key)
      const value = place.text().toLowerCase()
      if (seen.has(value)) place.fail(`another machine has the ${key} ${value}`)
      seen.add(value)
    }
  }
}

/** A value of the document that knows where it stands, so that each complaint names line and column. */
class Place {
  readonly #node: Node | null
  readonly #offset: number
  readonly #name: string
  readonly #fail: (offset: number, what: string) => never

  constructor(node: unknown, offset: number, name: string, fail: (offset: number, what: string) => never) {
    this.#node = node as Node | null // what the yaml package keeps below a map or a list
    this.#offset = this.#node?.range?.[0] ?? offset
    this.#name = name
    this.#fail = fail
  }

  fail(what: string): never {
    return this.#fail(this.#offset, what)
  }

  onlyKeys(...allowed: readonly string[]): void {
    if (!isMap(this.#node)) return this.fail(`${this.#name} must be a mapping of ${allowed.join(', ')}`)
    for (const { key } of this.#node.items) {
      const name = isScalar(key) ? String(key.value) : '?'
      if (allowed.includes(name)) continue
      this.#fail(
        (key as Node).range?.[0] ?? this.#offset,
        `unknown key ${name}; known: ${allowed.join(', ')}`,
      )
    }
  }

  optional(key: string): Place | undefined {
    if (!isMap(this.#node) || !this.#node.has(key)) return undefined
    return new Place(this.#node.get(key, true), this.#offset, key, this.#fail)
  }

  at(key: string): Place {
    return this.optional(key) ?? this.fail(`${this.#name} lacks ${key}`)
  }

  items(): readonly Place[] {
    if (!isSeq(this.#node)) return this.fail(`${this.#name} must be a list`)
    return this.#node.items.map(
      (item, at) => new Place(item, this.#offset, `${this.#name}[${at}]`, this.#fail),
    )
  }

  text(pattern = /./, wanted = 'a text'): string {
    const value = this.#value()
    const text = typeof value === 'string' || typeof value === 'number' ? String(value) : ''
    return pattern.test(text) ? text : this.fail(`${this.#name} must be ${wanted}`)
  }

  count(least: number): number {
    const value = this.#value()
    if (typeof value === 'number' && Number.isInteger(value) && value >= least) return value
    return this.fail(`${this.#name} must be a whole number, at least ${least}`)
  }

  oneOf<T extends string>(...allowed: readonly T[]): T {
    const found = allowed.find(word => word === this.#value())
    return found ?? this.fail(`${this.#name} must be ${allowed.join(' or ')}`)
  }

  #value(): unknown {
    return isScalar(this.#node) ? this.#node.value : undefined
  }
}
