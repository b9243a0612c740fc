// Writes a site file from a few answers: what `pilotlight init` leaves behind, with a word on what may be changed.

import type { ProvisioningNetwork } from '#model/network.ts'
import type { OptionalService } from './site.ts'

/** The answers that a site file begins with. */
export type SiteAnswers = {
  readonly name: string
  /** The provisioning network, for example `10.20.0.0/24`. */
  readonly subnet: string
  readonly dhcp: ProvisioningNetwork['dhcp']
  /** A MAC address for each controller; they are named ctl-1, ctl-2 … */
  readonly controllers: readonly string[]
  /** A MAC address for each compute machine; none makes the controller carry everything. */
  readonly computes: readonly string[]
  /** The network of floating IPs, and the interface of the network nodes that leads there. */
  readonly external?: { readonly cidr?: string; readonly interface?: string }
  readonly waves: readonly OptionalService[]
}

/** The layouts by the names that StarlingX made usual. */
export function layoutOf({ computes }: SiteAnswers): 'all-in-one' | 'standard' {
  return computes.length === 0 ? 'all-in-one' : 'standard'
}

/** The text of the site file. The answers are taken as they are: parseSite reports what is wrong with them. */
export function draftSite(answers: SiteAnswers): string {
  const { name, subnet, dhcp, controllers, computes, external, waves } = answers
  const machines = [
    ...machineLines('ctl', 'controller', controllers),
    ...machineLines('cmp', 'compute', computes),
  ]
  return [
    `# ${layoutOf(answers)}: ${countOf(controllers, 'controller')}${computes.length > 0 ? `, ${countOf(computes, 'compute machine')}` : ''}. What it would do:  pilotlight plan FILE`,
    `name: ${scalar(name)}`,
    'network:',
    `  subnet: ${scalar(subnet)}`,
    `  dhcp: ${scalar(dhcp)} # full: we give addresses; proxy: another DHCP server does; off: no DHCP from us`,
    '  # gateway, pool and dns have defaults: the first address, hosts 100 to 199, the gateway; ntp: [address] names time servers',
    'machines: # addresses are given in this order from host 11 on, unless one is written:  address: …',
    ...machines,
    '# disk: none # keeps machines in RAM, where a power cut loses what they hold; without the key each is installed to its',
    '#   smallest disk that holds nothing; { match: { type: nvme, minSize: 100GB } } asks for another, also for one machine',
    'trust: # what a machine must show before it gets its secrets; what follows from it:  pilotlight plan FILE',
    '  level: L2 # L1: the wire is trusted; L3: a TPM vouches for the key',
    '  approve: operator # first-boot: the first key of each machine is trusted; or conditions, { racks: [a] }',
    '# ssh_keys: [ssh-ed25519 AAAA… name] # who may log in to the machines as root; without the key no one may',
    'openstack:',
    '  plan: compute-kit',
    ...(waves.length > 0 ? [`  waves: [${waves.join(', ')}]`] : []),
    ...externalLines(external),
    '  # values: { nova: { conf: { nova: { DEFAULT: { cpu_allocation_ratio: 8 } } } } }',
    '',
  ].join('\n')
}

function machineLines(prefix: string, role: string, macs: readonly string[]): string[] {
  return macs.map((mac, index) => `  - { name: ${prefix}-${index + 1}, mac: ${scalar(mac)}, role: ${role} }`)
}

function externalLines(external: SiteAnswers['external']): string[] {
  const { cidr, interface: name } = external ?? {}
  if (cidr === undefined && name === undefined) return []
  return [
    '  external: # the network of floating IPs',
    ...(cidr === undefined ? [] : [`    cidr: ${scalar(cidr)}`]),
    ...(name === undefined ? [] : [`    interface: ${scalar(name)}`]),
  ]
}

function countOf(list: readonly unknown[], word: string): string {
  return `${list.length} ${word}${list.length === 1 ? '' : 's'}`
}

/** Plain where YAML reads it back as the same text, in double quotes (which YAML reads as JSON does) otherwise. */
function scalar(text: string): string {
  return /^[A-Za-z0-9][A-Za-z0-9_./-]*$|^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)
    ? text
    : JSON.stringify(text)
}
