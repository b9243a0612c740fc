// The `openstack` of a site file: which plan, what it changes of it, and the network that floating IPs are of.

import { dirname, resolve } from 'node:path'
import type { Ipv4Network } from '#model/ipv4.ts'
import { nearest } from '#model/nearest.ts'
import { isRecord } from '#model/record.ts'
import type { Path, YamlReader } from './document.ts'
import { readCidr } from './read-network.ts'
import {
  CHART_PLANS,
  OPTIONAL_SERVICES,
  type ChartOrigin,
  type ExternalNetwork,
  type OpenstackSettings,
  type OptionalService,
} from './site.ts'
import { SITE_KEYS, SMALLEST_EXTERNAL } from './site-keys.ts'

const KEYS = SITE_KEYS.openstack.keys

/** Where the external network is written. */
export const externalCidrPath: Path = ['openstack', 'external', 'cidr']
/** What Linux takes, and what scripts and rules can name (dev_valid_name in the kernel). */
const INTERFACE = /^(?!\.{1,2}$)[A-Za-z0-9_.@-]{1,15}$/
/** What the live system, the cluster and the cloud make themselves. */
const OWN_INTERFACE =
  /^(?:lo|cni0|flannel\.1|br-(?:ex|int|tun)|(?:brq|tap|veth|vxlan|qr-|qg-|qvb|qvo).*|kube-.*|docker0)$/
/** How the name of an image begins: a host with a dot or a port, and perhaps a path. */
const REGISTRY = /^(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d{1,5})?|[a-z0-9-]+:\d{1,5})(?:\/[a-z0-9._-]+)*$/
const DEFAULT_EXTERNAL_CIDR = '172.24.4.0/24'

/** Reads `openstack`, and gives the external network as numbers too where that is readable. */
export function readOpenstack(reader: YamlReader): {
  openstack: OpenstackSettings
  external: Ipv4Network | undefined
} {
  if (reader.has(['openstack'])) reader.expectKeys(['openstack'], Object.keys(KEYS))
  const plan = readPlan(reader)
  const charts = readCharts(reader)
  if (plan === 'openstack-helm' && charts === undefined) {
    const remedy = 'add  charts: { source: https://… }  with the address or folder of its charts'
    reader.complain(
      'PL-1003',
      ['openstack', 'plan'],
      'the plan openstack-helm needs openstack.charts',
      remedy,
    )
  }
  const values = readValues(reader)
  const external = readExternal(reader)
  return {
    openstack: {
      plan,
      ...(charts === undefined ? {} : { charts }),
      features: readFeatures(reader, plan),
      registries: readRegistries(reader),
      waves: readWaves(reader),
      values,
      external: external.settings,
    },
    external: external.network,
  }
}

/** Values by release; a release is its values' key, so that `nova:` without any is a mistake. */
function readValues(reader: YamlReader): Readonly<Record<string, unknown>> {
  const place = ['openstack', 'values']
  if (!reader.has(place)) return {}
  const before = reader.problems
  const values = reader.helmValue(place)
  if (reader.problems > before) return {}
  if (!isRecord(values)) {
    reader.complain('PL-1004', place, 'must be a mapping', 'write release names as keys, or leave it out')
    return {}
  }
  for (const [name, one] of Object.entries(values)) {
    if (isRecord(one)) continue
    const remedy = `write the values of release ${name} as keys below it, or leave it out`
    reader.complain('PL-1004', [...place, name], 'must be a mapping', remedy)
  }
  return values
}

function readPlan(reader: YamlReader): OpenstackSettings['plan'] {
  const text = reader.text(['openstack', 'plan']) ?? 'compute-kit'
  const plan = CHART_PLANS.find(known => known === text)
  if (plan === undefined) {
    const remedy = `there are: ${CHART_PLANS.join(' ')}`
    reader.complain('PL-1004', ['openstack', 'plan'], `unknown plan "${text}"`, remedy)
  }
  return plan ?? 'compute-kit'
}

