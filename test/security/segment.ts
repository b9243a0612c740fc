// A provisioning segment for attacks: a whole server with its sockets in its own network namespace, and hosts on the
// same bridge that send whatever a test says.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import type { BootEvent } from '#model/boot.ts'
import type { Machine, MachineTrust } from '#model/machine.ts'
import type { SiteObjects } from '#model/site.ts'
import { endChild } from '../end-child.ts'
import { machineKey, type TestKey } from '../machine-key.ts'
import { testNetwork, type TestNetwork } from '../network.ts'
import { slotFiles } from '../slot-files.ts'
import { childServer, type ChildServer } from './child-server.ts'
import type { Done, Order } from './host.ts'

/** The server's address on the segment, and where it listens. */
export const SERVER = '10.20.0.1'
export const HTTP = `http://${SERVER}:8080`
export const AGENT = `https://${SERVER}:8443`

/** A host on the segment. */
export type Host = {
  do(order: Order): Promise<Done>
  get(path: string): Promise<Done>
  /** A request to the agents' side with a token. */
  agent(route: string, token: string, body?: unknown): Promise<Done>
}

/** The segment. */
export type Segment = {
  /** Adds a host. */
  host(): Promise<Host>
  /** A host with the server's own address: the operator. */
  readonly operator: Host
  /** All events of a machine or MAC. */
  events(name: string): Promise<BootEvent[]>
  /** The alarms counted so far, by kind. */
  alarms(): Promise<Record<string, number>>
  /** A machine as `/machines` shows it. */
  machine(name: string): Promise<Record<string, unknown>>
  /** Any answer to an operator's GET, as text. */
  read(path: string): Promise<string>
  put(path: string, body: unknown): Promise<Done>
  post(path: string, body: unknown): Promise<Done>
  delete(path: string): Promise<Done>
  /** Where the server keeps its state. */
  readonly statePath: string
  /** The server's process, and what it wrote, until a restart. */
  server(): Pick<ChildServer, 'child' | 'said'>
  /** Ends the server with SIGKILL, and starts it again with the same state. */
  restart(): Promise<void>
}

export const CTL_1: Machine = {
  name: 'ctl-1',
  macs: ['52:54:00:20:00:01'],
  uuid: '5a0e7f00-0020-4000-8000-000000000001',
  role: 'controller',
  address: '10.20.0.11',
  labels: {},
}
/** CTL_1's own MAC and UUID. */
export const [MAC = ''] = CTL_1.macs
export const UUID = CTL_1.uuid ?? ''

/** What a bundle holds, where a test does not care. */
export const BUNDLE_FILES = [{ path: '/etc/kubernetes/pki/ca.crt', mode: 0o600, content: 'secret\n' }]

export const CMP_1: Machine = {
  name: 'cmp-1',
  macs: [],
  uuid: '5a0e7f00-0020-4000-8000-000000000002',
  role: 'compute',
  address: '10.20.0.12',
  labels: {},
}
export const STRANGER = { mac: '52:54:00:66:66:66', uuid: '66666666-6666-4666-8666-666666666666' }

/** The site of the segment: a controller known by MAC, a compute machine known by UUID alone. */
export function siteOf(
  network: Partial<SiteObjects['network']> = {},
  machines: readonly Machine[] = trusting({}),
): SiteObjects {
  return {
    network: {
      subnet: '10.20.0.0/24',
      gateway: SERVER,
      dhcp: 'full',
      pool: { first: '10.20.0.100', last: '10.20.0.199' },
      dns: [],
      ...network,
    },
    machines,
    profiles: [],
    groups: machines.map(({ name, macs, uuid }) => ({
      id: name,
      profile: 'node',
      selector: macs[0] === undefined ? { uuid: uuid ?? '' } : { mac: macs[0] },
      metadata: {},
    })),
  }
}

/** The trust of the segment's machines: L1, unless a test says otherwise. */
export const L1: MachineTrust = { level: 'L1', approve: 'operator', reboot: 'auto', deadlineMinutes: 60 }

/** The machines of the segment with another trust. */
export function trusting(trust: Partial<MachineTrust>): Machine[] {
  return [CTL_1, CMP_1].map(machine => ({ ...machine, trust: { ...L1, ...trust } }))
}

/** Enrolls a key with a token, and fetches the bundle with it: the last answer, its body opened where there is one. */
export async function redeem(host: Host, token: string, key?: TestKey): Promise<Done> {
  const own = key ?? (await machineKey())
  const enrolled = await host.agent('enroll', token, { key: own.recipient })
  if (enrolled.status !== 200) return enrolled
  const { challenge } = JSON.parse(enrolled.text ?? '') as { challenge: string }
  const done = await host.agent('bundle', token, { answer: await own.open(challenge) })
  if (done.status !== 200) return done
  const opened = await own.openBytes(Buffer.from(done.base64 ?? '', 'base64'))
  return { ...done, text: Buffer.from(opened).toString('utf8') }
}

/**
 * Lays a segment, starts the server on it (TFTP only on request), and publishes `site`; all of it ends with the test.
 *
 * @param env more of the server's environment
 * @param slot whether its assets have a slot, which machines can be installed from
 */
