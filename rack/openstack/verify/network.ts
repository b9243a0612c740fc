// The network service: a network of the run's own with a port for its server, and a way to it from outside.

import { connect } from 'node:net'
import type { Site } from '../../site/site.ts'
import type { OpenstackClient } from '../client.ts'
import { asConnectionError } from '../errors.ts'
import {
  createFloatingIp,
  createNetwork,
  createPort,
  createRouter,
  createSubnet,
  createWebGroup,
  externalNetworks,
  readSubnet,
  type Port,
  type Subnet,
} from '../network.ts'
import type { Check } from './check.ts'
import type { GuestImage } from './guest-image.ts'
import { awaitService } from './service.ts'

/** The network of the run, whatever its addresses: it meets nothing but its own router. */
const CIDR = '192.168.213.0/24'

/** The name by which our charts know the network that leads out. */
const PHYSICAL_NETWORK = 'public'

/** What a server is plugged into. */
export type GuestNetwork = { readonly subnet: Subnet; readonly port: Port }

/** How a guest is reached from outside. */
export type WayIn = {
  readonly address: string
  /** The external network's own gateway: a host that reaches it must reach the guest, too. */
  readonly gateway: string | null
}

/** Makes network, subnet, security group and port: all that a server needs. */
export async function makeNetwork(cloud: OpenstackClient, check: Check, name: string): Promise<GuestNetwork> {
  await awaitService(cloud, check, 'network')
  const [network, group] = await Promise.all([createNetwork(cloud, { name }), createWebGroup(cloud, name)])
  const subnet = await createSubnet(cloud, { name, network_id: network, cidr: CIDR })
  const port = await createPort(cloud, { name, network_id: network, security_groups: [group] })
  check.note(port.address)
  return { subnet, port }
}

/** Makes a router and, where there is an outside, a floating IP; undefined where there is none. */
export async function leadOutside(
  cloud: OpenstackClient,
  check: Check,
  name: string,
  site: Site,
  { subnet, port }: GuestNetwork,
): Promise<WayIn | undefined> {
  const [found] = await externalNetworks(cloud)
  const external = found ?? (await makeExternal(cloud, name, site))
  await createRouter(cloud, name, subnet.id, external?.id)
  if (external === undefined) {
    check.note('there is no external network')
    return undefined
  }
  const [outer] = external.subnets
  const [{ floating_ip_address: address }, gateway] = await Promise.all([
    createFloatingIp(cloud, external.id, port.id, name),
    outer === undefined ? null : readSubnet(cloud, outer).then(it => it.gateway_ip),
  ])
  check.note(address)
  return { address, gateway }
}

/**
 * Where there is no external network yet, and it is wholly inside of the cloud, one for this run. Where the site
 * leads it out by an interface, its addresses are the operator's to give away.
 */
async function makeExternal(cloud: OpenstackClient, name: string, site: Site) {
  const { cidr, interface: outward } = site.openstack.external
  if (outward !== undefined) return undefined
  const id = await createNetwork(cloud, {
    name,
    'router:external': true,
    'provider:network_type': 'flat',
    'provider:physical_network': PHYSICAL_NETWORK,
  })
  const subnet = await createSubnet(cloud, { name, network_id: id, cidr, enable_dhcp: false })
  return { id, name, subnets: [subnet.id] }
}

/**
 * Waits until the guest answers from outside: ours with its own address over HTTP, any other at least with a refusal.
 * Where this host does not reach the external network at all, the check is skipped, and gives undefined: then the
 * lease that the console shows is all the proof there is.
 */
export async function awaitAnswer(
  check: Check,
  { port }: GuestNetwork,
  wayIn: WayIn | undefined,
  guest: GuestImage,
  limitSeconds: number,
): Promise<string | undefined> {
  if (wayIn === undefined) {
    check.skip('there is no external network; the lease on the console is the proof')
    return undefined
  }
  const { address, gateway } = wayIn
  if (gateway === null || !(await isReachable(gateway))) {
    check.skip('the external network is not reachable from here; the lease on the console is the proof')
    return undefined
  }
  const said = await check.until(`${address} answers`, limitSeconds, async () => {
    if (!guest.printsAddress)
      return (await isReachable(address)) ? { value: 'it is there' } : { not: 'no packet comes back' }
    const answer = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(2000) }).catch(
      asConnectionError,
    )
    const text = (await answer.text()).trim()
    const right = answer.ok && text.split(' ').includes(port.address)
    return right ? { value: text } : { not: `HTTP ${answer.status} ${text.slice(0, 60)}` }
  })
  check.note(`${address} answers: ${said}`)
  return address
}

/** Whether packets come back from an address: a refusal is an answer, too. */
function isReachable(address: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: address, port: 80, timeout: 2000 })
    const settle = (reachable: boolean) => {
      socket.destroy()
      resolve(reachable)
    }
    socket.on('connect', () => settle(true))
    socket.on('timeout', () => settle(false))
    socket.on('error', (error: NodeJS.ErrnoException) => settle(error.code === 'ECONNREFUSED'))
  })
}
