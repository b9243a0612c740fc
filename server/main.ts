// The daemon: lists its parts in the order in which they are opened, each with what it declares, and ties them together. Each
// is opened by its own room, and all are closed in the reverse order. This file decides nothing itself.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { contains } from '#model/ipv4.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import { endsOf, openListenerCertificates, reloadAll } from './access/listener-certificates.ts'
import { AccessTokens } from './access/access-tokens.ts'
import { serverIdentity } from './agent/authority.ts'
import { sightingIn } from './agent/copies.ts'
import { openAgents } from './agent/open.ts'
import { DownloadBuffers } from './assets/buffers.ts'
import { readLoaders } from './assets/loaders.ts'
import { parseLabels } from './boot/match/labels.ts'
import { bootSources } from './boot/sources.ts'
import { PROJECT_ROOT, type ServerConfig } from './config.ts'
import { endpointsOf } from './endpoints.ts'
import { CannotWrite } from './errors.ts'
import type { Catalog } from './inventory/catalog.ts'
import { openInventory } from './inventory/open.ts'
import { Refusals } from './limits/refusals.ts'
import { causesOf, type Log } from './log.ts'
import { openMachines } from './machines/open.ts'
import { measure } from './measure.ts'
import { Metrics } from './metrics.ts'
import { InheritedSockets, type InheritedSocket } from './process/activation.ts'
import { openClock } from './process/clock.ts'
import { hostClock } from './process/host-clock.ts'
import { Parts } from './process/parts.ts'
import { leasesAfterJump } from './protocols/dhcp/leases.ts'
import type { DhcpEvent } from './protocols/dhcp/offer.ts'
import { Prober } from './protocols/dhcp/probe.ts'
import { openDhcp, type DhcpServer } from './protocols/dhcp/socket.ts'
import type { Readiness } from './protocols/http/api/health.ts'
import { openListeners } from './protocols/http/listeners.ts'
import { admission } from './protocols/http/wire/admission.ts'
import { logLines } from './protocols/http/wire/requests.ts'
import { tftpFiles } from './protocols/tftp/boot-files.ts'
import { ourNetworks } from './protocols/tftp/networks.ts'
import { openTftp, type TftpEvent } from './protocols/tftp/socket.ts'
import { openKeyRing } from './signing/key-ring.ts'
import { openState } from './state/open.ts'
import { openPruning } from './state/pruning.ts'
import { diskErrorOf } from './state/write-failure.ts'
import { openStore } from './store/open.ts'

/** A server that runs. */
export type RunningServer = {
  /** TCP ports, as they were given or found free. */
  readonly httpPort: number
  readonly agentPort: number
  /** Of administration, where it has a listener of its own. */
  readonly adminPort: number | undefined
  /** Of gRPC, where it is on. */
  readonly rpcPort: number | undefined
  /** Reads the certificates again, as happens by itself where the file system tells of changes. */
  reload(): void
  /** Takes nothing new, lets answers under way end for a while, closes every port, and puts everything on disk. */
  close(): Promise<void>
}

/** What a server runs with besides its settings. */
export type ServeOptions = {
  readonly signal: AbortSignal
  readonly log: Log
  /** Sockets that were opened for us: each is used in place of one that we would bind. */
  readonly sockets?: readonly InheritedSocket[]
}

/**
 * Opens everything that `config` asks for; resolves once machines may boot. Aborting `signal` closes it, and waits for no
 * answer that is under way.
 *
 * @throws {CannotListen} {CannotServeDhcp} {CannotServeTftp} when a port cannot be had; {BadSettings} {NewerStore} {StateInUse};
 *   {CannotWrite} when the disk of the state is full or read-only; {BrokenState} when something of it is damaged
 */
export async function serve(
  config: ServerConfig,
  { signal, log, sockets = [] }: ServeOptions,
): Promise<RunningServer> {
  signal.throwIfAborted()
  const parts = new Parts()
  const close = () => parts.close()
  try {
    const server = await openAll(config, { signal, log, sockets }, parts)
    signal.addEventListener('abort', () => void close(), { once: true })
    return { ...server, close }
  } catch (error) {
    await close().catch(() => {}) // what failed first is worth more than what cannot be closed after it
    throw diskErrorOf(error, config.statePath) ?? error
  }
}

