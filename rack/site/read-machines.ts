// The `machines` of a site file: who they are, that no two are the same, and the address of each.

import { cleanLabel, LIMITS } from '#model/clean.ts'
import { USUAL_DISK, type MachineDisk } from '#model/disk.ts'
import { isHostLabel } from '#model/host-name.ts'
import { formatIpv4, parseIpv4, parseSubnet, type Ipv4Network } from '#model/ipv4.ts'
import { isGroupMac, normaliseMac } from '#model/mac.ts'
import type { Machine } from '#model/machine.ts'
import { MACHINE_ROLES, type MachineRole } from '#model/role.ts'
import { nearest } from '#model/nearest.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import type { Labels } from '#model/selector.ts'
import { canonicalUuid, isUuid, plainUuid } from '#model/uuid.ts'
import type { Path, YamlReader } from './document.ts'
import { expectOwnDisks, readBuild, type MachineBuild } from './read-disk.ts'
import { readScalars } from './read-fields.ts'
import { readHost } from './read-network.ts'
import { MACHINE_SCALARS, SITE_KEYS } from './site-keys.ts'

/** Characters of an Ethernet address with its colons. */
const ETHERNET = 17
/** What a card shows whose address was never set. */
const NO_MAC = '00:00:00:00:00:00'

/** The first host number that a machine without an `address` is given: 10.20.0.11 in 10.20.0.0/24. */
const FIRST_MACHINE_HOST = 11

/** A machine as the file declares it: it may have no address yet. */
type Draft = Omit<Machine, 'macs' | 'address' | 'trust' | 'hardware' | 'disk'> & {
  readonly path: Path
  readonly hardware: string & Machine['hardware']
  readonly disk: MachineDisk
  readonly mac?: string
  readonly address?: string
}

/**
 * Reads `machines` and gives an address to each that has none, but none of `avoid`; a disk to each that names none, by
 * the file's `disk`, and what it is built of likewise.
 */
export function readMachines(
  reader: YamlReader,
  subnet: Ipv4Network | undefined,
  network: ProvisioningNetwork,
  avoid: readonly string[],
): Machine[] {
  const usual = readBuild(reader, [])
  const count = reader.length(
    ['machines'],
    'list them:  machines: [ { name: ctl-1, mac: …, role: controller } ]',
  )
  const drafts = Array.from({ length: count }, (_, index) =>
    readMachine(reader, ['machines', index], subnet, usual),
  )
  expectUnique(reader, drafts, 'name')
  expectUnique(reader, drafts, 'mac')
  expectUnique(reader, drafts, 'uuid')
  expectUnique(reader, drafts, 'address')
  expectUnique(reader, drafts, 'tpm')
  expectOutsidePool(reader, drafts, network)
  expectOwnDisks(
    reader,
    drafts.map(({ name, path, hardware, disk }) => {
      const isOwn = reader.has([...path, 'disk'])
      return { name, hardware, disk, path: isOwn ? [...path, 'disk'] : ['disk'] }
    }),
  )
  const controllers = drafts.filter(({ role }) => role === 'controller')
  if (reader.isList(['machines']) && controllers.length !== 1) {
    const [code, remedy] =
      controllers.length === 0
        ? (['PL-1003', 'give one machine  role: controller'] as const)
        : (['PL-1009', 'keep one controller; several with a shared address are not supported yet'] as const)
    reader.complain(
      code,
      ['machines'],
      `${controllers.length} controllers, and a site has exactly one`,
      remedy,
    )
  }
  return withAddresses(reader, drafts, subnet, network, avoid)
}

function readMachine(
  reader: YamlReader,
  path: Path,
  subnet: Ipv4Network | undefined,
  usual: MachineBuild,
): Draft {
  reader.expectKeys(path, Object.keys(SITE_KEYS.machines.keys), AS_LABELS)
  const given = reader.requiredText([...path, 'name'], 'name the machine, for example  name: cmp-1')
  if (given !== undefined) expectHostName(reader, [...path, 'name'], given)
  const name = given ?? ''
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
    hardware: 'server',
    disk: USUAL_DISK,
    ...usual,
    ...readBuild(reader, path),
  }
}

