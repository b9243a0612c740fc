// What is on the server's wire: its card, and the hosts that machines need there, or must not meet.

import { readFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { run } from '#host/command.ts'
import { isLoopback } from '#model/address.ts'
import { BROADCAST, contains } from '#model/ipv4.ts'
import type { Machine } from '#model/machine.ts'
import { messageOf } from '#progress/wait.ts'
import { isEveryAddress } from '../process/own-addresses.ts'
import { hardwareOf } from '../protocols/dhcp/probe.ts'
import {
  blocking,
  inNoNetwork,
  ofObstacles,
  ok,
  ownSite,
  unseen,
  warning,
  type DiagnosisNeeds,
  type Facts,
  type Found,
} from './facts.ts'
import { fateOf } from './firewall.ts'

/** The network card of our address: whether its cable is in, and what it carries. */
export async function card({ needs: { address } }: Facts): Promise<Found> {
  if (isEveryAddress(address) || isLoopback(address))
    return unseen(`this server is at ${address}, which is not of one card`)
  const name = cardOf(address)
  if (name === undefined) return blocking(`no interface of this host has ${address}`, 'ip -brief address')
  const read = (file: string) => readFile(`/sys/class/net/${name}/${file}`, 'utf8').then(text => text.trim())
  const [carrier, mtu] = [await read('carrier'), Number(await read('mtu'))]
  if (carrier === '0')
    return blocking(
      `${name}, which has ${address}, has no link: its cable, or the switch port, is down`,
      `ip link show ${name}`,
    )
  if (mtu < 1500)
    return warning(
      `${name} has an MTU of ${mtu}; machines send packets of 1500 bytes`,
      `ip link set ${name} mtu 1500`,
    )
  return ok(`${name} has ${address}, a link, and an MTU of ${mtu}`)
}

/** The interface that has an address. */
function cardOf(address: string): string | undefined {
  return Object.entries(networkInterfaces()).find(([, own]) => own?.some(one => one.address === address))?.[0]
}

/**
 * Whether a firewall of this host drops what machines send to it. Requests of this host to itself do not pass it, so the other checks
 * do not see that.
 */
export async function firewall(facts: Facts): Promise<Found> {
  const { address, tftp, urls } = facts.needs
  const own = ownSite(facts)?.objects
  if (own === undefined) return inNoNetwork(facts)
  const card = cardOf(address)
  if (card === undefined) return unseen(`no interface of this host has ${address}`, 'ip -brief address')
  const look = 'nft list ruleset'
  const ruleset = await run('nft', ['list', 'ruleset'], { limitSeconds: 5 }).catch(
    (error: unknown) => messageOf(error).split('\n')[0] ?? '',
  )
  if (typeof ruleset === 'string') return unseen(`the firewall of this host cannot be read: ${ruleset}`, look)
  const { server, agent } = urls()
  const { dhcp, subnet } = own.network
  const from = own.machines.find(one => contains(subnet, one.address))?.address ?? own.network.gateway
  const asked = [
    ...(dhcp === 'off' || !facts.place.dhcp
      ? []
      : [{ protocol: 'udp', port: 67, from: '0.0.0.0', to: BROADCAST } as const]),
    ...(tftp ? [{ protocol: 'udp', port: 69, from, to: address } as const] : []),
    ...[server, agent].map(url => ({ protocol: 'tcp', port: portOf(url), from, to: address }) as const),
  ]
  const fates = asked.map(packet => ({ packet, fate: fateOf(ruleset.stdout, { ...packet, card }) }))
  const names = (wanted: (fate: (typeof fates)[number]['fate']) => boolean) =>
    fates
      .filter(({ fate }) => wanted(fate))
      .map(({ packet }) => `${packet.protocol.toUpperCase()} port ${packet.port}`)
      .join(', ')
  const dropped = fates.find(({ fate }) => typeof fate === 'object')?.fate
  if (typeof dropped === 'object') {
    const what = `a firewall of this host (nftables chain "${dropped.chain}") drops what machines send`
    const packets = fates.flatMap(({ packet, fate }) => (typeof fate === 'object' ? [packet] : []))
    const open = openingOf(ruleset.stdout, dropped.chain, card, packets)
    return blocking(`${what} to ${names(fate => typeof fate === 'object')} by ${card}`, open)
  }
  const unknown = names(fate => fate === 'unknown')
  if (unknown !== '')
    return unseen(`whether the firewall of this host lets machines reach ${unknown} cannot be decided`, look)
  return ok(`no firewall of this host drops what machines send to ${names(() => true)}`)
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url)
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
}

