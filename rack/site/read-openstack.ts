// The `openstack` of a site file: which plan, what it changes of it, and the network that floating IPs are of.

import { dirname, resolve } from 'node:path'
import type { Ipv4Network } from '#model/ipv4.ts'
import { nearest } from '#model/nearest.ts'
import type { Path, YamlReader } from './document.ts'
import { expectNetwork } from './read-network.ts'
import {
  CHART_PLANS,
  OPTIONAL_SERVICES,
  type ChartOrigin,
  type ExternalNetwork,
  type OpenstackSettings,
  type OptionalService,
} from './site.ts'
import { SITE_KEYS } from './site-keys.ts'

const KEYS = SITE_KEYS.openstack.keys

/** Where the external network is written. */
export const externalCidrPath: Path = ['openstack', 'external', 'cidr']
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
  const values = reader.helmValue(['openstack', 'values']) ?? {}
  if (typeof values !== 'object' || Array.isArray(values)) {
    reader.complain('PL-1004', ['openstack', 'values'], 'must be a mapping', 'write release names as keys')
  }
  const external = readExternal(reader)
  return {
    openstack: {
      plan,
      ...(charts === undefined ? {} : { charts }),
      features: readFeatures(reader),
      waves: readWaves(reader),
      values: values as Readonly<Record<string, unknown>>,
      external: external.settings,
    },
    external: external.network,
  }
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
  const source = reader.requiredText([...place, 'source'], remedy) ?? ''
  const fromHere = (path: string) => resolve(dirname(reader.file), path)
  const overrides = reader.text([...place, 'overrides'])
  return {
    source: /^(https?|oci):\/\//.test(source) ? source : fromHere(source),
    lock: fromHere(reader.text([...place, 'lock']) ?? 'charts.lock'),
    ...(overrides === undefined ? {} : { overrides: fromHere(overrides) }),
  }
}

function readFeatures(reader: YamlReader): string[] {
  const place = ['openstack', 'features']
  if (!reader.has(place)) return []
  const count = reader.length(place, 'write it as  [2026.1, ubuntu_noble]')
  return Array.from({ length: count }, (_, at) => reader.text([...place, at]) ?? '')
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
  const cidr = reader.text(externalCidrPath) ?? DEFAULT_EXTERNAL_CIDR
  const network = expectNetwork(reader, externalCidrPath, cidr)
  const name = reader.text([...place, 'interface'])
  // Linux takes 15 characters, no slash and no blank (dev_valid_name in the kernel).
  if (name !== undefined && !/^[^\s/:]{1,15}$/.test(name)) {
    const remedy = 'write the name that `ip link` shows on the network nodes, for example  interface: eth1'
    reader.complain('PL-1004', [...place, 'interface'], `"${name}" is not the name of an interface`, remedy)
  }
  return { settings: { cidr, ...(name === undefined ? {} : { interface: name }) }, network }
}
