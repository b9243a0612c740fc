// The daemon: opens the store, the listeners and the protocols, ties them together, and closes them again. It decides
// nothing itself.

import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { serverIdentity } from './agent/authority.ts'
import { Tokens } from './agent/tokens.ts'
import { readLoaders, type Loaders } from './assets/loaders.ts'
import { localFilesBelow } from './butane/local-files.ts'
import type { ServerConfig } from './config.ts'
import { openDhcp, type DhcpServer } from './dhcp/socket.ts'
import { CannotListen } from './errors.ts'
import { agentApp, httpApp } from './http/app.ts'
import { Catalog } from './inventory/catalog.ts'
import { Clients } from './inventory/clients.ts'
import { DataDirectory } from './inventory/data-directory.ts'
import { Journal } from './inventory/journal.ts'
import type { ProvisioningNetwork } from './inventory/objects.ts'
import { SqliteStore } from './inventory/sqlite.ts'
import { causesOf, type Log } from './log.ts'
import type { Sources } from './render/answers.ts'
import type { Endpoints } from './render/context.ts'
import { GoTemplates } from './render/go-templates.ts'
import { Templates } from './render/templates.ts'
import { openTftp, type TftpServer } from './tftp/socket.ts'

/** A server that runs. */
export type RunningServer = {
  /** TCP ports, as they were given or found free. */
  readonly httpPort: number
  readonly agentPort: number
  /** Ends all answers under way, closes every port, and puts everything on disk. */
  close(): Promise<void>
}

const DAY_MS = 86_400_000

const now = () => Date.now()

/**
 * Opens everything that `config` asks for; resolves once machines may boot.
 *
 * @throws {CannotListen} {CannotServeDhcp} {CannotServeTftp} when a port cannot be had; {NewerStore}
 */
