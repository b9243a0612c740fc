// The rack file: which machines a lab has, what kind of virtual hardware each is, and the bridge they share.

import { readFile, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parseIpv4 } from '#model/ipv4.ts'
import { reasonOf } from '#model/reason.ts'
import { YamlReader, type Path } from '#rack/site/document.ts'
import { FileProblems } from '#rack/site/problems.ts'
import { countAt, oneOf, patternText } from '#rack/site/read-fields.ts'
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
  /** The network cards of a `qemu` machine, plugged into the rack; absent: one, `virtio`. */
  readonly network?: readonly NetworkCard[]
  /** The disks of a `qemu` machine, empty when they are new; `diskGiB: N` of a rack file is one of the type `virtio`. */
  readonly disks?: readonly Disk[]
  /** Size of a container machine's disk: a file that holds its state partition, and nothing else. */
  readonly diskGiB?: number
  /** What the firmware tries first; then the others, in this order. Absent: `disk` where it has one. */
  readonly boot?: 'disk' | 'network' | 'medium'
  /** What is in its drive, an absolute path, or `ipxe`: iPXE with its own drivers, for cards without a boot ROM. */
  readonly medium?: string
  /** The firmware of a `uefi` machine checks signatures, by the keys in `variables`; without keys it takes everything. */
  readonly secureBoot?: true
  /** Where a `uefi` machine's firmware variables begin, an absolute path of a file that is copied; absent: empty ones. */
  readonly variables?: string
  /** The serial number that a `qemu` machine shows (SMBIOS). */
  readonly serial?: string
  /** A `qemu` machine with a TPM 2.0, which keeps its keys as long as the lab is up. */
  readonly tpm?: true
  /** What the clock of a `qemu` machine says when it gets power, for example `2040-01-01T00:00:00`; absent: the host's time. */
  readonly clock?: string
  /** What runs a `qemu` machine: emulation (`tcg`), or the host's processor when asked for (`kvm`). */
  readonly accelerator: 'tcg' | 'kvm'
}

/** Kinds of network cards, by the name that rack files use. */
export const CARDS = ['virtio', 'e1000e', 'vmxnet3', 'igb', 'e1000', 'rtl8139'] as const
/** Kinds of disks: how each is connected. */
export const DISKS = ['virtio', 'nvme', 'ahci', 'megasas', 'usb'] as const

/** A network card. The first of a machine has the machine's MAC. */
export type NetworkCard = { readonly card: (typeof CARDS)[number]; readonly mac: string }

