// The compute service: a server that runs, a guest in it that has booted, and what runs it.

import { WaitedTooLong, type Seen } from '#progress/wait.ts'
import type { OpenstackClient } from '../client.ts'
import {
  consoleOutput,
  countCandidates,
  createFlavor,
  createServer,
  diagnose,
  listHypervisors,
  readServer,
  type Diagnostics,
  type Hypervisor,
} from '../compute.ts'
import { listAgents, type Agent } from '../network.ts'
import type { Check } from './check.ts'
import { hearGuest, hearText, lastLines } from './console.ts'
import { CheckFailed } from './errors.ts'
import type { GuestImage } from './guest-image.ts'
import { awaitService } from './service.ts'

/** A server that Nova calls ACTIVE. */
export type ActiveServer = { readonly id: string; readonly host: string }

/** What runs the guests of a cloud. */
export type Driver = { readonly name: string; readonly hypervisor: string }

// Kernel and initramfs of the guest are in its memory twice while it unpacks them.
const SIZE = { vcpus: 1, ram: 128 }

/** Makes a flavor as small as the guest allows, and gives its id. A disk image of one's own gets room for itself. */
export async function makeFlavor(
  cloud: OpenstackClient,
  check: Check,
  name: string,
  guest: GuestImage,
): Promise<string> {
  await awaitService(cloud, check, 'compute')
  const size = guest.kernel
    ? { ...SIZE, disk: 0 }
    : { vcpus: 1, ram: 1024, disk: Math.ceil(guest.disk.size / 2 ** 30) * 4 }
  const id = await createFlavor(cloud, { name, ...size })
  check.note(`${size.ram} MB`)
  return id
}

/**
 * Waits until there is a host that can run a guest, and whose network is at work. One service is asked after the other,
 * and seldom: while the hosts start, they are slow to report.
 */
export async function awaitHosts(cloud: OpenstackClient, check: Check): Promise<void> {
  const everyMs = 1000
  const hosts = await check.service('compute', async () => usableHosts(await listHypervisors(cloud)), everyMs)
  await check.service('network', async () => wiredHosts(hosts, await listAgents(cloud)), everyMs)
  const room = async () => (await countCandidates(cloud, SIZE.vcpus, SIZE.ram)) > 0
  await check.service(
    'placement',
    async () => ((await room()) ? { value: true } : { not: 'no host has reported yet what room it has' }),
    everyMs,
  )
  check.note(hosts.join(' '))
}

/** The hosts that are mapped to a cell and up. */
export function usableHosts(hypervisors: readonly Hypervisor[]): Seen<string[]> {
  const usable = hypervisors.filter(({ state, status }) => state === 'up' && status === 'enabled')
  const hosts = usable.map(({ service }) => service.host)
  return hosts.length > 0 ? { value: hosts } : { not: 'no hypervisor is up and mapped to a cell' }
}

/** Whether servers on these hosts would be plugged in and get their addresses, or what is missing. */
export function wiredHosts(hosts: readonly string[], agents: readonly Agent[]): Seen<true> {
  const alive = agents.filter(agent => agent.alive && agent.admin_state_up)
  const unwired = hosts.find(host => !alive.some(agent => agent.host === host && isLayer2(agent)))
  if (unwired !== undefined) return { not: `no agent that plugs servers in is alive on ${unwired}` }
  if (!alive.some(({ binary }) => binary === 'neutron-dhcp-agent' || binary === 'ovn-controller'))
    return { not: 'no DHCP agent is alive' }
  return { value: true }
}

function isLayer2({ binary }: Agent): boolean {
  return ['neutron-linuxbridge-agent', 'neutron-openvswitch-agent', 'ovn-controller'].includes(binary)
}

/**
 * Has a server made on the port, and waits until it is ACTIVE.
 *
 * @throws {CheckFailed} with Nova's reason when it ends in ERROR
 */
export async function bootServer(
  cloud: OpenstackClient,
  check: Check,
  parts: { readonly name: string; readonly flavor: string; readonly image: string; readonly port: string },
  limitSeconds: number,
): Promise<ActiveServer> {
  const id = await createServer(cloud, parts)
  let errorSeen = 0
  const server = await check.until('the server is ACTIVE', limitSeconds, async () => {
    const seen = await readServer(cloud, id)
    const task = seen['OS-EXT-STS:task_state']
    // The reason of an ERROR comes shortly after it.
    if (seen.status === 'ACTIVE' || seen.fault !== undefined) return { value: seen }
    if (seen.status === 'ERROR' && (errorSeen += 1) > 10) return { value: seen }
    return { not: `it is ${seen.status}${task ? ` (${task})` : ''}` }
  })
  if (server.status !== 'ACTIVE')
    throw new CheckFailed(`the server ended in ERROR: ${server.fault?.message ?? 'Nova gives no reason'}`)
  const host = server['OS-EXT-SRV-ATTR:host'] ?? 'a host that Nova does not name'
  check.note(`on ${host}`)
  return { id, host }
}

/**
 * Waits until the console shows that the guest has booted, with exactly the address that Neutron gave its port where
 * the guest prints one.
 *
 * @throws {CheckFailed} when it has another address
 */
export async function awaitGuest(
  cloud: OpenstackClient,
  check: Check,
  server: string,
  address: string,
  guest: GuestImage,
  limitSeconds: number,
): Promise<void> {
  let said = ''
  const heard = await check
    .until('the guest is up', limitSeconds, async () => {
      said = await consoleOutput(cloud, server)
      const heard = guest.printsAddress ? hearGuest(said, address) : hearText(said, guest.shows)
      return heard.state === 'silent' ? { not: lastLines(said, 1) } : { value: heard }
    })
    .catch((error: unknown) => {
      if (error instanceof WaitedTooLong) throw new CheckFailed(`${error.message}\n${lastLines(said)}`)
      throw error
    })
  if (heard.state === 'stranger')
    throw new CheckFailed(`the guest is up with the address ${heard.address}, but Neutron gave it ${address}`)
  check.note(guest.printsAddress ? `${guest.shows} ${address}` : `the console shows "${guest.shows}"`)
}

/** What runs the server. */
export async function readDriver(cloud: OpenstackClient, server: string): Promise<Driver> {
  return describeDriver(await diagnose(cloud, server))
}

/** Names the driver, so that emulation is not mistaken for hardware. */
export function describeDriver({ driver, hypervisor }: Diagnostics): Driver {
  const words: Readonly<Record<string, string>> = { kvm: 'KVM', qemu: 'QEMU, emulated (TCG)' }
  return { name: driver, hypervisor: words[hypervisor ?? ''] ?? hypervisor ?? 'unknown' }
}
