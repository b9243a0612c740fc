// The `machines` of a site file: who they are, that no two are the same, and the address of each.

import { formatIpv4, parseIpv4, type Ipv4Network } from '#model/ipv4.ts'
import type { Machine } from '#model/machine.ts'
import { MACHINE_ROLES, type MachineRole } from '#model/role.ts'
import { nearest } from '#model/nearest.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import type { Labels } from '#model/selector.ts'
import type { Path, YamlReader } from './document.ts'
import { readScalars } from './read-fields.ts'
import { readHost } from './read-network.ts'
import { MACHINE_SCALARS, SITE_KEYS } from './site-keys.ts'

/** The first host number that a machine without an `address` is given: 10.20.0.11 in 10.20.0.0/24. */
const FIRST_MACHINE_HOST = 11

/** A machine as the file declares it: it may have no address yet. */
type Draft = Omit<Machine, 'macs' | 'address' | 'trust'> & {
  readonly path: Path
  readonly mac?: string
  readonly address?: string
}

/** Reads `machines` and gives an address to each that has none. */
export function readMachines(
  reader: YamlReader,
  subnet: Ipv4Network | undefined,
  network: ProvisioningNetwork,
): Machine[] {
  const count = reader.length(
    ['machines'],
    'list them:  machines: [ { name: ctl-1, mac: …, role: controller } ]',
  )
  const drafts = Array.from({ length: count }, (_, index) => readMachine(reader, ['machines', index], subnet))
  expectUnique(reader, drafts, 'name')
  expectUnique(reader, drafts, 'mac')
  expectUnique(reader, drafts, 'uuid')
  expectUnique(reader, drafts, 'address')
  expectUnique(reader, drafts, 'tpm')
  expectOutsidePool(reader, drafts, network)
  const controllers = drafts.filter(({ role }) => role === 'controller')
  if (count > 0 && controllers.length !== 1) {
    const [code, remedy] =
      controllers.length === 0
        ? (['PL-1003', 'give one machine  role: controller'] as const)
        : (['PL-1009', 'keep one controller; several with a shared address are not supported yet'] as const)
    reader.complain(code, ['machines'], `${controllers.length} controllers, exactly 1 is supported`, remedy)
  }
  return withAddresses(reader, drafts, subnet, network)
}

function readMachine(reader: YamlReader, path: Path, subnet: Ipv4Network | undefined): Draft {
  reader.expectKeys(path, Object.keys(SITE_KEYS.machines.keys))
  const name = reader.requiredText([...path, 'name'], 'name the machine, for example  name: cmp-1') ?? ''
  if (name !== '') expectHostName(reader, [...path, 'name'], name)
  const mac = readMac(reader, [...path, 'mac'])
  const uuid = readUuid(reader, [...path, 'uuid'])
  if (!reader.has([...path, 'mac']) && !reader.has([...path, 'uuid'])) {
    const remedy = 'give  mac: 52:54:00:…  or  uuid: …  so that the machine is known when it boots'
    reader.complain('PL-1003', path, 'neither mac nor uuid', remedy)
  }
  const address = readHost(reader, [...path, 'address'], subnet)
  const tpm = readDigest(reader, [...path, 'tpm'], 'the message that the machine is held with')
  const firmware = readDigest(reader, [...path, 'firmware'], 'the event of its last bundle')
  return {
    ...(readScalars(reader, path, MACHINE_SCALARS) as Partial<Machine>), // by its schema
    path,
    name,
    role: readRole(reader, [...path, 'role']),
    labels: readLabels(reader, [...path, 'labels']),
    ...(mac === undefined ? {} : { mac }),
    ...(uuid === undefined ? {} : { uuid }),
    ...(address === undefined ? {} : { address }),
    ...(tpm === undefined ? {} : { tpm }),
    ...(firmware === undefined ? {} : { firmware }),
  }
}

function readMac(reader: YamlReader, path: Path): string | undefined {
  const text = reader.text(path)
  if (text === undefined) return undefined
  const digits = text.replaceAll(/[:.-]/g, '').toLowerCase()
  if (!/^[0-9a-f]{12}$/.test(digits)) {
    reader.complain(
      'PL-1004',
      path,
      `"${text}" is not a MAC address`,
      'write six bytes, for example 52:54:00:20:00:01',
    )
    return undefined
  }
  const mac = digits.match(/../g)?.join(':')
  // The lowest bit of the first byte makes it the address of a group (IEEE 802, 8.2.2).
  if (digits === '000000000000' || Number.parseInt(digits.slice(0, 2), 16) % 2 === 1) {
    const what = `${mac} is not the address of one card${digits === '000000000000' ? '' : ', but of a group of them'}`
    reader.complain('PL-1004', path, what, 'copy the MAC that the firmware or  ip link  shows')
    return undefined
  }
  return mac
}