/** The commands that let packets in by a card, and nothing else, by what made the rules. */
export function openingOf(
  ruleset: string,
  chain: string,
  card: string,
  packets: readonly { readonly protocol: 'udp' | 'tcp'; readonly port: number }[],
): string {
  const each = (command: (packet: (typeof packets)[number]) => string) =>
    [...new Set(packets.map(command))].join(' && ')
  if (/^\tchain ufw-/m.test(ruleset))
    return each(({ protocol, port }) => `ufw allow in on ${card} to any port ${port} proto ${protocol}`)
  if (/^table inet firewalld /m.test(ruleset)) {
    const ports = packets.map(({ protocol, port }) => ` --add-port=${port}/${protocol}`)
    const zone = `--zone="$(firewall-cmd --get-zone-of-interface=${card} || firewall-cmd --get-default-zone)"`
    return `firewall-cmd --permanent ${zone}${[...new Set(ports)].join('')} && firewall-cmd --reload`
  }
  const rules = each(
    ({ protocol, port }) => `nft insert rule ${chain} iifname ${card} ${protocol} dport ${port} accept`,
  )
  return `${rules}   until the next restart; write it where the rules are kept`
}

/** Whether machines reach other networks. */
export async function gateway(facts: Facts): Promise<Found | Found[]> {
  const found = ofObstacles(facts, 'gateway')
  if (found.length > 0) return found
  const { needs, place } = facts
  const own = ownSite(facts)?.objects.network
  if (own === undefined) return inNoNetwork(facts)
  if (place.addresses.includes(own.gateway)) {
    const here = `the gateway ${own.gateway} is this host, and`
    if (place.forwards === undefined)
      return unseen(`${here} whether it forwards packets cannot be seen`, 'sysctl net.ipv4.ip_forward')
    if (place.forwards) return ok(`${here} it forwards packets`)
    return warning(
      `${here} it forwards no packets: machines reach no other network`,
      'sysctl --write net.ipv4.ip_forward=1',
    )
  }
  if (await isUsed(needs.prober, own.gateway)) return ok(`the gateway ${own.gateway} answers`)
  return warning(
    `no host answers at the gateway ${own.gateway}: machines reach no other network`,
    `ping -c 1 ${own.gateway}`,
  )
}

/** The time servers of the site, where one is this host; others are asked by machines alone. */
export async function time(facts: Facts): Promise<Found | Found[]> {
  const found = ofObstacles(facts, 'time')
  if (found.length > 0) return found
  const named = facts.sites.flatMap(({ objects: { network } }) => network.ntp ?? [])
  const here = named.filter(address => facts.place.addresses.includes(address))
  if (here.length > 0) return ok(`a program of this host listens at ${here.join(', ')}, UDP port 123`)
  if (named.length > 0) return unseen(`${named.join(', ')}: other time servers are not asked`)
  return unseen('the site file names no time server, so machines ask those of Debian on the Internet')
}

/** How many addresses of machines are probed: 8 at a time, each for 0.3 s. */
const MOST_PROBED = 256

/** Whether a host has the address of a machine that is not that machine. */
export async function addresses(facts: Facts): Promise<Found | Found[]> {
  const own = ownSite(facts)
  if (own === undefined) return inNoNetwork(facts)
  const { machines, network } = own.objects
  const { prober } = facts.needs
  const inNetwork = machines.filter(({ address }) => contains(network.subnet, address))
  const looked = inNetwork.slice(0, MOST_PROBED)
  const left = inNetwork.length - looked.length
  const rest = left === 0 ? [] : [unseen(`${left} further machines: the first ${MOST_PROBED} are looked at`)]
  const wrong: string[] = []
  let on = 0
  for (let at = 0; at < looked.length; at += 8) {
    await Promise.all(
      looked.slice(at, at + 8).map(async machine => {
        if (!(await isUsed(prober, machine.address))) return
        const hardware = await hardwareOf(machine.address)
        if (hardware === undefined || isOf(machine, hardware)) on += 1
        else wrong.push(`${machine.address}, the address of ${machine.name}, is used by ${hardware}`)
      }),
    )
  }
  if (wrong.length > 0)
    return [blocking(`${wrong.join('; ')}: two hosts would have it`, 'ip neighbour show'), ...rest]
  const others = on === 0 ? '' : `; ${on} of them answer, as themselves`
  return [ok(`no other host has an address of ${looked.length} machines${others}`), ...rest]
}

/** A machine that is known by its UUID alone may have any card. */
function isOf({ macs }: Machine, hardware: string): boolean {
  return macs.length === 0 || macs.includes(hardware)
}

async function isUsed(prober: DiagnosisNeeds['prober'], address: string): Promise<boolean> {
  for (let tries = 0; tries < 50; tries += 1) {
    const looking = prober.look(address)
    if (looking !== undefined) {
      await looking
      return prober.result(address) === 'used'
    }
    await new Promise(resolve => setTimeout(resolve, 100)) // others are probed
  }
  throw new Error('too many addresses are probed at once')
}
