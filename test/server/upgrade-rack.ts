// A rack of installed machines that ask a real server for orders, for tests: they run one version from their disks, and the assets
// hold another one.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { OrderAnswer, OrderView } from '#model/install.ts'
import { SLOT_VERSION, slotServerFiles, slotText } from '../slot-files.ts'
import { agentCall, authorityOf } from './agent-call.ts'
import { site, testServer, type TestServer } from './serving.ts'

const choice = { match: {}, explicit: false, mirror: false, encrypt: 'no', overwrite: false } as const
const disk = { name: 'sda', bytes: 960e9, serial: 'S1', holds: null }
/** What an initrd asks that found one empty disk. */
export const ask = { action: 'install', disks: [disk], chosen: ['sda'], found: null }
export const OLD = SLOT_VERSION
const ROOTHASH = '1111bbbb1111'.padEnd(64, '0')
export const NEW = ROOTHASH.slice(0, 12)
export const [BEFORE, AFTER] = [
  '00000000-0000-4000-8000-000000000001',
  '00000000-0000-4000-8000-000000000002',
]
export const macOf = (at: number) => `52:54:00:20:01:${at.toString(16).padStart(2, '0')}`

/** What a test has: the server, and the machines as they ask. */
export type Rack = {
  readonly server: TestServer
  readonly order: (machines: readonly string[], more?: object) => Promise<Response>
  readonly restart: (machine: string, body?: object) => Promise<Response>
  /** Asks as the machine does. */
  readonly ask: (machine: string, more?: object) => Promise<OrderAnswer>
  readonly report: (machine: string, stage: string, version?: string) => Promise<number>
  readonly orders: () => Promise<Record<string, OrderView>>
  readonly token: (machine: string) => string
  readonly reopen: () => Promise<void>
}

/** Puts a site of these machines, `ctl-N` or `cmp-N`, which may install themselves to any empty disk. */
export async function declare(server: TestServer, names: readonly string[]): Promise<void> {
  const machines = names.map((name, at) => ({
    name,
    role: name.startsWith('ctl') ? 'controller' : 'compute',
    macs: [macOf(at)],
    address: `10.20.0.${11 + at}`,
    labels: {},
    disk: choice,
  }))
  const groups = machines.map(({ name, role, address, macs: [mac = ''] }) => ({
    id: `rack-1-${name}`,
    profile: role,
    selector: { mac },
    metadata: { site: 'rack-1', name, role, address, apiAddress: '10.20.0.11' },
  }))
  const put = await server.put('/v1/sites/rack-1', { ...site, machines, groups })
  if (put.status !== 200) throw new Error(await put.text())
}

/** A rack whose machines run `OLD` from their disks, while the assets hold `NEW`; `isEntered`: no install of them is known. */
export async function rackOf(
  t: Test,
  names: readonly string[],
  { isNew = true, isEntered = false } = {},
): Promise<Rack> {
  const dataPath = t.testdir(slotServerFiles('controller', 'compute'))
  const paths = { dataPath, assetsPath: join(dataPath, 'assets'), statePath: join(dataPath, 'state') }
  let server = await testServer(t, paths)
  await declare(server, names)
  const tokens = new Map<string, string>()
  const report = async (machine: string, stage: string, version?: string) => {
    const install = { disk: 'sda', slot: 'a', ...(version !== undefined && { version }) }
    return (await agentCall(server)('report', tokens.get(machine) ?? '', { stage, install })).status
  }
  for (const [at, name] of names.entries()) {
    await server.get(`/ipxe?mac=${macOf(at)}`)
    const config = (await (await server.get(`/ignition?mac=${macOf(at)}`)).json()) as { token: string }
    tokens.set(name, config.token)
    const found = isEntered ? foundOn(server, name) : null
    const granted = await agentCall(server)('install', config.token, { ...ask, found })
    if (granted.status !== 200) throw new Error(granted.text)
    await report(name, 'installed', OLD)
    await report(name, 'ready', OLD)
  }
  if (isNew) {
    const cmdline = `pilotlight.disk roothash=${ROOTHASH}`
    const text = slotText(slot => ({ ...slot, version: NEW, roothash: ROOTHASH, cmdline }))
    writeFileSync(join(dataPath, 'assets/live/slot.json'), text)
  }
  return {
    get server() {
      return server
    },
    order: (machines, more = {}) =>
      server.post('/v1/orders', { verb: 'upgrade', machines, count: machines.length, ...more }, server.admin),
    restart: (machine, body = {}) => server.post(`/v1/machines/${machine}/order/restart`, body, server.admin),
    ask: async (machine, more = {}) => {
      const body = { version: OLD, slot: 'a', kernel: BEFORE, good: true, ...more }
      const { status, text } = await agentCall(server)('order', tokens.get(machine) ?? '', body)
      if (status !== 200) throw new Error(`${status} ${text}`)
      return JSON.parse(text) as OrderAnswer
    },
    report,
    orders: async () => {
      const all = (await (await server.get('/v1/orders')).json()) as OrderView[]
      return Object.fromEntries(all.map(one => [one.machine, one]))
    },
    token: machine => tokens.get(machine) ?? '',
    reopen: async () => {
      await server.close()
      server = await testServer(t, paths)
    },
  }
}

/** What an initrd finds on the disk of a machine that runs `OLD`. */
function foundOn(server: TestServer, machine: string): object {
  const { authority } = authorityOf(server)
  return { machine, authority, uuid: 'u', version: OLD }
}

/** What a network boot of a machine is answered that finds its system on the disk. */
export async function enterOf({ server }: Rack, machine: string, mac: string): Promise<object> {
  await server.get(`/ipxe?mac=${mac}`)
  const config = (await (await server.get(`/ignition?mac=${mac}`)).json()) as { token: string }
  const found = foundOn(server, machine)
  const { status, text } = await agentCall(server)('install', config.token, { ...ask, found })
  if (status !== 200) throw new Error(`${status} ${text}`)
  return JSON.parse(text) as object
}

/** What a machine says once it has written the new image. */
export const written = { doing: 'written', target: NEW }