export async function laySegment(
  t: Test,
  site: SiteObjects = siteOf(),
  env: Readonly<Record<string, string>> = {},
  { tftp = false, slot = false }: { readonly tftp?: boolean; readonly slot?: boolean } = {},
): Promise<Segment> {
  const args = slot ? ['coreos.live.rootfs_url={{ server.url }}/assets/live/rootfs.squashfs'] : []
  const dataPath = t.testdir({
    profiles: {
      'node.json': JSON.stringify({ id: 'node', ignition_id: 'a.ign.njk', boot: { kernel: '/k', args } }),
    },
    assets: slot ? slotFiles() : {},
    loaders: { 'undionly.kpxe': 'x'.repeat(600) },
    ignition: { 'a.ign.njk': '{"ignition":{"version":"3.4.0"},"token":{{ agent.token | json }}}' },
  })
  const network = await testNetwork(t)
  await network.ip('link add br0 type bridge', `address add ${SERVER}/24 dev br0`, 'link set br0 up')
  const statePath = join(dataPath, 'state')
  const flags = ['--address', SERVER, '--data-path', dataPath, '--loaders-path', join(dataPath, 'loaders')]
  flags.push('--http-port', '8080', '--agent-port', '8443')
  if (slot) flags.push('--assets-path', join(dataPath, 'assets'))
  const start = () =>
    childServer(t, {
      statePath,
      within: network.within,
      dhcp: true,
      env,
      tftp,
      flags,
    })
  let serving = await start()
  let hosts = 0
  const addHost = async (): Promise<Host> => {
    const number = (hosts += 1)
    const own = await testNetwork(t)
    await network.ip(
      `link add p${number} type veth peer name eth0 netns ${own.pid}`,
      `link set p${number} master br0 up`,
    )
    await own.ip('link set eth0 up', 'route add default dev eth0')
    return startHost(t, own)
  }
  const operator = startHost(t, network)
  const send = (method: string) => async (path: string, body: unknown) =>
    operator.do({
      do: 'fetch',
      url: `${HTTP}${path}`,
      method,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${adminToken()}` },
      body: JSON.stringify(body),
    })
  const adminToken = () => readFileSync(join(statePath, 'admin.token'), 'utf8').trim()
  const read = async (path: string): Promise<string> => {
    const headers = { authorization: `Bearer ${adminToken()}` }
    const { status, text = '' } = await operator.do({ do: 'fetch', url: `${HTTP}${path}`, headers })
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`)
    return text
  }
  const published = await send('PUT')('/v1/sites/rack-1', site)
  if (published.status !== 200) throw new Error(`the site: ${published.status} ${published.text}`)
  return {
    host: addHost,
    operator,
    events: async name =>
      (JSON.parse(await read(`/v1/events?machine=${name}`)) as { events: BootEvent[] }).events,
    alarms: async () =>
      Object.fromEntries(
        [...(await read('/metrics')).matchAll(/^pilotlight_alarms_total\{kind="(\w+)"\} (\d+)/gm)].map(
          ([, kind = '', count]) => [kind, Number(count)],
        ),
      ),
    machine: async name => JSON.parse(await read(`/machines/${name}`)) as Record<string, unknown>,
    read,
    statePath,
    server: () => serving,
    put: send('PUT'),
    post: send('POST'),
    delete: path => send('DELETE')(path, {}),
    restart: async () => {
      await serving.kill()
      serving = await start()
    },
  }
}

/** Boots a machine on a host as far as its config: DHCP as firmware and as iPXE, script, config. Gives its token. */
export async function bootTo(
  host: Host,
  { macs: [mac = '52:54:00:20:00:02'], uuid = STRANGER.uuid }: Pick<Machine, 'macs' | 'uuid'>,
): Promise<string> {
  for (const stage of ['firmware', 'ipxe'] as const) {
    const { error } = await host.do({ do: 'dhcp', mac, uuid, stage })
    if (error !== undefined) throw new Error(error)
  }
  const script = await host.get(`/ipxe?uuid=${uuid}&mac=${mac}`)
  if (script.status !== 200) throw new Error(`/ipxe: ${script.status} ${script.text}`)
  return tokenIn(await host.get(`/ignition?uuid=${uuid}&mac=${mac}`))
}

/** The token in an answer of `/ignition`; empty where there is none. */
export function tokenIn({ status, text = '', error }: Done): string {
  if (status !== 200) throw new Error(`/ignition: ${status} ${text} ${error}`)
  return (JSON.parse(text) as { token: string }).token
}

function startHost(t: Test, { within: [nsenter, netns] }: TestNetwork): Host {
  const script = join(import.meta.dirname, 'host.ts')
  const child = spawn(nsenter, [netns, process.execPath, '--no-warnings', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.teardown(() => endChild(child))
  const pending = new Map<number, (done: Done) => void>()
  createInterface(child.stdout).on('line', line => {
    const { id, done } = JSON.parse(line) as { id: number; done: Done }
    // The text of a body is made here: readline ends lines at U+2028 too, which JSON does not escape and sealed bytes may have.
    const { base64 } = done
    pending.get(id)?.(
      base64 === undefined ? done : { ...done, text: Buffer.from(base64, 'base64').toString() },
    )
    pending.delete(id)
  })
  let count = 0
  const give = (order: Order) =>
    new Promise<Done>(resolve => {
      const id = (count += 1)
      pending.set(id, resolve)
      child.stdin.write(`${JSON.stringify({ id, order })}\n`)
    })
  return {
    do: give,
    get: path => give({ do: 'fetch', url: `${HTTP}${path}` }),
    agent: (route, token, body = {}) =>
      give({
        do: 'fetch',
        url: `${AGENT}/agent/v1/${route}`,
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
  }
}
