// The rack's network: one network namespace with a bridge, which is the cable and the switch, and a port for each
// machine. Nothing is made in the host's own namespace but the mounts that keep the namespaces.

import { existsSync } from 'node:fs'
import { run } from '#host/command.ts'
import type { Rack, RackMachine } from './rack.ts'

/** The bridge inside the rack's namespace. Its address is the provisioner's. */
const BRIDGE = 'br0'
/** The interface inside every machine. */
export const MACHINE_INTERFACE = 'eth0'

/** Name of the rack's network namespace. Labs differ in it, so two run side by side. */
export function rackNamespace(lab: string): string {
  return `pl-${lab}`
}

/** Name of a container machine's own network namespace. */
export function machineNamespace(lab: string, machine: string): string {
  return `pl-${lab}-${machine}`
}

/** Where a network namespace can be entered. */
export function namespacePath(namespace: string): string {
  return `/run/netns/${namespace}`
}

/** Words before a command line which make it run in the network namespace, with all of the host's mounts. */
export function inNamespace(namespace: string): string[] {
  return ['nsenter', `--net=${namespacePath(namespace)}`]
}

/**
 * The bridge's port of a machine, an interface of the rack's namespace: the machine's name where Linux takes it
 * (15 characters), so that `tcpdump -i ctl-1` reads well, else a number.
 */
export function portName(rack: Rack, machine: RackMachine): string {
  return machine.name.length <= 15 && machine.name !== BRIDGE && machine.name !== 'lo'
    ? machine.name
    : `port${rack.machines.indexOf(machine)}`
}

/** Makes the rack's namespace and bridge. The bridge forwards at once: no spanning tree, no delay. */
export async function makeRackNetwork(rack: Rack): Promise<void> {
  const namespace = rackNamespace(rack.name)
  const { address, prefix } = rack.bridge
  await run('ip', ['netns', 'add', namespace], { limitSeconds: 10 })
  await ipBatch(namespace, [
    'link set lo up',
    `link add ${BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    `address add ${address}/${prefix} dev ${BRIDGE}`,
    `link set ${BRIDGE} up`,
  ])
}

/** Sends what the rack has for `cidr` to the machine at the address `via`; a route that is there is changed. */
export async function routeInRack(lab: string, cidr: string, via: string): Promise<void> {
  await ipBatch(rackNamespace(lab), [`route replace ${cidr} via ${via}`])
}

/**
 * Makes a container machine's namespace, plugged into the rack: `eth0` inside, with the machine's MAC. A port that is there
 * is of a power-on before: the kernel takes down a removed namespace, with its end of the cable, shortly after.
 */
export async function plugContainer(rack: Rack, machine: RackMachine): Promise<void> {
  const namespace = machineNamespace(rack.name, machine.name)
  const port = portName(rack, machine)
  await removeNamespace(namespace)
  await run('ip', ['netns', 'add', namespace], { limitSeconds: 10 })
  await unplug(rack, port)
  await ipBatch(rackNamespace(rack.name), [
    `link add ${port} type veth peer name ${MACHINE_INTERFACE} address ${machine.mac} netns ${namespace}`,
    `link set ${port} master ${BRIDGE} up`,
  ])
}

/** The bridge's port of a card of an emulated machine: the machine's own port for the first one. */
export function cardPort(rack: Rack, machine: RackMachine, at: number): string {
  return at === 0 ? portName(rack, machine) : `port${rack.machines.indexOf(machine)}-${at + 1}`
}

/** Makes the tap interfaces of an emulated machine, one a card, plugged into the rack. Those that are there already are kept. */
export async function plugTaps(rack: Rack, machine: RackMachine): Promise<void> {
  const namespace = rackNamespace(rack.name)
  for (let at = 0; at < (machine.network?.length ?? 1); at += 1) {
    const port = cardPort(rack, machine, at)
    if (await hasLink(namespace, port)) continue
    await ipBatch(namespace, [`tuntap add dev ${port} mode tap`, `link set ${port} master ${BRIDGE} up`])
  }
}

/** Removes a network namespace with all that is in it; one that is not there is fine. */
export async function removeNamespace(namespace: string): Promise<void> {
  if (!existsSync(namespacePath(namespace))) return
  await run('ip', ['netns', 'delete', namespace], { limitSeconds: 10 }).catch((problem: unknown) => {
    // A machine's supervisor and who takes the lab down may both be at it.
    if (existsSync(namespacePath(namespace))) throw problem
  })
}

async function unplug(rack: Rack, port: string): Promise<void> {
  const namespace = rackNamespace(rack.name)
  if (!(await hasLink(namespace, port))) return
  await run('ip', ['-n', namespace, 'link', 'delete', port], { limitSeconds: 10 }).catch(
    async (problem: unknown) => {
      if (await hasLink(namespace, port)) throw problem // else the kernel was faster
    },
  )
}

async function hasLink(namespace: string, name: string): Promise<boolean> {
  const { stdout } = await run('ip', ['-n', namespace, '-json', 'link', 'show'], { limitSeconds: 10 })
  return (JSON.parse(stdout) as { ifname: string }[]).some(({ ifname }) => ifname === name)
}

/** The processes whose network is this namespace, by pid; none when there is no such namespace. */
export async function processesIn(namespace: string): Promise<number[]> {
  if (!existsSync(namespacePath(namespace))) return []
  const { stdout } = await run('ip', ['netns', 'pids', namespace], { limitSeconds: 10 })
  return stdout.split('\n').filter(Boolean).map(Number)
}

/** Runs `ip` commands in one process, in the namespace; the first that fails ends it. */
async function ipBatch(namespace: string, commands: readonly string[]): Promise<void> {
  const input = `${commands.join('\n')}\n`
  await run('ip', ['-n', namespace, '-batch', '-'], { limitSeconds: 10, input })
}