/** Paths are meant as seen from the site file. */
function readCharts(reader: YamlReader): ChartOrigin | undefined {
  const place = ['openstack', 'charts']
  if (!reader.has(place) || !reader.expectKeys(place, Object.keys(KEYS.charts.keys))) return undefined
  const remedy = 'give a folder, the https:// address of an index, or the oci:// address of a registry'
  const given = reader.requiredText([...place, 'source'], remedy)
  const source = given ?? ''
  const [scheme] = /^[a-z][a-z0-9+.-]*:\/\//i.exec(source) ?? []
  if (given === '') {
    reader.complain('PL-1004', [...place, 'source'], 'is empty', remedy)
  } else if (scheme !== undefined && !/^(?:https?|oci):\/\/./.test(source)) {
    reader.complain('PL-1004', [...place, 'source'], `no charts are fetched by ${scheme}`, remedy)
  }
  const fromHere = (path: string) => resolve(dirname(reader.file), path)
  const overrides = reader.text([...place, 'overrides'])
  return {
    source: /^(https?|oci):\/\//.test(source) ? source : fromHere(source),
    lock: fromHere(reader.text([...place, 'lock']) ?? 'charts.lock'),
    ...(overrides === undefined ? {} : { overrides: fromHere(overrides) }),
  }
}

function readFeatures(reader: YamlReader, plan: OpenstackSettings['plan']): string[] {
  const place = ['openstack', 'features']
  if (!reader.has(place)) return []
  if (plan !== 'openstack-helm') {
    const remedy = 'leave it out, or choose  plan: openstack-helm'
    reader.complain('PL-1004', place, `the plan ${plan} has no features: they are openstack-helm's`, remedy)
    return []
  }
  const remedy = 'write it as  [2026.1, ubuntu_noble]'
  const before = reader.problems
  const features = reader.texts(place, remedy)
  for (const [index, feature] of features.entries()) {
    if (/^[\w.-]+$/.test(feature) || reader.problems > before) continue
    reader.complain('PL-1004', [...place, index], `"${feature}" is not a word of a file's name`, remedy)
  }
  return features
}

function readRegistries(reader: YamlReader): string[] {
  const place = ['openstack', 'registries']
  if (!reader.has(place)) return []
  const before = reader.problems
  const registries = reader.texts(place, 'write it as  [registry.example.org]')
  for (const [index, registry] of registries.entries()) {
    if (registry === 'default' || REGISTRY.test(registry) || reader.problems > before) continue
    const remedy =
      'write a host, perhaps with a port and a path, as image names begin; or  default  for images that name none'
    reader.complain('PL-1004', [...place, index], `"${registry}" is not the start of an image's name`, remedy)
  }
  return registries
}

function readWaves(reader: YamlReader): OptionalService[] {
  const place = ['openstack', 'waves']
  if (!reader.has(place)) return []
  const known = `there are: ${OPTIONAL_SERVICES.join(' ')}`
  const count = reader.length(place, 'write it as  [heat]')
  const names = Array.from({ length: count }, (_, at) => reader.text([...place, at]) ?? '')
  for (const [at, name] of names.entries()) {
    if (OPTIONAL_SERVICES.some(service => service === name)) continue
    const guess = nearest(name, OPTIONAL_SERVICES)
    const remedy = guess === undefined ? known : `did you mean "${guess}"? ${known}`
    reader.complain('PL-1004', [...place, at], `unknown service "${name}"`, remedy)
  }
  return OPTIONAL_SERVICES.filter(service => names.includes(service))
}

function readExternal(reader: YamlReader): { settings: ExternalNetwork; network: Ipv4Network | undefined } {
  const place = ['openstack', 'external']
  if (reader.has(place)) reader.expectKeys(place, Object.keys(KEYS.external.keys))
  const { text: cidr, network } = readCidr(reader, externalCidrPath, DEFAULT_EXTERNAL_CIDR)
  if (network !== undefined && network.bits > SMALLEST_EXTERNAL) {
    const what = `${cidr} has no room for a gateway, a router and floating IPs`
    reader.complain('PL-1004', externalCidrPath, what, `write a network of /8 to /${SMALLEST_EXTERNAL}`)
  }
  const name = reader.text([...place, 'interface'])
  const remedy = 'write the name that `ip link` shows on the network nodes, for example  interface: eth1'
  if (name !== undefined && /^(?:no|none|off|false|~|null|nil)$/i.test(name)) {
    const what = `"${name}" is taken for the name of an interface`
    reader.complain('PL-1004', [...place, 'interface'], what, 'leave the key out where there is none')
  } else if (name !== undefined && OWN_INTERFACE.test(name)) {
    const what = `${name} is made by the system itself, and leads to no other network`
    reader.complain('PL-1004', [...place, 'interface'], what, remedy)
  } else if (name !== undefined && !INTERFACE.test(name)) {
    reader.complain('PL-1004', [...place, 'interface'], `"${name}" is not the name of an interface`, remedy)
  }
  return { settings: { cidr, ...(name === undefined ? {} : { interface: name }) }, network }
}
