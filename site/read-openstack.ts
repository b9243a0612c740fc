// The `openstack` of a site file: which plan, what it changes of it, and the network that floating IPs are of.

import type { Path, YamlReader } from './document.ts'
import type { Network } from './ipv4.ts'
import { nearest } from '#progress/nearest.ts'
import { expectNetwork } from './read-network.ts'
import { OPTIONAL_SERVICES } from './site.ts'
import type { ExternalNetwork, OpenstackSettings, OptionalService } from './site.ts'

/** Where the external network is written. */
export const externalCidrPath: Path = ['openstack', 'external', 'cidr']
const DEFAULT_EXTERNAL_CIDR = '172.24.4.0/24'

/** Reads `openstack`, and gives the external network as numbers too where that is readable. */
export function readOpenstack(reader: YamlReader): {
  openstack: OpenstackSettings
  external: Network | undefined
} {
  if (reader.has(['openstack'])) reader.expectKeys(['openstack'], ['plan', 'waves', 'values', 'external'])
  const plan = reader.text(['openstack', 'plan']) ?? 'compute-kit'
  if (plan !== 'compute-kit') {
    const [code, what] =
      plan === 'openstack-helm'
        ? (['PL-1009', 'the plan openstack-helm is not built yet'] as const)
        : (['PL-1004', `unknown plan "${plan}"`] as const)
    reader.complain(code, ['openstack', 'plan'], what, 'write  plan: compute-kit')
  }
  const values = reader.plain(['openstack', 'values']) ?? {}
  if (typeof values !== 'object' || Array.isArray(values)) {
    reader.complain('PL-1004', ['openstack', 'values'], 'must be a mapping', 'write release names as keys')
  }
  const external = readExternal(reader)
  return {
    openstack: {
      plan: 'compute-kit',
      waves: readWaves(reader),
      values: values as Readonly<Record<string, unknown>>,
      external: external.settings,
    },
    external: external.network,
  }
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
    const mend = guess === undefined ? known : `did you mean "${guess}"? ${known}`
    reader.complain('PL-1004', [...place, at], `unknown service "${name}"`, mend)
  }
  return OPTIONAL_SERVICES.filter(service => names.includes(service))
}

function readExternal(reader: YamlReader): { settings: ExternalNetwork; network: Network | undefined } {
  const place = ['openstack', 'external']
  if (reader.has(place)) reader.expectKeys(place, ['cidr', 'interface'])
  const cidr = reader.text(externalCidrPath) ?? DEFAULT_EXTERNAL_CIDR
  const network = expectNetwork(reader, externalCidrPath, cidr)
  const name = reader.text([...place, 'interface'])
  // Linux takes 15 characters, no slash and no blank (dev_valid_name in the kernel).
  if (name !== undefined && !/^[^\s/:]{1,15}$/.test(name)) {
    const mend = 'write the name that `ip link` shows on the network nodes, for example  interface: eth1'
    reader.complain('PL-1004', [...place, 'interface'], `"${name}" is no name of an interface`, mend)
  }
  return { settings: { cidr, ...(name === undefined ? {} : { interface: name }) }, network }
}
