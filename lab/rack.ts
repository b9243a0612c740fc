// The rack file: which machines a lab has, what kind of virtual hardware each is, and the bridge they share.

import { readFile, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parseIpv4 } from '#model/ipv4.ts'
import { reasonOf } from '#model/reason.ts'
import { YamlReader, type Path } from '#rack/site/document.ts'
import { FileProblems } from '#rack/site/problems.ts'
import type { Site } from '#rack/site/site.ts'

/** What labs and their machines are called: their namespaces, folders and control groups carry the name. */
export const LAB_NAME = /^[a-z0-9][a-z0-9-]{0,19}$/
/** What `LAB_NAME` allows, for messages. */
export const LAB_NAME_WORDS = 'lower case letters, digits and dashes, at most 20'

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
  /** A `qemu` machine with a TPM 2.0, which keeps its keys as long as the lab is up. */
  readonly tpm?: true
  /** What the clock of a `qemu` machine says when it gets power, for example `2040-01-01T00:00:00`; absent: the host's time. */
  readonly clock?: string
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

/**
 * Reads and checks a rack file, and looks for the files that it names.
 *
 * @throws {FileProblems} with every mistake found, or when the file cannot be read
 */
export async function readRack(file: string): Promise<Rack> {
  const reader = new YamlReader(file, await readText(file))
  const rack = rackOf(reader, file)
  reader.finish()
  await expectThere(reader, 'site', rack.site, 'file')
  await expectThere(reader, 'data', rack.data, 'directory')
  await expectThere(reader, 'objects', rack.objects, 'file')
  reader.finish()
  return rack
}

/**
 * Reads the text of a rack file; relative paths in it count from the folder of `file`.
 *
 * @throws {FileProblems} with every mistake found
 */
export function parseRack(text: string, file: string): Rack {
  const reader = new YamlReader(file, text)
  const rack = rackOf(reader, file)
  reader.finish()
  return rack
}

/**
 * Compares a rack file with the site of its rack: the same machines, and the server where the site's gateway is.
 *
 * @throws {FileProblems} with each difference, at its place in the rack file
 */
export async function expectSite(file: string, site: Site): Promise<void> {
  compareWithSite(await readText(file), file, site)
}

/** What `expectSite` does, on the rack file's text. */
export function compareWithSite(text: string, file: string, site: Site): void {
  const reader = new YamlReader(file, text)
  const rack = rackOf(reader, file)
  reader.finish()
  const [, prefix] = site.network.subnet.split('/')
  const bridge = `${site.network.gateway}/${prefix}`
  if (`${rack.bridge.address}/${rack.bridge.prefix}` !== bridge) {
    const what = `the site's gateway is ${bridge}, and in a lab the server is the gateway`
    reader.complain('PL-1004', ['bridge', 'address'], what, `write ${bridge}, or change the site's network`)
  }
  for (const [at, machine] of rack.machines.entries()) {
    const wanted = site.machines.find(({ name }) => name === machine.name)
    if (wanted === undefined) {
      const remedy = `the site has: ${site.machines.map(({ name }) => name).join(' ')}`
      reader.complain('PL-1004', ['machines', at, 'name'], `the site has no machine ${machine.name}`, remedy)
      continue
    }
    if (wanted.macs.length > 0 && !wanted.macs.includes(machine.mac)) {
      const what = `the site knows ${machine.name} as ${wanted.macs.join(' ')}`
      reader.complain('PL-1004', ['machines', at, 'mac'], what, 'write the same MAC in both files')
    }
    if (wanted.uuid !== undefined && wanted.uuid.toLowerCase() !== machine.uuid) {
      const what = `the site knows ${machine.name} as ${wanted.uuid}`
      reader.complain('PL-1004', ['machines', at, 'uuid'], what, 'write the same UUID in both files')
    }
  }
  for (const { name } of site.machines) {
    if (rack.machines.some(machine => machine.name === name)) continue
    const remedy = 'add it to the rack, or take it out of the site'
    reader.complain('PL-1003', ['machines'], `the site's machine ${name} is missing`, remedy)
  }
  reader.finish()
}

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const BRIDGE = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const what = `cannot be read: ${reasonOf(error)}`
    const remedy = 'give the path of a rack file; lab/racks/small/rack.yaml is one to start from'
    throw new FileProblems([{ code: 'PL-1008', file, line: 1, column: 1, what, remedy }])
  })
}

async function expectThere(
  reader: YamlReader,
  key: 'site' | 'data' | 'objects',
  path: string | undefined,
  kind: 'file' | 'directory',
): Promise<void> {
  if (path === undefined) return
  const seen = await stat(path).catch(() => undefined)
  if (kind === 'file' ? seen?.isFile() : seen?.isDirectory()) return
  const remedy = 'give a path that counts from the folder of the rack file'
  reader.complain('PL-1008', [key], `there is no ${kind} ${path}`, remedy)
}