function readMac(reader: YamlReader, path: Path): string | undefined {
  const text = reader.text(path)
  if (text === undefined) return undefined
  const mac = /^[0-9a-f]{2}(?:\.[0-9a-f]{2}){5}$/i.test(text)
    ? normaliseMac(text.replaceAll('.', ':'))
    : normaliseMac(text)
  if (mac?.length !== ETHERNET) {
    reader.complain(
      'PL-1004',
      path,
      `"${text}" is not a MAC address`,
      'write six bytes, for example 52:54:00:20:00:01',
    )
    return undefined
  }
  const group = isGroupMac(mac)
  if (group || mac === NO_MAC) {
    const what = `${mac} is not the address of one card${group ? ', but of a group of them' : ''}`
    reader.complain('PL-1004', path, what, 'copy the MAC that the firmware or  ip link  shows')
    return undefined
  }
  return mac
}

function readUuid(reader: YamlReader, path: Path): string | undefined {
  const given = reader.text(path)
  if (given === undefined) return undefined
  const text = plainUuid(given)
  if (!isUuid(text)) {
    const remedy = 'copy it from the firmware or from  dmidecode -s system-uuid'
    reader.complain('PL-1004', path, `"${text}" is not a UUID`, remedy)
    return undefined
  }
  const remedy = 'give  mac: 52:54:00:…  in its place'
  // What SMBIOS shows where none was set (SMBIOS 3.7, 7.2.1): many machines would have it.
  if (/^(?:[0-]+|[f-]+)$/.test(text)) {
    reader.complain('PL-1004', path, `${text} means that the firmware has no UUID`, remedy)
    return undefined
  }
  if (COMMON_UUIDS.has(canonicalUuid(text))) {
    reader.complain('PL-1004', path, `${text} is the UUID of many boards that were never given one`, remedy)
    return undefined
  }
  return text
}

/** What boards show whose maker left the example of the firmware's own maker in place. */
const COMMON_UUIDS: ReadonlySet<string> = new Set(
  ['03000200-0400-0500-0006-000700080009', '12345678-1234-5678-90ab-cddeefaabbcc'].map(canonicalUuid),
)

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
  if (!reader.has(path)) return {}
  if (!reader.isMap(path)) {
    reader.complain('PL-1004', path, 'must be a mapping', 'write it as  { rack: a }')
    return {}
  }
  const labels = new Map<string, string>()
  for (const key of reader.keys(path)) {
    const at = [...path, key]
    if (key === '<<') {
      reader.refuseMergeKey(at, 'labels')
      continue
    }
    const text = reader.text(at)
    if (text === undefined && !reader.has(at))
      reader.complain('PL-1003', at, 'missing', 'write one value there')
    expectLabel(reader, at, key, text ?? '')
    if (labels.has(key)) {
      reader.complain('PL-1007', at, 'written twice, with and without quotes', 'keep one of them')
    }
    labels.set(key, text ?? '')
  }
  return Object.fromEntries(labels)
}

/** Complains about a label that templates, logs and conditions cannot all use, or that means something else. */
function expectLabel(reader: YamlReader, path: Path, key: string, text: string): void {
  const known = OWN_FIELDS.find(name => name === key.toLowerCase())
  const [prefix = ''] = /^[^/]*(?=\/)/.exec(key) ?? []
  if (known !== undefined) {
    const what = `"${key}" is not a label but a key of the machine itself`
    const remedy = `write  ${known}: …  beside  labels , or call the label something else`
    reader.complain('PL-1004', path, what, remedy)
  } else if (/(?:^|\.)(?:kubernetes|k8s)\.io$/i.test(prefix)) {
    const what = `"${key}" is a label of Kubernetes' own, and labels of a site file are not those of a node`
    const remedy = 'leave it out: nodes are labelled by their role; others are set with  kubectl label node'
    reader.complain('PL-1004', path, what, remedy)
  } else if (!LABEL_KEY.test(key)) {
    const remedy =
      'use letters, digits, dots, dashes and underscores, at most 63, a letter or digit first and last'
    reader.complain('PL-1004', path, `"${cleanLabel(key)}" cannot be the name of a label`, remedy)
  }
  if (/[\n\r]/.test(text) || Buffer.byteLength(text) > LIMITS.labelBytes) {
    const what = `a label is one line of at most ${LIMITS.labelBytes} bytes`
    reader.complain('PL-1004', path, what, 'shorten it, or write it as  notes')
  }
}