export async function serve(
  config: ServerConfig,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Log },
): Promise<RunningServer> {
  signal.throwIfAborted()
  const open: (() => void | Promise<void>)[] = []
  let closing: Promise<void> | undefined
  const close = () => (closing ??= closeAll(open))
  try {
    const server = await openAll(config, log, open)
    signal.addEventListener('abort', () => void close(), { once: true })
    return { ...server, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Opens part after part; each leaves in `open` how it is closed. */
async function openAll(
  config: ServerConfig,
  log: Log,
  open: (() => void | Promise<void>)[],
): Promise<Omit<RunningServer, 'close'>> {
  const report = (problem: Error) => log('warn', causesOf(problem))

  const store = new SqliteStore(join(config.statePath, 'pilotlight.db'))
  open.push(() => store.close())
  store.prune(now() - config.eventDays * DAY_MS)
  const pruning = setInterval(() => store.prune(now() - config.eventDays * DAY_MS), DAY_MS)
  open.push(() => clearInterval(pruning))

  const directory = new DataDirectory(config.dataPath, () => {
    catalog = readCatalog()
  })
  open.push(() => directory.close())
  const readCatalog = () => {
    const read = new Catalog(directory.content, store.sites())
    for (const { file, reason } of read.problems) log('warn', `${file} cannot be used: ${reason}`)
    return read
  }
  let catalog = readCatalog()

  const journal = new Journal(
    store,
    () => catalog,
    now,
    error => {
      log('error', `A boot event could not be kept: ${causesOf(error)}`)
    },
  )
  const tokens = new Tokens(store, now)
  const templates = new Templates(config.dataPath)
  const goTemplates = new GoTemplates(config.dataPath)
  const localFiles = localFilesBelow(config.dataPath, config.statePath)
  const network = networkOf(config.address, () => catalog)
  let dhcp: DhcpServer | undefined
  const clients = new Clients(
    address => dhcp?.macOf(address),
    () => dhcp !== undefined && network()?.dhcp === 'full',
  )
  const identity = await serverIdentity(config.statePath, config.address, now())

  const loaders = await readLoaders(config.loadersPath, reason => {
    log('warn', `A boot loader is missing, machines that need it cannot boot: ${reason}`)
  })
  const stopping = new AbortController()
  // Known once the ports are: port 0 takes a free one.
  let endpoints: Endpoints = {
    server: { url: '', address: config.address },
    agent: { url: '', ca: identity.ca },
  }
  const sources = (): Sources => ({ catalog, templates, goTemplates, localFiles, endpoints })
  const needs = {
    sources,
    journal,
    tokens,
    clients,
    store,
    log,
    signal: stopping.signal,
    assetsPath: config.assetsPath,
    loaders,
    catalog: () => catalog,
    putSite: (name: string, objects: Parameters<SqliteStore['putSite']>[1]) => {
      const changed = store.putSite(name, objects)
      if (changed) catalog = new Catalog(directory.content, store.sites())
      return changed
    },
    putBundle: (machine: string, files: Parameters<SqliteStore['putBundle']>[1]) =>
      store.putBundle(machine, files),
  }
  const http = await httpApp(needs)
  const agent = await agentApp(needs, identity)
  // Closed in the reverse order: those who wait for events are sent home before the listeners wait for them.
  open.push(() => agent.close())
  open.push(() => http.close())
  open.push(() => stopping.abort())
  const agentPort = await listen(agent, config.address, config.agentPort)
  const httpPort = await listen(http, config.address, config.httpPort)
  const url = `http://${config.address}:${httpPort}`
  endpoints = {
    server: { url, address: config.address },
    agent: { url: `https://${config.address}:${agentPort}`, ca: identity.ca },
  }

  if (config.tftp) {
    const files = tftpFiles(loaders, sources)
    const tftp: TftpServer = await openTftp({
      address: config.address,
      files,
      report,
      events: { record: event => void (event.mac === '' ? undefined : journal.record(event)) },
      macOf: address => clients.macOf(address),
    })
    open.push(() => tftp.close())
  }
  if (config.dhcp) {
    const leases = { all: () => store.leases(), commit: store.changeLeases.bind(store) }
    const events = { record: (event: Parameters<Journal['record']>[0]) => void journal.record(event) }
    const reservations = { machines: () => catalog.machines }
    dhcp = await openDhcp({ address: config.address, url, network, leases, events, reservations, report })
    const opened = dhcp
    open.push(() => opened.close())
  }
  log('info', 'serving', { url, agent: endpoints.agent.url, dhcp: config.dhcp, tftp: config.tftp })
  return { httpPort, agentPort }
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<number> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    throw new CannotListen(host, port, error as NodeJS.ErrnoException) // node:net throws no other
  }
  return (app.server.address() as AddressInfo).port // it listens on TCP
}

/** The network that our address is on; the same object until a site changes. */
function networkOf(address: string, catalog: () => Catalog): () => ProvisioningNetwork | undefined {
  return () => catalog().networks.find(({ subnet }) => contains(subnet, address))
}

function contains(subnet: string, address: string): boolean {
  const [base = '', bits = '32'] = subnet.split('/')
  const mask = Number(bits) === 0 ? 0 : (-1 << (32 - Number(bits))) >>> 0
  return ((numberOf(base) & mask) ^ (numberOf(address) & mask)) === 0
}

function numberOf(address: string): number {
  return address.split('.').reduce((number, byte) => (number << 8) | Number(byte), 0)
}

/** What TFTP serves. Some firmware puts folders before the name: only its last part counts. */
function tftpFiles(loaders: Loaders, sources: () => Sources) {
  return async (asked: string): Promise<{ bytes: Uint8Array } | undefined> => {
    const name = asked.slice(asked.lastIndexOf('/') + 1)
    if (name !== 'autoexec.ipxe') return loaders.get(name)
    // What an iPXE without an embedded script looks for beside itself.
    const { templates, endpoints } = sources()
    const script = `ipxe/${name}.njk`
    return templates.has(script) ? { bytes: Buffer.from(templates.render(script, endpoints)) } : undefined
  }
}

/** Closes in the reverse order of opening; one that fails keeps none of the others open. */
async function closeAll(open: (() => void | Promise<void>)[]): Promise<void> {
  const failures: unknown[] = []
  for (const close of open.toReversed()) {
    try {
      await close()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'Some parts of the server did not close.')
}