/** The rack as far as it can be read; the reader has what is wrong with it. */
function rackOf(reader: YamlReader, file: string): Rack {
  reader.expectKeys([], ['name', 'bridge', 'site', 'data', 'objects', 'machines'])
  const below = (key: 'site' | 'data' | 'objects'): string | undefined => {
    const path = reader.text([key])
    return path === undefined ? undefined : resolve(dirname(file), path)
  }
  const name = patternText(reader, ['name'], LAB_NAME, LAB_NAME_WORDS)
  const bridge = readBridge(reader)
  const site = below('site')
  const data = below('data')
  const objects = below('objects')
  const count = reader.length(['machines'], 'list the machines:  machines: [{ name: …, mac: … }]')
  const machines = Array.from({ length: count }, (_, at) => readMachine(reader, ['machines', at]))
  expectUnique(reader, machines)
  return {
    name,
    bridge,
    ...(site !== undefined && { site }),
    ...(data !== undefined && { data }),
    ...(objects !== undefined && { objects }),
    machines,
  }
}

function readBridge(reader: YamlReader): Rack['bridge'] {
  const wanted = 'an IPv4 address with its prefix, like 10.20.0.1/24'
  if (reader.has(['bridge'])) reader.expectKeys(['bridge'], ['address'])
  const place = ['bridge', 'address']
  const text = patternText(reader, place, BRIDGE, wanted)
  const [, address = '', prefix = ''] = BRIDGE.exec(text) ?? []
  if (parseIpv4(address) === undefined || Number(prefix) > 30) {
    const what = `${text} is not the address of a network with room for machines`
    reader.complain('PL-1004', place, what, `write ${wanted}`)
  }
  return { address, prefix: Number(prefix) }
}

const CLOCK = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$/
const CLOCK_WORDS = 'a time in UTC, like 2040-01-01T00:00:00'

function readMachine(reader: YamlReader, path: Path): RackMachine {
  const keys = [
    'name',
    'mac',
    'uuid',
    'driver',
    'firmware',
    'memoryMiB',
    'cpus',
    'diskGiB',
    'tpm',
    'clock',
    'accelerator',
  ]
  reader.expectKeys(path, keys)
  const at = (key: string): Path => [...path, key]
  const driver = oneOf(reader, at('driver'), ['qemu', 'container'])
  if (driver === undefined && !reader.has(at('driver')))
    reader.complain('PL-1003', at('driver'), 'missing', 'write driver: qemu or driver: container')
  for (const key of ['firmware', 'diskGiB', 'tpm', 'clock']) {
    if (driver !== 'container' || !reader.has(at(key))) continue
    reader.complain('PL-1004', at(key), `a container machine has no ${key}`, 'leave it out')
  }
  const memoryMiB = countAt(reader, at('memoryMiB'), 256)
  const cpus = countAt(reader, at('cpus'), 1)
  const diskGiB = countAt(reader, at('diskGiB'), 1)
  return {
    name: patternText(reader, at('name'), LAB_NAME, LAB_NAME_WORDS),
    mac: patternText(reader, at('mac'), MAC, 'a MAC address like 52:54:00:20:00:01').toLowerCase(),
    uuid: patternText(reader, at('uuid'), UUID, 'a UUID').toLowerCase(),
    driver: driver ?? 'container',
    firmware: oneOf(reader, at('firmware'), ['bios', 'uefi']) ?? 'bios',
    ...(memoryMiB !== undefined && { memoryMiB }),
    ...(cpus !== undefined && { cpus }),
    ...(diskGiB !== undefined && { diskGiB }),
    ...(oneOf(reader, at('tpm'), ['true', 'false']) === 'true' && { tpm: true }),
    ...(reader.has(at('clock')) && { clock: patternText(reader, at('clock'), CLOCK, CLOCK_WORDS) }),
    accelerator: oneOf(reader, at('accelerator'), ['tcg', 'kvm']) ?? 'tcg',
  }
}

function expectUnique(reader: YamlReader, machines: readonly RackMachine[]): void {
  for (const key of ['name', 'mac', 'uuid'] as const) {
    const seen = new Set<string>()
    for (const [at, machine] of machines.entries()) {
      const value = machine[key]
      if (value === '') continue // it is complained of already
      if (seen.has(value)) {
        const what = `another machine has the ${key} ${value}`
        reader.complain('PL-1007', ['machines', at, key], what, 'give each machine its own')
      }
      seen.add(value)
    }
  }
}

/** The text at the path when it has the form, and '' with a complaint otherwise. */
function patternText(reader: YamlReader, path: Path, pattern: RegExp, wanted: string): string {
  const text = reader.requiredText(path, `write ${wanted}`)
  if (text === undefined || pattern.test(text)) return text ?? ''
  reader.complain('PL-1004', path, `"${text}" must be ${wanted}`, `write ${wanted}`)
  return ''
}

/** The whole number at the path; undefined when none is there, or with a complaint when it is none. */
function countAt(reader: YamlReader, path: Path, least: number): number | undefined {
  const text = reader.text(path)
  if (text === undefined || (/^\d{1,9}$/.test(text) && Number(text) >= least))
    return text === undefined ? undefined : Number(text)
  reader.complain('PL-1004', path, `"${text}" must be a whole number, at least ${least}`, 'write one')
  return undefined
}

/** The word at the path; undefined when none is there, or with a complaint when it is another. */
function oneOf<T extends string>(reader: YamlReader, path: Path, allowed: readonly T[]): T | undefined {
  const text = reader.text(path)
  const found = allowed.find(word => word === text)
  if (text !== undefined && found === undefined)
    reader.complain('PL-1004', path, `"${text}" must be ${allowed.join(' or ')}`, 'write one of them')
  return found
}
