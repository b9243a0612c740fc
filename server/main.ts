// The daemon: lists its parts in the order in which they are opened, each with what it declares, and ties them together. Each
// is opened by its own room, and all are closed in the reverse order. This file decides nothing itself.

import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ALARM_CODES, type Alarm } from '#model/alarm.ts'
import { adminTokenFile, authorityFile } from '#model/endpoint.ts'
import { isLoopback } from '#model/address.ts'
import { contains } from '#model/ipv4.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import { endsOf, openListenerCertificates, reloadAll } from './access/listener-certificates.ts'
import { AccessTokens } from './access/access-tokens.ts'
import { serverIdentity } from './access/own-authority.ts'
import { openAgents } from './agent/open.ts'
import { openAlarms, watchAlarms } from './alarms/open.ts'
import { serverConditions } from './alarms/server-conditions.ts'
import { openBoot } from './boot/open.ts'
import { PROJECT_ROOT, type ServerConfig } from './config.ts'
import { diagnose, sitesPut } from './diagnosis/diagnose.ts'
import type { DiagnosisNeeds } from './diagnosis/facts.ts'
import { openDisks } from './disks/open.ts'
import { endpointsOf, hostOf, reachable } from './endpoints.ts'
import type { Catalog } from './inventory/catalog.ts'
import { siteWarnings } from './inventory/site-check.ts'
import { problemText } from './inventory/data-directory.ts'
import { openInventory } from './inventory/open.ts'
import { Refusals } from './limits/refusals.ts'
import { causesOf, type Log } from './log.ts'
import { openMachines } from './machines/open.ts'
import { measure } from './measure.ts'
import { Metrics } from './metrics.ts'
import { InheritedSockets, type InheritedSocket } from './process/activation.ts'
import { openClock, hostClock } from './process/clock.ts'
import { isEveryAddress } from './process/own-addresses.ts'
import { Parts } from './process/parts.ts'
import { startText } from './process/start-text.ts'
import type { DhcpEvent } from './protocols/dhcp/offer.ts'
import { OtherServersProbe } from './protocols/dhcp/other-servers-probe.ts'
import { OtherServersWatch } from './protocols/dhcp/other-servers-watch.ts'
import { Prober } from './protocols/dhcp/probe.ts'
import { alignLeases, serveDhcp } from './protocols/dhcp/open.ts'
import type { DhcpServer } from './protocols/dhcp/socket.ts'
import type { Readiness } from './protocols/http/api/health.ts'
import { openHttp } from './protocols/http/open.ts'
import { serveRpc } from './protocols/rpc/open.ts'
import { serveTftp } from './protocols/tftp/open.ts'
import { openState } from './state/open.ts'
import { openPruning } from './state/pruning.ts'
import { diskErrorOf } from './process/write-failure.ts'
import { knownRecords } from './store/known-records.ts'
import { openStore } from './store/open.ts'