/** Opens part after part; each adds to `parts` how it is closed. */
async function openAll(
  config: ServerConfig,
  { signal, log, sockets }: Required<ServeOptions>,
  parts: Parts,
): Promise<Omit<RunningServer, 'close'>> {
  const { address, statePath, dataPath, assetsPath, limits, strangers, certificateRole } = config
  const report = (problem: Error) => log('warn', causesOf(problem))
  const clocks = { wall: () => Date.now(), steady: () => performance.now() }
  let state: Readiness['state'] = 'starting'
  const lastWord = () => {
    if (state === 'stopping') log('info', 'stopped')
  }
  parts.add('the log', { close: lastWord })

  // What is kept on disk.
  const health = await openState({ statePath, log, signal }, parts)
  const storePath = join(statePath, 'pilotlight.db')
  const { store, throwIfDamaged } = openStore({ path: storePath, health, report }, parts)
  const clock = openClock(log, parts)
  const { onJump } = clock
  const moved = leasesAfterJump(await store.leases.all(), store.newestEvent(), clock.now())
  if (moved !== undefined) await store.leases.commit(moved.map(lease => ({ kind: 'put', lease })))
  openPruning({ store, days: config.eventDays, clocks, onJump, log }, parts)
  const inventory = await openInventory({ store: store.objects, dataPath, now: clocks.wall, log }, parts)
  const { catalog } = inventory
  const certificates = await openListenerCertificates(config, report, parts)
  onJump(() => reloadAll(certificates))

  // What is known of machines, and what gives them their secrets.
  const metrics = new Metrics(VERSION, () => {
    const signing = agents.signingEnds()
    return measure({ catalog, journal, health, storePath, signing, certificates: endsOf(certificates) })
  })
  const { refuse } = new Refusals(log, (reason, times) => metrics.refused(reason, times))
  const network = networkOf(address, catalog)
  let dhcp: DhcpServer | undefined // opened last: it names the ports of the others
  const leases = {
    // By the settings: HTTP is open before DHCP is, and closed after it.
    mode: () => (config.dhcp ? (network()?.dhcp ?? 'off') : 'off'),
    isOpen: () => !config.dhcp || dhcp !== undefined,
    leaseAt: (address: string) => dhcp?.leaseAt(address),
  }
  const isStuck = () => health.trouble() !== undefined
  const machines = openMachines({ store, catalog, leases, metrics, refuse, isStuck, now: clocks.wall, log })
  const { journal, alarms, clients, isDeclared } = machines
  const prober = new Prober()
  const isUp = (address: string) => prober.look(address)?.then(() => prober.result(address) === 'used')
  const agents = openAgents(
    { store, catalog, journal, alarms, clients, isUp, clocks, hostClock: hostClock(), onJump, log },
    parts,
  )
  const { ca } = await serverIdentity(statePath, config.agent.host, clocks.wall())
  const accessTokens = new AccessTokens(statePath, clocks.wall, error => health.failed(error))

  // What machines boot.
  const loaders = await readLoaders(config.loadersPath, reason => {
    log('warn', `A boot loader is missing, machines that need it cannot boot: ${reason}`)
  })
  const { keyRingPath, keyRingPassphrase } = config
  const signer = keyRingPath === undefined ? undefined : await openKeyRing(keyRingPath, keyRingPassphrase)
  let endpoints = endpointsOf(config, ca)
  const sources = bootSources({ catalog, dataPath, statePath, endpoints: () => endpoints })

  // HTTP, in its four parts. It and gRPC end together: who stops the server waits once.
  const inherited = new InheritedSockets(sockets)
  const stopping = new AbortController()
  const admitted = admission(refuse, isDeclared, strangers)
  const listeners = await openListeners(
    config,
    {
      wire: {
        log,
        limits,
        admission: admitted,
        requests: {
          log,
          metrics,
          mayLog: logLines(refuse, isDeclared, strangers.logLines),
          machineOf: (address, query) => {
            dhcp?.sawAlive(address) // a TCP connection came from there
            const mac = parseLabels(query).mac ?? clients.macOf(address)
            return catalog.machine({ address, ...(mac === undefined ? {} : { mac }) })?.name ?? mac
          },
        },
      },
      health: {
        readiness: () => ({ state, problems: catalog.problems.length, trouble: health.trouble()?.reason }),
      },
      boot: {
        sources,
        journal,
        clients,
        alarms,
        signer,
        log,
        tokens: agents.tokens,
        waits: agents.waits,
        copies: agents.copies,
        hasBundle: machine => store.bundle(machine) !== undefined,
      },
      assets: {
        assetsPath,
        loaders,
        journal,
        clients,
        log,
        downloads: new DownloadBuffers(isDeclared, address => refuse('download_slow', address)),
      },
      api: {
        inventory,
        catalog: () => catalog,
        sources,
        assetsPath,
        store,
        journal,
        metrics,
        accessTokens,
        enrolment: agents.enrolment,
        reopenings: agents.reopenings,
        signing: agents.signingOf,
        putBundle: store.putBundle.bind(store),
        sites: () => store.sites(),
        putAuthority: agents.authorities.put.bind(agents.authorities),
        signal: stopping.signal,
        log,
      },
      agent: {
        catalog: () => catalog,
        journal,
        alarms,
        clients,
        refuse,
        strangers,
        isDeclared,
        log,
        tokens: agents.tokens,
        enrolment: agents.enrolment,
        renewal: agents.renewal,
        copies: agents.copies,
      },
    },
    accessTokens,
    certificates,
    (host, port) => inherited.take('tcp', host, port),
  )
  const ofTcp = parts.add('the TCP listeners', new Parts('at once'), config.stopSeconds + 10)
  const limitSeconds = config.stopSeconds + 5
  ofTcp.add('HTTP', { close: () => listeners.close(config.stopSeconds, signal) }, limitSeconds)
  // Closed before the listeners wait for those who wait for events.
  parts.add('the readers of events', { close: () => stopping.abort() })
  const { httpPort, agentPort, adminPort } = listeners
  endpoints = endpointsOf(config, ca, { httpPort, agentPort })

  let rpcPort: number | undefined
  if (config.rpc !== undefined && certificates.rpc !== undefined) {
    const { openRpc } = await import('./protocols/rpc/listener.ts') // takes a tenth of a second that others need not wait for
    const rpc = await openRpc(config.rpc, certificates.rpc, {
      inventory,
      catalog,
      log,
      metrics,
      dataPath,
      certificateRole,
      limits,
      watch: (server, options) => admitted.connections.watch(server, options),
    })
    ofTcp.add('gRPC', { close: () => rpc.close(config.stopSeconds, signal) }, limitSeconds)
    rpcPort = rpc.port
  }
  if (config.tftp) {
    const autoexec = () => {
      const { templates, endpoints } = sources()
      const script = 'ipxe/autoexec.ipxe.njk'
      return templates.has(script) ? templates.render(script, endpoints) : undefined
    }
    const events = {
      record: (event: TftpEvent) => {
        if (event.mac !== '') journal.record(event)
        if (event.kind === 'sent') dhcp?.sawAlive(String(event.detail['address']))
      },
    }
    const tftp = await openTftp({
      address,
      files: tftpFiles({ loaders, autoexec }),
      events,
      refuse,
      report,
      macOf: address => clients.macOf(address),
      isOurs: ourNetworks(() => catalog.networks),
      inherited: inherited.take('udp', address, 69),
    })
    parts.add('TFTP', tftp)
  }
  if (config.dhcp) {
    const events = {
      record: (event: DhcpEvent) => {
        journal.record(event)
        const sighting = sightingIn(event, name => catalog.machine({ name }))
        if (sighting !== undefined) agents.copies.saw(sighting)
      },
    }
    const opened = await openDhcp({
      address,
      url: endpoints.server.url,
      network,
      events,
      refuse,
      leases: store.leases,
      reservations: catalog.identities,
      // What the disk does not take is logged once, by its health, and not for each packet.
      report: problem => {
        if (!(problem instanceof CannotWrite)) report(problem)
      },
      inherited: (address, port) => inherited.take('udp', address, port),
      alarm: alarm => alarms.raise({ ...alarm, layer: 'dhcp' }),
      now: () => clock.now(),
    })
    dhcp = parts.add('DHCP', opened)
    onJump(milliseconds => opened.clockMoved(milliseconds))
  }
  if (inherited.left.length > 0) {
    const unused = inherited.left.join(', ')
    const text = `No part of the server uses ${unused}, which was passed to it. Remove it from the socket unit.`
    log('warn', text)
  }

  const firstWord = () => {
    state = 'stopping'
    log('info', 'stopping')
  }
  parts.add('the log', { close: firstWord })
  throwIfDamaged()
  state = 'ready'
  const resuming = journal.resumeStrangers(stopping.signal).catch(report)
  parts.add('the journal of undeclared machines', { close: () => resuming })
  const ports = { adminPort, rpcPort }
  const { server, agent } = endpoints
  const serving = { url: server.url, agent: agent.url, ...ports, dhcp: config.dhcp, tftp: config.tftp }
  log('info', 'serving', { ...serving, data: dataPath, state: statePath })
  return { httpPort, agentPort, ...ports, reload: () => reloadAll(certificates) }
}

const { version: VERSION } = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as {
  version: string
}

/** The network that our address is on; the same object until a site changes. */
function networkOf(address: string, catalog: Catalog): () => ProvisioningNetwork | undefined {
  return () => catalog.networks.find(({ subnet }) => contains(subnet, address))
}