/** A disk. `usb` is a removable one. */
export type Disk = {
  readonly type: (typeof DISKS)[number]
  readonly gib: number
  /** Its serial number, as the machine reads it. */
  readonly serial: string
  /**
   * What a power cut leaves of it. `kept`: all that was written, flushed or not, as by a cache with a battery. `volatile`:
   * what was flushed, as by a disk with its own cache; slower.
   */
  readonly cache: 'kept' | 'volatile'
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
  await expectThere(reader, ['site'], rack.site, 'file')
  await expectThere(reader, ['data'], rack.data, 'directory')
  await expectThere(reader, ['objects'], rack.objects, 'file')
  for (const [at, { medium, variables }] of rack.machines.entries()) {
    if (medium !== 'ipxe') await expectThere(reader, ['machines', at, 'medium'], medium, 'file')
    await expectThere(reader, ['machines', at, 'variables'], variables, 'file')
  }
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
  at: Path,
  path: string | undefined,
  kind: 'file' | 'directory',
): Promise<void> {
  if (path === undefined) return
  const seen = await stat(path).catch(() => undefined)
  if (kind === 'file' ? seen?.isFile() : seen?.isDirectory()) return
  const remedy = 'give a path that counts from the folder of the rack file'
  reader.complain('PL-1008', at, `there is no ${kind} ${path}`, remedy)
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

const SERIAL = /^[A-Za-z0-9-]{1,20}$/
const SERIAL_WORDS = 'a serial number: letters, digits and dashes, at most 20'

/** Keys of one kind of machine alone. */
const QEMU_KEYS = ['firmware', 'network', 'disks', 'medium', 'secureBoot', 'variables', 'serial', 'tpm']
const ALL_KEYS = [
  'name',
  'boot',
  'mac',
  'uuid',
  'driver',
  'memoryMiB',
  'cpus',
  'diskGiB',
  'clock',
  'accelerator',
]

function readMachine(reader: YamlReader, path: Path): RackMachine {
  reader.expectKeys(path, [...ALL_KEYS, ...QEMU_KEYS])
  const at = (key: string): Path => [...path, key]
  const driver = oneOf(reader, at('driver'), ['qemu', 'container'])
  if (driver === undefined && !reader.has(at('driver')))
    reader.complain('PL-1003', at('driver'), 'missing', 'write driver: qemu or driver: container')
  for (const key of [...QEMU_KEYS, 'clock']) {
    if (driver !== 'container' || !reader.has(at(key))) continue
    reader.complain('PL-1004', at(key), `a container machine has no ${key}`, 'leave it out')
  }
  const memoryMiB = countAt(reader, at('memoryMiB'), 256)
  const cpus = countAt(reader, at('cpus'), 1)
  const mac = patternText(reader, at('mac'), MAC, 'a MAC address like 52:54:00:20:00:01').toLowerCase()
  const uuid = patternText(reader, at('uuid'), UUID, 'a UUID').toLowerCase()
  const diskGiB = countAt(reader, at('diskGiB'), 1)
  const disks = readDisks(reader, at, uuid, diskGiB)
  const network = readCards(reader, at('network'), mac)
  return {
    name: patternText(reader, at('name'), LAB_NAME, LAB_NAME_WORDS),
    mac,
    uuid,
    driver: driver ?? 'container',
    ...(memoryMiB !== undefined && { memoryMiB }),
    ...(cpus !== undefined && { cpus }),
    ...(driver === 'container' ? diskGiB !== undefined && { diskGiB } : disks.length > 0 && { disks }),
    ...(network.length > 0 && { network }),
    ...readFirmware(reader, at),
    ...(oneOf(reader, at('tpm'), ['true', 'false']) === 'true' && { tpm: true }),
    ...(reader.has(at('clock')) && { clock: patternText(reader, at('clock'), CLOCK, CLOCK_WORDS) }),
    ...(reader.has(at('serial')) && { serial: patternText(reader, at('serial'), SERIAL, SERIAL_WORDS) }),
    accelerator: oneOf(reader, at('accelerator'), ['tcg', 'kvm']) ?? 'tcg',
  }
}

/** What a machine boots by, and from. */
function readFirmware(
  reader: YamlReader,
  at: (key: string) => Path,
): Pick<RackMachine, 'firmware' | 'boot' | 'medium' | 'secureBoot' | 'variables'> {
  const below = (text: string) => resolve(dirname(reader.file), text)
  const firmware = oneOf(reader, at('firmware'), ['bios', 'uefi']) ?? 'bios'
  const boot = oneOf(reader, at('boot'), ['disk', 'network', 'medium'])
  const medium = reader.text(at('medium'))
  const secureBoot = oneOf(reader, at('secureBoot'), ['true', 'false']) === 'true'
  const variables = reader.text(at('variables'))
  for (const key of ['secureBoot', 'variables'])
    if (firmware === 'bios' && reader.has(at(key)))
      reader.complain('PL-1004', at(key), 'only for a machine with firmware: uefi', 'leave it out')
  return {
    firmware,
    ...(boot && { boot }),
    ...(medium !== undefined && { medium: medium === 'ipxe' ? medium : below(medium) }),
    ...(secureBoot && { secureBoot }),
    ...(variables !== undefined && { variables: below(variables) }),
  }
}

/** The cards: one word, a list of words, or of `{ card, mac }`; the MAC of all but the first must be written. */
function readCards(reader: YamlReader, path: Path, machineMac: string): NetworkCard[] {
  if (!reader.has(path)) return []
  if (!reader.isList(path)) {
    const card = oneOf(reader, path, CARDS)
    return card === undefined ? [] : [{ card, mac: machineMac }]
  }
  const count = reader.length(path, 'list the cards:  network: [virtio]')
  return Array.from({ length: count }, (_, index): NetworkCard => {
    const place = [...path, index]
    const isMap = reader.isMap(place)
    if (isMap) reader.expectKeys(place, ['card', 'mac'])
    const card = oneOf(reader, isMap ? [...place, 'card'] : place, CARDS) ?? 'virtio'
    const own = isMap && reader.has([...place, 'mac'])
    if (index === 0 && own)
      reader.complain('PL-1004', place, "the first card has the machine's mac", 'leave it out there')
    if (index === 0) return { card, mac: machineMac }
    const wanted = 'a MAC address like 52:54:00:20:01:01'
    if (!own) reader.complain('PL-1003', place, 'its MAC is missing', `write { card: ${card}, mac: … }`)
    return { card, mac: own ? patternText(reader, [...place, 'mac'], MAC, wanted).toLowerCase() : '' }
  })
}

/** The disks; a serial number that is not written is made of the machine's UUID, so that no two are the same. */
function readDisks(
  reader: YamlReader,
  at: (key: string) => Path,
  uuid: string,
  diskGiB: number | undefined,
): Disk[] {
  const path = at('disks')
  const serialOf = (index: number) => `PL${uuid.slice(-12).toUpperCase()}-${index + 1}`
  if (diskGiB !== undefined && reader.has(path))
    reader.complain('PL-1004', at('diskGiB'), 'the machine has disks, too', 'keep one of the two')
  if (diskGiB !== undefined) return [{ type: 'virtio', gib: diskGiB, serial: serialOf(0), cache: 'kept' }]
  if (!reader.has(path)) return []
  const count = reader.length(path, 'list the disks:  disks: [{ type: nvme, gib: 16 }]')
  return Array.from({ length: count }, (_, index): Disk => {
    const place = [...path, index]
    const below = (key: string): Path => [...place, key]
    reader.expectKeys(place, ['type', 'gib', 'serial', 'cache'])
    const gib = countAt(reader, below('gib'), 1)
    if (gib === undefined && !reader.has(below('gib')))
      reader.complain('PL-1003', below('gib'), 'missing', 'write its size in GiB:  gib: 16')
    const serial = reader.has(below('serial'))
      ? patternText(reader, below('serial'), SERIAL, SERIAL_WORDS)
      : serialOf(index)
    return {
      type: oneOf(reader, below('type'), DISKS) ?? 'virtio',
      gib: gib ?? 1,
      serial,
      cache: oneOf(reader, below('cache'), ['kept', 'volatile']) ?? 'kept',
    }
  })
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
  for (const [at, { network = [], disks = [] }] of machines.entries()) {
    const others = machines.flatMap(it => (it.network ?? [{ mac: it.mac }]).map(({ mac }) => mac))
    for (const [index, { mac }] of network.entries())
      if (index > 0 && mac !== '' && others.filter(other => other === mac).length > 1)
        reader.complain(
          'PL-1007',
          ['machines', at, 'network', index],
          `another card has the MAC ${mac}`,
          'give it its own',
        )
    for (const [index, { serial }] of disks.entries())
      if (disks.findIndex(disk => disk.serial === serial) < index)
        reader.complain(
          'PL-1007',
          ['machines', at, 'disks', index],
          `another disk has the serial ${serial}`,
          'give it its own',
        )
  }
}