function readUuid(reader: YamlReader, path: Path): string | undefined {
  const text = reader.text(path)?.toLowerCase()
  if (text === undefined) return undefined
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) {
    const remedy = 'copy it from the firmware or from  dmidecode -s system-uuid'
    reader.complain('PL-1004', path, `"${text}" is not a UUID`, remedy)
    return undefined
  }
  // What SMBIOS shows where none was set (SMBIOS 3.7, 7.2.1): many machines would have it.
  if (/^(?:[0-]+|[f-]+)$/.test(text)) {
    const remedy = 'give  mac: 52:54:00:…  in its place'
    reader.complain('PL-1004', path, `${text} means that the firmware has no UUID`, remedy)
    return undefined
  }
  return text
}

function readDigest(reader: YamlReader, path: Path, where: string): string | undefined {
  const text = reader.text(path)
  if (text === undefined) return undefined
  if (!/^SHA256:[0-9a-f]{64}$/i.test(text)) {
    const remedy = `copy it from ${where}, or leave it out`
    reader.complain('PL-1004', path, `"${text}" is not a digest like SHA256:0123… (64 digits)`, remedy)
    return undefined
  }
  return `SHA256:${text.slice(7).toLowerCase()}`
}

function readRole(reader: YamlReader, path: Path): MachineRole {
  const text = reader.requiredText(path, `give one of: ${MACHINE_ROLES.join(' ')}`)
  const role = MACHINE_ROLES.find(known => known === text)
  if (role === undefined && text !== undefined) {
    const guess = nearest(text, MACHINE_ROLES)
    const remedy = `${guess === undefined ? '' : `did you mean "${guess}"? `}roles: ${MACHINE_ROLES.join(' ')}`
    reader.complain('PL-1005', path, `unknown role "${text}"`, remedy)
  }
  return role ?? 'compute'
}

function readLabels(reader: YamlReader, path: Path): Labels {
  return Object.fromEntries(reader.keys(path).map(key => [key, reader.text([...path, key]) ?? '']))
}

/** Complains about a name that no host can have (RFC 1123 §2.1). */
export function expectHostName(reader: YamlReader, path: Path, name: string): void {
  if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name) && name !== 'localhost') return
  reader.complain(
    'PL-1004',
    path,
    `"${name}" cannot be a host name`,
    'use lower-case letters, digits and dashes, at most 63, neither first nor last a dash',
  )
}

function expectUnique(
  reader: YamlReader,
  drafts: readonly Draft[],
  key: 'name' | 'mac' | 'uuid' | 'address' | 'tpm',
) {
  const seen = new Map<string, Draft>()
  for (const draft of drafts) {
    const value = draft[key]
    if (value === undefined || value === '') continue
    const first = seen.get(value)
    if (first === undefined) seen.set(value, draft)
    else {
      const remedy = `each ${key} belongs to one machine: change it here or on ${first.name || 'the other'}`
      reader.complain(
        'PL-1007',
        [...draft.path, key],
        `${value} is also the ${key} of "${first.name}"`,
        remedy,
      )
    }
  }
}

function expectOutsidePool(
  reader: YamlReader,
  drafts: readonly Draft[],
  { pool, gateway, dns }: ProvisioningNetwork,
) {
  const [first, last] = [parseIpv4(pool.first) ?? 0, parseIpv4(pool.last) ?? 0]
  for (const { path, address } of drafts) {
    const number = address === undefined ? undefined : parseIpv4(address)
    if (number === undefined || address === undefined) continue
    const clash =
      address === gateway
        ? 'the gateway'
        : dns.includes(address)
          ? 'a DNS server of the network'
          : number >= first && number <= last
            ? 'inside the pool'
            : undefined
    if (clash === undefined) continue
    const remedy = `choose one outside ${pool.first}-${pool.last} that is neither ${gateway} nor a DNS server`
    reader.complain('PL-1007', [...path, 'address'], `${address} is ${clash}`, remedy)
  }
}

/** Gives each machine without an address the next free one, so that the same file always gives the same. */
function withAddresses(
  reader: YamlReader,
  drafts: readonly Draft[],
  subnet: Ipv4Network | undefined,
  { pool, gateway, dns }: ProvisioningNetwork,
): Machine[] {
  const taken = new Set([gateway, ...dns, ...drafts.flatMap(({ address }) => address ?? [])])
  const [first, last] = [parseIpv4(pool.first) ?? 0, parseIpv4(pool.last) ?? 0]
  const { first: base = 0, last: end = 255 } = subnet ?? {}
  const usual = base + FIRST_MACHINE_HOST
  let next = usual < end && (usual < first || usual > last) ? usual : base + 1
  const free = (path: Path) => {
    while (taken.has(formatIpv4(next)) || (next >= first && next <= last)) next += 1
    if (next >= end) reader.complain('PL-1004', path, 'no address of the subnet is left for it', ROOMIER)
    const address = formatIpv4(next)
    taken.add(address)
    return address
  }
  return drafts.map(({ path, mac, address, ...declared }) => ({
    ...declared,
    macs: mac === undefined ? [] : [mac],
    address: address ?? free(path),
  }))
}

const ROOMIER = 'make the subnet larger or the pool smaller, or give the machine an address'
