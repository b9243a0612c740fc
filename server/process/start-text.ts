// What a server that was started by hand shows on its terminal: where its page is, where its token is, whether DHCP answers, and
// what comes next. Values in, lines out.

import { pathWord } from '#host/shell.ts'
import { isLoopback } from '#model/address.ts'
import { contains } from '#model/ipv4.ts'
import type { ProvisioningNetwork } from '#model/network.ts'

/** What is known when the server is up. */
export type StartFacts = {
  /** Of the boot listener, which has the page unless administration is elsewhere. */
  readonly url: string
  /** Of administration, where it has its own listener. */
  readonly adminUrl: string | undefined
  /** The authority that signed the certificate of `adminUrl`; undefined where that is not ours. */
  readonly caPath: string | undefined
  /** The path of admin.token. */
  readonly tokenPath: string
  readonly address: string
  readonly dhcp: boolean
  /** The folder of kernels and images, where there is one. */
  readonly assetsPath: string | undefined
  /** The networks of all sites. */
  readonly networks: readonly ProvisioningNetwork[]
}

/** The lines, without a line end at the end. */
export function startText(facts: StartFacts): string {
  const { url, adminUrl, caPath, tokenPath } = facts
  const trust =
    adminUrl === undefined || caPath === undefined
      ? []
      : [['trust', `export PILOTLIGHT_CA=${pathWord(caPath)}`]]
  const rows = [
    ['page', `${adminUrl ?? url}/`],
    ['token', `export PILOTLIGHT_TOKEN_FILE=${pathWord(tokenPath)}`],
    ...trust,
    ['DHCP', dhcpText(facts)],
    ...(facts.assetsPath === undefined ? [['assets', NO_ASSETS] as const] : []),
    ['next', nextText(facts)],
    ['stop', 'Ctrl-C'],
  ]
  return rows.map(([name = '', text = '']) => `  ${name.padEnd(6)} ${text}`).join('\n')
}

const NO_ASSETS =
  'none: what machines fetch below /assets/ is answered 404; start with --assets-path DIRECTORY'

function dhcpText({ dhcp, networks, address }: StartFacts): string {
  const full = networks.find(network => network.dhcp === 'full')
  if (!dhcp && full !== undefined)
    return `off, and the site with ${full.subnet} has dhcp: full: start without --no-dhcp`
  if (!dhcp) return 'off: another DHCP server must name this one as the boot server'
  if (isLoopback(address))
    return `reaches no machine: ${address} is this host alone; start with --address and that of the card (ip -brief address)`
  if (address === '0.0.0.0')
    return 'silent: 0.0.0.0 is not an address of a network; start with --address and that of the card (ip -brief address)'
  if (networks.length === 0) return 'silent until a site file is applied'
  const own = networks.find(({ subnet }) => contains(subnet, address))
  const subnets = networks.map(({ subnet }) => subnet).join(', ')
  if (own === undefined)
    return `silent: ${address} is not in the network of a site (${subnets}); start with --address and an address in it`
  if (own.dhcp === 'off') return `silent in ${own.subnet}: its site file says dhcp: off`
  return `answers in ${own.subnet} (${own.dhcp})`
}

function nextText({ url, adminUrl, networks }: StartFacts): string {
  const server = `--server ${adminUrl ?? url}`
  if (networks.length > 0) return `pilotlight get machines ${server}`
  return `in another shell:  pilotlight init site.yaml  and  pilotlight up site.yaml ${server}`
}