/** A server that runs. */
export type RunningServer = {
  /** TCP ports, as they were given or found free. */
  readonly httpPort: number
  readonly agentPort: number
  /** Of administration, where it has its own listener. */
  readonly adminPort: number | undefined
  /** Of gRPC, where it is on. */
  readonly rpcPort: number | undefined
  /** What a person who started it by hand wants to know, in lines. */
  readonly startText: string
  /** Reads the certificates again, which also happens by itself when the file system reports a change. */
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
  const { address, statePath, dataPath, limits, certificateRole, stopSeconds } = config
  const report = (problem: Error) => log('warn', causesOf(problem))
  const clocks = { wall: () => Date.now(), steady: () => performance.now() }
  let state: Readiness['state'] = 'starting'
  const logStopped = () => {
    if (state === 'stopping') log('info', 'stopped')
  }
  parts.add('the line "stopped" in the log', { close: logStopped })

  // What is kept on disk.
  const health = await openState({ statePath, log, signal }, parts)
  // Made in their own process where there are none, beside what follows.
  const issued = openListenerCertificates(config, report, parts)
  issued.catch(() => {}) // it is awaited below, unless something else fails before
  const storePath = join(statePath, 'pilotlight.db')
  const { store, throwIfDamaged } = openStore({ path: storePath, health, report }, parts)
  const clock = openClock(log, parts)
  const { onJump } = clock
  await alignLeases(store.leases, await store.newestEvent(), clock.now())
  await openPruning({ store, days: config.eventDays, clocks, onJump, log }, parts)
  const inventory = await openInventory({ store: store.objects, dataPath, now: clocks.wall, log }, parts)
  const { catalog } = inventory

  // What is known of machines, and what gives them their secrets. DHCP is opened last, since it names the ports of the others.
  let dhcp: DhcpServer | undefined
  const network = networkOf(address, catalog)
  const leases = {
    mode: () => (config.dhcp ? (network()?.dhcp ?? 'off') : 'off'),
    isOpen: () => !config.dhcp || dhcp !== undefined,
    leaseAt: (client: string) => dhcp?.leaseAt(client),
  }
  const sawAlive = (client: string) => dhcp?.sawAlive(client)
  const metrics = new Metrics(VERSION, async () => {
    const signing = await agents.signingEnds()
    return measure({ catalog, journal, health, storePath, signing, certificates: endsOf(certificates) })
  })
  const { refuse } = new Refusals(log, (reason, times) => metrics.refused(reason, times))
  const isStuck = () => health.trouble() !== undefined
  const alarmList = await openAlarms(store.alarms, clocks.wall, parts)
  const { wall: now } = clocks
  const machines = await openMachines({
    store: store.events,
    catalog,
    leases,
    address,
    alarmList,
    metrics,
    refuse,
    isStuck,
    now,
    log,
  })
  const { journal, alarms, clients } = machines
  const { machines: records, secrets } = store
  const prober = new Prober()
  const isUp = probing(prober)
  const host = { clocks, hostClock: hostClock(), onJump }
  let ca = ''
  const authority = () => ca
  const known = await knownRecords(records)
  const of = { store: records, known, catalog, machines, ...host, log }
  const agents = openAgents({ ...of, secrets, isUp }, parts)
  const disks = openDisks({ ...of, agents, authority }, parts)
  const certificates = await issued
  onJump(() => reloadAll(certificates))
  ca = (await serverIdentity(statePath, config.agent.host, clocks.wall())).ca
  const accessTokens = new AccessTokens(statePath, clocks.wall, error => health.failed(error))

  // What machines boot.
  let endpoints = endpointsOf(config, ca)
  let endpointsAt = (_at?: string) => endpoints
  const boot = await openBoot({ catalog, endpoints: at => endpointsAt(at), settings: config, log })

  // The protocols. HTTP and gRPC end together: who stops the server waits once.
  const inherited = new InheritedSockets(sockets)
  const listeners = parts.add('the TCP listeners', new Parts('at once'), stopSeconds + 10)
  const otherServersProbe =
    isEveryAddress(address) || isLoopback(address)
      ? undefined
      : parts.add(
          'the probe for other DHCP servers',
          await OtherServersProbe.open({
            address,
            inherited: inherited.udp,
            observed: answer => otherServers.observed(answer),
          }),
        )
  const otherServers = new OtherServersWatch({
    address,
    network: () => (config.dhcp ? network() : undefined),
    look: async () =>
      (await otherServersProbe?.look()) ?? {
        looked: false,
        why: `${address} is not of one wire`,
        remedy: 'ip -brief address',
      },
    machineOf: mac => catalog.identities.machine({ mac })?.name,
    clock: clocks.steady,
    warn: text => log('warn', text, { alarm: 'foreign' }),
  })
  const readiness = () => ({ state, problems: catalog.problems.length, trouble: health.trouble()?.reason })
  const inEffect = {
    networks: async () => store.objects.networks(),
    declared: () => ({ groups: catalog.groups.groups, machines: catalog.machines }),
    profileOf: (id: string) => catalog.profiles.get(id),
  }
  const http = await openHttp(
    {
      config,
      certificates,
      accessTokens,
      inventory,
      store,
      machines,
      agents,
      disks,
      boot,
      readiness,
      alarmList,
      audit: store.audit,
      diagnose: async (order, { place, slots, lint }) => ({
        version: VERSION,
        items: await diagnose(
          {
            address,
            tftp: config.tftp,
            statePath: resolve(statePath),
            dataPath,
            urls: () => ({ server: endpoints.server.url, ...endpoints.agent, agent: endpoints.agent.url }),
            place,
            slots,
            ...inEffect,
            look: () => otherServers.look(),
            prober,
            loaders: [...boot.loaders.keys()],
            missingLoaders: boot.missingLoaders,
            lint,
            openAlarms: () => ALARM_CODES.flatMap(code => alarmList.open(code)),
            trouble: () => health.trouble()?.reason,
            now: clocks.wall,
            newestEvent: () => store.newestEvent(),
          },
          order,
        ),
      }),
      leases: () => dhcp?.leases() ?? [],
      now: clocks.wall,
      sawAlive,
      metrics,
      refuse,
      log,
      inherited: inherited.tcp,
      signal,
    },
    listeners,
  )
  endpoints = endpointsOf(config, ca, http)
  // A listener on every address is reached by many: a machine is sent back to the one that it reached.
  if ([config.address, config.agent.host].some(isEveryAddress))
    endpointsAt = at => (at === undefined ? endpoints : endpointsOf(config, ca, http, at))
  let rpcPort: number | undefined
  if (config.rpc !== undefined && certificates.rpc !== undefined) {
    const of = { endpoint: config.rpc, certificate: certificates.rpc, certificateRole, dataPath, stopSeconds }
    const watch = http.connections.watch.bind(http.connections)
    rpcPort = await serveRpc({ ...of, inventory, catalog, log, metrics, limits, watch, signal }, listeners)
  }
  if (config.tftp) {
    const { loaders, autoexec } = boot
    const macOf = clients.macOf.bind(clients)
    const networks = () => catalog.networks
    const of = { address, loaders, autoexec, macOf, networks, inherited: inherited.udp }
    await serveTftp({ ...of, journal, sawAlive, refuse, report }, parts)
  }
  if (config.dhcp) {
    const record = (event: DhcpEvent) => {
      journal.record(event)
      agents.sawDhcp(event)
    }
    const { url } = endpoints.server
    const reservations = catalog.identities
    const of = { address, url, network, leases: store.leases, reservations, inherited: inherited.udp, clock }
    const asking = () => otherServersProbe?.asking
    const sawOther = (server: string, mac: string) => otherServers.chose(server, mac)
    const others = { asking, sawOther }
    dhcp = await serveDhcp({ ...of, ...others, events: { record }, alarms, refuse, report }, parts)
  }
  inherited.reportUnused(log)

  const fullPool = ({ entity }: Alarm) => dhcp?.fullPool()?.entity === entity
  await watchAlarms(
    alarmList,
    {
      conditions: serverConditions({
        otherDhcp: () => otherServers.find(),
        statePath,
        trouble: () => health.trouble(),
        dataPath,
        problems: () => catalog.problems.map(problemText),
        loadersPath: config.loadersPath,
        missingLoaders: boot.missingLoaders,
      }),
      endings: [
        ...agents.alarmEndings,
        ...disks.alarmEndings,
        { code: 'PL-7007', judge: () => alarm => !fullPool(alarm) },
      ],
      isDeclared: name => catalog.machine({ name }) !== undefined,
    },
    log,
    parts,
  )

  const logStopping = () => {
    state = 'stopping'
    log('info', 'stopping')
  }
  parts.add('the line "stopping" in the log', { close: logStopping })
  throwIfDamaged()
  state = 'ready'
  machines.resume(report, parts)
  const { httpPort, agentPort, adminPort } = http
  const { server, agent } = endpoints
  const urls = { url: server.url, agent: agent.url }
  const serves = { dhcp: config.dhcp, tftp: config.tftp }
  log('info', 'serving', { ...urls, adminPort, rpcPort, ...serves, data: dataPath, state: statePath })
  await warnOfSites({ ...inEffect, place: http.place, log })
  const start = startText({
    url: server.url,
    adminUrl:
      config.admin === undefined || adminPort === undefined
        ? undefined
        : `https://${hostOf(reachable(config.admin.host))}:${adminPort}`,
    caPath: config.admin?.tls === undefined ? authorityFile(resolve(statePath)) : undefined,
    tokenPath: adminTokenFile(resolve(statePath)),
    address,
    dhcp: config.dhcp,
    assetsPath: config.assetsPath,
    networks: catalog.networks,
  })
  return { httpPort, agentPort, adminPort, rpcPort, startText: start, reload: () => reloadAll(certificates) }
}

const { version: VERSION } = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as {
  version: string
}

/**
 * Logs what of this server keeps machines of its sites from booting: it may have been started with other flags than when they were
 * put. A service has no terminal where it would be seen otherwise.
 */
async function warnOfSites({
  place,
  log,
  ...inEffect
}: Pick<DiagnosisNeeds, 'networks' | 'declared' | 'profileOf' | 'place'> & { log: Log }): Promise<void> {
  try {
    const here = await place()
    for (const { name, objects } of await sitesPut(inEffect))
      for (const warning of siteWarnings(name, objects, here, inEffect.profileOf))
        log('warn', warning, { site: name })
  } catch (error) {
    log('warn', `what the sites need of this server was not looked at: ${causesOf(error)}`)
  }
}

/** The network that our address is on; the same object until a site changes. */
function networkOf(address: string, catalog: Catalog): () => ProvisioningNetwork | undefined {
  return () => catalog.networks.find(({ subnet }) => contains(subnet, address))
}

/** Says whether a host answers at an address; undefined when it cannot be probed now. */
function probing(prober: Prober): (address: string) => Promise<boolean> | undefined {
  return address => prober.look(address)?.then(() => prober.result(address) === 'used')
}
