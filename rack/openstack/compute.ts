// Nova's and Placement's calls: what runs guests, and the life of one server.

import type { OpenstackClient } from './client.ts'

/** Something that runs guests, as `GET /os-hypervisors/detail` shows it. Nova lists it once its host is in a cell. */
export type Hypervisor = {
  readonly id: string
  readonly hypervisor_hostname: string
  /** `QEMU` for libvirt with and without KVM, `fake` for the driver that runs nothing. */
  readonly hypervisor_type: string
  readonly state: 'up' | 'down'
  readonly status: 'enabled' | 'disabled'
  readonly service: { readonly host: string }
}

/** A server, with the fields that are read. */
export type Server = {
  readonly id: string
  readonly name: string
  /** `BUILD`, `ACTIVE`, `ERROR` ... */
  readonly status: string
  readonly fault?: { readonly message: string }
  readonly 'OS-EXT-STS:task_state'?: string | null
  readonly 'OS-EXT-SRV-ATTR:host'?: string | null
}

/** The driver that runs a server, as it reports itself. */
export type Diagnostics = {
  /** For example `libvirt`. */
  readonly driver: string
  /** For libvirt its kind of domain: `kvm`, or `qemu` for QEMU's own emulation (TCG). */
  readonly hypervisor: string | null
}

/** What a server is made of, each by its id. */
export type ServerParts = {
  readonly name: string
  readonly flavor: string
  readonly image: string
  readonly port: string
}

/** Every hypervisor that is mapped to a cell. */
export async function listHypervisors(cloud: OpenstackClient): Promise<Hypervisor[]> {
  const { hypervisors } = await cloud.get<{ hypervisors: Hypervisor[] }>('compute', '/os-hypervisors/detail')
  return hypervisors
}

/** Every server of every project. */
export async function listServers(cloud: OpenstackClient): Promise<Pick<Server, 'id' | 'name'>[]> {
  const path = '/servers?all_tenants=1'
  return (await cloud.get<{ servers: Pick<Server, 'id' | 'name'>[] }>('compute', path)).servers
}

/** How many hosts Placement would offer to a guest of that size. */
export async function countCandidates(
  cloud: OpenstackClient,
  vcpus: number,
  megabytes: number,
): Promise<number> {
  const path = `/allocation_candidates?resources=VCPU:${vcpus},MEMORY_MB:${megabytes}`
  const { allocation_requests } = await cloud.get<{ allocation_requests: object[] }>('placement', path)
  return allocation_requests.length
}

/** Makes a flavor without a disk: its servers run from their image. Gives its id. */
export async function createFlavor(
  cloud: OpenstackClient,
  flavor: { readonly name: string; readonly vcpus: number; readonly ram: number; readonly disk: number },
): Promise<string> {
  // A null id lets Nova choose one; the client's word `auto` would be taken literally.
  const made = await cloud.post<{ flavor: { id: string } }>('compute', '/flavors', {
    flavor: { id: null, ...flavor },
  })
  return made.flavor.id
}

/** Asks for a server on a port that is there already, and gives its id at once. */
export async function createServer(cloud: OpenstackClient, parts: ServerParts): Promise<string> {
  const { name, flavor, image, port } = parts
  const server = { name, flavorRef: flavor, imageRef: image, networks: [{ port }] }
  return (await cloud.post<{ server: { id: string } }>('compute', '/servers', { server })).server.id
}

export async function readServer(cloud: OpenstackClient, id: string): Promise<Server> {
  return (await cloud.get<{ server: Server }>('compute', `/servers/${id}`)).server
}

/** What the server wrote to its serial console so far. */
export async function consoleOutput(cloud: OpenstackClient, id: string): Promise<string> {
  const action = { 'os-getConsoleOutput': {} }
  return (await cloud.post<{ output: string }>('compute', `/servers/${id}/action`, action)).output
}

/** Which driver runs the server; it must be running. */
export function diagnose(cloud: OpenstackClient, id: string): Promise<Diagnostics> {
  return cloud.get<Diagnostics>('compute', `/servers/${id}/diagnostics`)
}
