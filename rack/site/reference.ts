// docs/site.md, made of the keys of a site file.  To write it again:  npm run site-reference

import { LONGEST_TEXT } from './document.ts'
import { SITE_KEYS, type SiteKeys } from './site-keys.ts'

/** The smallest site file: everything else has a default. */
export const MINIMAL_SITE = `name: rack-1
network: { subnet: 10.20.0.0/24 }
machines:
  - { name: ctl-1, mac: 52:54:00:20:00:01, role: controller }
`

/** A site file with most of its keys. */
export const FULL_SITE = `name: rack-1
network:
  subnet: 10.20.0.0/24
  gateway: 10.20.0.1
  dhcp: full
  pool: 10.20.0.100-10.20.0.199
  dns: [10.20.0.1]
machines:
  - name: ctl-1
    mac: 52:54:00:20:00:01
    role: controller
    address: 10.20.0.11
    labels: { rack: a, serial: X123 }
    notes: third from the top
  - { name: cmp-1, uuid: 8d2c1c3e-6a70-4c2f-9d4b-0a1b2c3d4e5f, role: compute, labels: { rack: a } }
trust:
  level: L2
  approve: { racks: [a] }
  reboot: approve
  deadline: 8h
cluster:
  podCidr: 10.2.0.0/16
  serviceCidr: 10.3.0.0/24
  openToPods: [9100]
openstack:
  plan: compute-kit
  waves: [heat]
  values: { nova: { conf: { nova: { DEFAULT: { cpu_allocation_ratio: 8 } } } } }
  external: { cidr: 172.24.4.0/24, interface: eth1 }
`

/** The text of docs/site.md: two examples, then a table of the root and of each mapping. */
export function siteReference(): string {
  return [
    '# The site file',
    '',
    '<!-- Written by `npm run site-reference` from `rack/site/site-keys.ts`: change it there. -->',
    '',
    'A site file describes a rack: its network, its machines, and the cloud on them. `pilotlight init site.yaml` writes one from a few questions,',
    '`pilotlight plan site.yaml` checks it and shows what would be done, and `pilotlight up site.yaml` does it. A key that is not listed here is refused.',
    `A text other than a Helm value has at most ${LONGEST_TEXT} characters. Mistakes have [codes](errors.md), and are reported with line and column.`,
    '',
    'The smallest one:',
    '',
    '```yaml',
    MINIMAL_SITE + '```',
    '',
    'One with most keys:',
    '',
    '```yaml',
    FULL_SITE + '```',
    '',
    ...section('', 'Keys', SITE_KEYS),
    '## Addresses that Pilotlight chooses',
    '',
    'A machine without `address` and a network without `pool` get addresses by the rules above, so that the same file always gives the same. Where one of them is',
    "an address of the server, `pilotlight up` chooses another, says so, and keeps the server's addresses in `server-addresses.json` of its `--state` directory, so",
    'that later commands choose as it did. An address that is written in the file is never changed: `up` ends with `SERVER_ADDRESS_TAKEN`, as it does where the server',
    'took the address of a machine that exists already.',
    '',
    '## IPv6',
    '',
    'Addresses and networks are IPv4 alone. Every form of IPv6 is refused with [`PL-1009`](errors.md#pl-1009-not-built-yet): one network, two of both families',
    '(`10.2.0.0/16,fd00::/56`), a list, an address in brackets. Machines still have their link-local addresses of IPv6, and guests of the cloud are not concerned.',
    '',
  ].join('\n')
}

/** A heading, a table of `keys`, and a section for each mapping below it. `place` is as `machines[].`. */
function section(place: string, title: string, keys: SiteKeys): string[] {
  const rows = Object.entries(keys).map(([name, { type, description, default: usual, limits, example }]) =>
    row(`\`${name}\``, type, usual, limits, description, `\`${name}: ${example}\``),
  )
  const below = Object.entries(keys).flatMap(([name, { type, keys: inner }]) => {
    const path = `${place}${name}${type.startsWith('list') ? '[]' : ''}`
    return inner === undefined ? [] : section(`${path}.`, `\`${path}\``, inner)
  })
  const head = [
    row('key', 'type', 'default', 'limits', 'what it is for', 'example'),
    '|---|---|---|---|---|---|',
  ]
  return [`## ${title}`, '', ...head, ...rows, '', ...below]
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`.replaceAll('|  |', '| |')
}