/** Keys that a machine has as labels. */
const AS_LABELS = { rack: 'labels: { rack: … }', serial: 'labels: { serial: … }' }
/** What a machine has beside its labels. */
const OWN_FIELDS = [...Object.keys(SITE_KEYS.machines.keys), 'macs', 'trust']
/** As Kubernetes has them: a name, and a domain before it (k8s.io/apimachinery, IsQualifiedName). */
const LABEL_KEY =
  /^(?:(?=.{1,253}\/)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\/)?[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/i

/** Complains about a name that no host can have (RFC 1123 §2.1). */
export function expectHostName(reader: YamlReader, path: Path, name: string): void {
  if (isHostLabel(name)) return
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
    // Firmware shows the bytes of a UUID in either order, so the server takes both for one machine.
    const same = key === 'uuid' ? canonicalUuid(value) : value
    const first = seen.get(same)
    if (first === undefined) seen.set(same, draft)
    else {
      const other = key === 'name' ? 'the other' : first.name || 'the other'
      const remedy = `each ${key} belongs to one machine: change it here or on ${other}`
      reader.complain(
        'PL-1007',
        [...draft.path, key],
        key === 'name'
          ? `two machines are called ${value}`
          : `${value} is also the ${key} of "${first.name}"`,
        remedy,
      )
    }
  }
}

function expectOutsidePool(reader: YamlReader, drafts: readonly Draft[], network: ProvisioningNetwork) {
  const { dhcp, pool, gateway, dns, ntp = [] } = network
  const [first, last] = [parseIpv4(pool.first) ?? 0, parseIpv4(pool.last) ?? 0]
  for (const { path, address } of drafts) {
    const number = address === undefined ? undefined : parseIpv4(address)
    if (number === undefined || address === undefined) continue
    const clash =
      address === gateway
        ? 'the gateway'
        : dns.includes(address)
          ? 'a DNS server of the network'
          : ntp.includes(address)
            ? 'a time server of the network'
            : dhcp === 'full' && number >= first && number <= last
              ? 'inside the pool'
              : undefined
    if (clash === undefined) continue
    const remedy = isRoomIn(network)
      ? `choose one outside ${pool.first}-${pool.last} that is neither ${gateway} nor a DNS or time server`
      : ROOMIER
    reader.complain('PL-1007', [...path, 'address'], `${address} is ${clash}`, remedy)
  }
}

/** Says whether a machine can have an address beside the gateway, the DNS servers and the pool. */
function isRoomIn(network: ProvisioningNetwork): boolean {
  const taken = new Set([network.gateway, ...network.dns, ...(network.ntp ?? [])])
  const subnet = parseSubnet(network.subnet)
  if (subnet === undefined) return false
  for (const number of addressesFor(subnet, network)) if (!taken.has(formatIpv4(number))) return true
  return false
}

/** Gives each machine without an address the next free one, so that the same file always gives the same. */
function withAddresses(
  reader: YamlReader,
  drafts: readonly Draft[],
  subnet: Ipv4Network | undefined,
  network: ProvisioningNetwork,
  avoid: readonly string[],
): Machine[] {
  const { gateway, dns, ntp = [] } = network
  const taken = new Set([
    gateway,
    ...dns,
    ...ntp,
    ...avoid,
    ...drafts.flatMap(({ address }) => address ?? []),
  ])
  const candidates = addressesFor(subnet ?? { first: 0, last: 255, bits: 24 }, network)
  const without = drafts.filter(({ address }) => address === undefined).length
  let isFull = false
  const free = (path: Path) => {
    for (let next = candidates.next(); !next.done; next = candidates.next()) {
      const address = formatIpv4(next.value)
      if (!taken.has(address)) return address
    }
    const more = without === 1 ? '' : `, of ${without} machines whose address the file leaves out`
    if (!isFull) reader.complain('PL-1004', path, `no address of the subnet is left for it${more}`, ROOMIER)
    isFull = true
    return gateway
  }
  return drafts.map(({ path, mac, address, ...declared }) => ({
    ...declared,
    macs: mac === undefined ? [] : [mac],
    address: address ?? free(path),
  }))
}

/**
 * The addresses that a machine may be given, in the order in which they are: from host 11 on, then those before it. Those of the
 * pool last, and only where Pilotlight gives none of them.
 */
function* addressesFor(
  subnet: Ipv4Network,
  { dhcp, pool }: ProvisioningNetwork,
): Generator<number, undefined> {
  const [first, last] = [parseIpv4(pool.first) ?? 0, parseIpv4(pool.last) ?? 0]
  const isPooled = (number: number) => number >= first && number <= last
  const usual = Math.min(subnet.first + FIRST_MACHINE_HOST, subnet.last)
  const start = isPooled(usual) ? subnet.first + 1 : usual
  for (let at = start; at < subnet.last; at += 1) if (!isPooled(at)) yield at
  for (let at = subnet.first + 1; at < start; at += 1) if (!isPooled(at)) yield at
  if (dhcp !== 'full') for (let at = Math.max(first, subnet.first + 1); at <= last; at += 1) yield at
  return undefined
}

const ROOMIER = 'make the subnet larger, or the pool smaller'
