// The daemon: opens the store, the listeners and the protocols, ties them together, and closes them again. It decides
// nothing itself.

import { readFileSync, statSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { contains } from '#model/ipv4.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import { InheritedSockets, type InheritedSocket } from './process/activation.ts'
import { endOf, IssuedCertificate, TlsFiles, type CertificateSource } from './access/certificates.ts'
import { AccessTokens } from './access/tokens.ts'
import { Authorities } from './agent/authorities.ts'
import { serverIdentity } from './agent/authority.ts'
import { Copies, sightingIn } from './agent/copies.ts'
import { Enrolment } from './agent/enrolment.ts'
import { Renewal } from './agent/renewal.ts'
import { Reopenings } from './agent/reopenings.ts'
import { signsUntil } from './agent/signers.ts'
import { Tokens } from './agent/tokens.ts'
import { Waits } from './agent/waits.ts'
import { DownloadBuffers } from './assets/buffers.ts'
import { readLoaders, type Loaders } from './assets/loaders.ts'
import { localFilesBelow } from './formats/butane/local-files.ts'
import { PROJECT_ROOT, type ServerConfig } from './config.ts'
import { ProcessClock } from './process/clock.ts'
import { hostClock } from './process/host-clock.ts'
import { leasesAfterJump } from './protocols/dhcp/leases.ts'
import type { DhcpEvent } from './protocols/dhcp/offer.ts'
import { Prober } from './protocols/dhcp/probe.ts'
import { openDhcp, type DhcpServer } from './protocols/dhcp/socket.ts'
import { admission } from './protocols/http/wire/admission.ts'
import { BrokenState, CannotWrite } from './errors.ts'
import type { Readiness } from './protocols/http/api/health.ts'
import { openListeners, type ListenerCertificates } from './protocols/http/wire/listeners.ts'
import { Metrics, type Measured } from './protocols/http/api/metrics.ts'
import { logLines } from './protocols/http/wire/requests.ts'
import { Alarms } from './machines/alarms.ts'
import type { Catalog } from './inventory/catalog.ts'
import { Clients } from './machines/clients.ts'
import { DataDirectory } from './inventory/data-directory.ts'
import { Inventory } from './inventory/inventory.ts'
import { Journal } from './machines/journal.ts'
import { signingAlarms, signingEnds } from './inventory/signing.ts'
import { SqliteStore } from './store/sqlite.ts'
import { checkStoreBeside } from './store/check.ts'
import { templateFiles } from './inventory/template-files.ts'
import { causesOf, type Log } from './log.ts'
import { parseLabels } from './boot/match/labels.ts'
import { ownAddresses } from './process/own-addresses.ts'
import { Refusals } from './limits/refusals.ts'
import { Pruning } from './state/pruning.ts'
import type { Sources } from './boot/render/answers.ts'
import type { Endpoints } from './boot/render/context.ts'
import { GoTemplates } from './boot/render/go-templates.ts'
import { Templates } from './boot/render/templates.ts'
import { openKeyRing } from './signing/key-ring.ts'
import { lockState } from './state/lock.ts'
import { openTftp, type TftpServer } from './protocols/tftp/socket.ts'
import { diskErrorOf } from './state/write-failure.ts'
import { WriteHealth } from './state/write-health.ts'

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

const DAY_MS = 86_400_000

const now = () => Date.now()

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
  const open: (() => void | Promise<void>)[] = []
  let closing: Promise<void> | undefined
  const close = () => (closing ??= closeAll(open))
  try {
    const server = await openAll(config, { signal, log, sockets }, open)
    signal.addEventListener('abort', () => void close(), { once: true })
    return { ...server, close }
  } catch (error) {
    await close().catch(() => {}) // what failed first is worth more than what cannot be closed after it
    throw diskErrorOf(error, config.statePath) ?? error
  }
}

/** Opens part after part; each leaves in `open` how it is closed. */
async function openAll(
  config: ServerConfig,
  { signal, log, sockets }: Required<ServeOptions>,
  open: (() => void | Promise<void>)[],
): Promise<Omit<RunningServer, 'close'>> {
  let state: Readiness['state'] = 'starting'
  open.push(() => {
    if (state === 'stopping') log('info', 'stopped')
  })
  const report = (problem: Error) => log('warn', causesOf(problem))

  open.push(await lockState(config.statePath, signal))
  const storePath = join(config.statePath, 'pilotlight.db')
  const health = new WriteHealth(config.statePath, log)
  open.push(() => health.close())
  const { store, throwIfDamaged } = openStore(storePath, health, report, open)
  const clock = openClock(store, config, log, open)

  const inventory = new Inventory(store, now, log)
  const { catalog } = inventory
  const directory = new DataDirectory(config.dataPath, changes => inventory.directoryChanged(changes))
  open.push(() => directory.close())
  inventory.addDirectory(directory)

  const authorities = new Authorities(store, now)

  const certificates = await openCertificates(config, report)
  const sources = Object.values(certificates).filter(source => source !== undefined)
  for (const source of sources) open.push(() => source.close())
  clock.onJump(() => sources.forEach(source => source.reload()))
  const metrics = new Metrics(VERSION, () => ({
    ...countsOf(catalog, journal),
    storeBytes: bytesOf(storePath) + bytesOf(`${storePath}-wal`),
    writes: {
      work: health.trouble() === undefined,
      failures: health.failures,
      freeBytes: health.freeBytes(),
    },
    signing: signingEnds(store.signings(), catalog.machines),
    certificates: Object.fromEntries(
      Object.entries(certificates).flatMap(([name, source]) =>
        source ? [[name, endOf(source.material)]] : [],
      ),
    ),
  }))
  const { refuse } = new Refusals(log, (reason, times) => metrics.refused(reason, times))
  const journal = new Journal(
    counted(store, metrics),
    () => catalog,
    now,
    error => {
      // A disk that takes nothing was told of once, and a flood shall not fill the log.
      if (health.trouble() === undefined) log('error', `A boot event could not be kept: ${causesOf(error)}`)
    },
    { refuse },
  )
  const clocks = { wall: now, steady: () => performance.now() }
  const ofHost = hostClock()
  const reopenings = new Reopenings(store, clocks, ofHost)
  const tokens = new Tokens(store, reopenings, clocks, ofHost)
  const alarms = new Alarms(journal, kind => metrics.alarm(kind), log)
  open.push(watchSigning(authorities, { store, catalog, alarms, clock, log }))
  const templates = new Templates(templateFiles(catalog))
  const goTemplates = new GoTemplates(templateFiles(catalog))
  const localFiles = localFilesBelow(config.dataPath, config.statePath)
  const network = networkOf(config.address, () => catalog)
  let dhcp: DhcpServer | undefined
  const clients = new Clients(
    address => dhcp?.leaseAt(address),
    // By the settings: HTTP is open before DHCP is, and closed after it.
    () => (config.dhcp ? (network()?.dhcp ?? 'off') : 'off'),
    () => !config.dhcp || dhcp !== undefined,
  )
  const prober = new Prober()
  const copies = new Copies({
    runningBoot: machine => store.lastUsedBoot(machine)?.boot,
    isUp: address => prober.look(address)?.then(() => prober.result(address) === 'used'),
    isElsewhere: () => clients.dhcp === 'off',
    macOf: machine => journal.currentOf({ machine })?.mac ?? machine.macs[0] ?? '',
    raise: alarm => alarms.raise(alarm),
    clock: clocks.steady,
  })
  const { ca } = await serverIdentity(config.statePath, config.agent.host, now())
  const accessTokens = new AccessTokens(config.statePath, now, error => health.failed(error))

  const loaders = await readLoaders(config.loadersPath, reason => {
    log('warn', `A boot loader is missing, machines that need it cannot boot: ${reason}`)
  })
  const { keyRingPath, keyRingPassphrase } = config
  const signer = keyRingPath === undefined ? undefined : await openKeyRing(keyRingPath, keyRingPassphrase)
  const stopping = new AbortController()
  // Known once the ports are: port 0 takes a free one.
  let endpoints: Endpoints = {
    server: serverEndpoint('', config),
    agent: { url: '', ca },
  }
  const bootSources = (): Sources => ({ catalog, templates, goTemplates, localFiles, endpoints })
  const machineOf = (name: string) => catalog.machine({ name })
  const enrolment = new Enrolment({ store, tokens, reopenings, journal, alarms, clients, machineOf, clocks })
  open.push(closeInTime(enrolment, catalog, log))
  const isDeclared = (address: string) => isDeclaredAddress(address, catalog, clients)
  const needs = {
    sources: bootSources,
    journal,
    tokens,
    alarms,
    copies,
    refuse,
    enrolment,
    reopenings,
    renewal: new Renewal({ store, alarms, machineOf, clocks }),
    hasBundle: (machine: string) => store.bundle(machine) !== undefined,
    waits: new Waits(clocks.steady),
    clients,
    store,
    log,
    limits: config.limits,
    admission: admission(refuse, isDeclared, config.strangers),
    strangers: config.strangers,
    isDeclared,
    downloads: new DownloadBuffers(isDeclared, address => refuse('download_slow', address)),
    metrics,
    accessTokens,
    readiness: () => ({ state, problems: catalog.problems.length, trouble: health.trouble()?.reason }),
    teller: {
      log,
      metrics,
      mayLog: logLines(refuse, isDeclared, config.strangers.logLines),
      machineOf: (address: string, query: string) => {
        dhcp?.sawAlive(address) // a TCP connection came from there
        const mac = parseLabels(query).mac ?? clients.macOf(address)
        return catalog.machine({ address, ...(mac === undefined ? {} : { mac }) })?.name ?? mac
      },
    },
    signal: stopping.signal,
    assetsPath: config.assetsPath,
    signer,
    loaders,
    catalog: () => catalog,
    inventory,
    putBundle: store.putBundle.bind(store),
    sites: () => store.networks().map(({ name }) => name),
    putAuthority: authorities.put.bind(authorities),
    signing: (site: string) => signingOf(site, store, catalog),
  }
  const inherited = new InheritedSockets(sockets)
  const tcpSocket = (host: string, port: number) => inherited.take('tcp', host, port)
  const udpSocket = (host: string, port: number) => inherited.take('udp', host, port)
  // Closed in the reverse order: those who wait for events are sent home before the listeners wait for them.
  const listeners = await openListeners(config, needs, accessTokens, certificates, tcpSocket)
  // They end together: whoever stops the server waits once.
  const ending = [listeners.close]
  open.push(async () => void (await Promise.all(ending.map(end => end(config.stopSeconds, signal)))))
  open.push(() => stopping.abort())
  const host = hostOf(config.address)
  const url = `${config.web === undefined ? 'http' : 'https'}://${host}:${listeners.httpPort}`
  endpoints = {
    server: serverEndpoint(url, config),
    agent: { url: `https://${hostOf(config.agent.host)}:${listeners.agentPort}`, ca },
  }

  let rpcPort: number | undefined
  if (config.rpc !== undefined && certificates.rpc !== undefined) {
    const { openRpc } = await import('./protocols/rpc/listener.ts') // a tenth of a second that nobody else shall wait for
    const { dataPath, certificateRole, limits } = config
    const rpc = await openRpc(config.rpc, certificates.rpc, {
      inventory,
      catalog,
      log,
      metrics,
      dataPath,
      certificateRole,
      limits,
      watch: (server, options) => needs.admission.connections.watch(server, options),
    })
    ending.push(rpc.close)
    rpcPort = rpc.port
  }
  if (config.tftp) {
    const files = tftpFiles(loaders, bootSources)
    const tftp: TftpServer = await openTftp({
      address: config.address,
      files,
      report,
      events: {
        record: event => {
          if (event.mac !== '') journal.record(event)
          if (event.kind === 'sent') dhcp?.sawAlive(String(event.detail['address']))
        },
      },
      macOf: address => clients.macOf(address),
      inherited: udpSocket(config.address, 69),
      isOurs: ourNetworks(() => catalog),
      refuse,
    })
    open.push(() => tftp.close())
  }
  if (config.dhcp) {
    const leases = { all: () => store.leases(), commit: store.changeLeases.bind(store) }
    const events = {
      record: (event: DhcpEvent) => {
        journal.record(event)
        const sighting = sightingIn(event, name => catalog.machine({ name }))
        if (sighting !== undefined) copies.saw(sighting)
      },
    }
    const reservations = { machines: () => catalog.machines }
    dhcp = await openDhcp({
      address: config.address,
      url,
      network,
      leases,
      events,
      reservations,
      // What the disk does not take is logged once, by its health, and not for each packet.
      report: problem => {
        if (!(problem instanceof CannotWrite)) report(problem)
      },
      inherited: udpSocket,
      refuse,
      alarm: alarm => alarms.raise({ ...alarm, layer: 'dhcp' }),
      now: () => clock.now(),
    })
    const opened = dhcp
    clock.onJump(milliseconds => opened.clockMoved(milliseconds))
    open.push(() => opened.close())
  }
  if (inherited.left.length > 0) {
    const unused = inherited.left.join(', ')
    log(
      'warn',
      `No part of the server uses ${unused}, which was passed to it. Remove it from the socket unit.`,
    )
  }
  const reload = () => {
    for (const source of sources) source.reload()
  }
  open.push(() => {
    state = 'stopping'
    log('info', 'stopping')
  })
  throwIfDamaged()
  state = 'ready'
  const resuming = journal.resumeStrangers(stopping.signal).catch(report)
  open.push(() => resuming)
  const { httpPort, agentPort, adminPort } = listeners
  const { dhcp: servesDhcp, tftp: servesTftp } = config
  const ports = { adminPort, rpcPort }
  const serving = { url, agent: endpoints.agent.url, ...ports, dhcp: servesDhcp, tftp: servesTftp }
  log('info', 'serving', { ...serving, data: config.dataPath, state: config.statePath })
  return { httpPort, agentPort, ...ports, reload }
}

const { version: VERSION } = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as {
  version: string
}

/** Where templates say that the server is. Its addresses are looked up when a template asks: an interface may come later. */
function serverEndpoint(url: string, { address, agent }: ServerConfig): Endpoints['server'] {
  return {
    url,
    address,
    get addresses() {
      return ownAddresses([address, agent.host])
    },
  }
}

/** The clock that leases live by; what was kept by an earlier one is brought in line, and nothing is forgotten by a jump. */
function openClock(
  store: SqliteStore,
  { eventDays }: ServerConfig,
  log: Log,
  open: (() => void | Promise<void>)[],
): ProcessClock {
  const clock = new ProcessClock()
  open.push(() => clock.close())
  const moved = leasesAfterJump(store.leases(), store.newestEvent(), clock.now())
  if (moved !== undefined) store.changeLeases(moved.map(lease => ({ kind: 'put', lease })))
  const pruning = new Pruning(store, eventDays, { now, steady: () => performance.now() }, log)
  open.push(() => pruning.close())
  clock.onJump(jumpMs => {
    log(
      'warn',
      `The host's clock was set by ${Math.round(jumpMs / 1000)} s. Leases keep the time that they have left.`,
    )
    pruning.clockJumped(jumpMs)
  })
  return clock
}

/**
 * Opens the store, and has every page of it checked: before this returns where it is small, beside the start where it is large.
 * `throwIfDamaged` is for the end of the start; what is found after it is logged, and `/readyz` says so.
 *
 * @throws {BrokenState} when it is damaged
 */
function openStore(
  path: string,
  health: WriteHealth,
  report: (problem: Error) => void,
  open: (() => void | Promise<void>)[],
): { readonly store: SqliteStore; readonly throwIfDamaged: () => void } {
  const store = new SqliteStore(path, error => health.failed(error))
  open.push(() => store.close())
  health.include(() => store.tryWrite())
  const check = checkStoreBeside(path)
  open.push(() => check.close())
  let damage: Error | undefined
  let isStarting = true
  void check.done.then(found => {
    if (found !== undefined && !(found instanceof BrokenState)) return report(found)
    damage = found
    if (found !== undefined && !isStarting) health.failed(found)
  })
  return {
    store,
    throwIfDamaged: () => {
      isStarting = false
      if (damage !== undefined) throw damage
    },
  }
}

/**
 * Sees to the signers of kubelet certificates: each gets a successor in time, and controllers whose signers end soon are
 * an alarm. First after a minute, for a clock that is set after the start; then once a day, and whenever the clock was set by
 * days: a signer that a wrong clock made is replaced. Gives what ends it.
 */
function watchSigning(
  authorities: Authorities,
  parts: { store: SqliteStore; catalog: Catalog; alarms: Alarms; clock: ProcessClock; log: Log },
): () => void {
  const { store, catalog, alarms, clock, log } = parts
  const renew = async () => {
    for (const site of await authorities.renewSigners())
      log('info', 'signers of kubelet certificates have successors', { site })
    for (const alarm of signingAlarms(store.signings(), catalog.machines, now())) alarms.raise(alarm)
  }
  const look = () => {
    renew().catch((error: unknown) => {
      log('error', `Signers of kubelet certificates were not renewed: ${causesOf(error)}`)
    })
  }
  const first = setTimeout(look, 60_000)
  const daily = setInterval(look, DAY_MS)
  clock.onJump(jumpMs => {
    if (Math.abs(jumpMs) > DAY_MS) look()
  })
  return () => {
    clearTimeout(first)
    clearInterval(daily)
  }
}

/** Until when the kubelets of a site can renew without us: by its controllers as they are, and as they would be from now on. */
function signingOf(
  site: string,
  store: SqliteStore,
  { machines }: Catalog,
): { readonly ends?: number; readonly until?: number } | undefined {
  const authority = store.authority(site)
  if (authority === undefined) return undefined
  const ends = signingEnds(store.signings(), machines)[site]
  const until = signsUntil(authority)
  return { ...(ends !== undefined && { ends }), ...(until !== undefined && { until }) }
}

/** Closes the machines that were opened when their time is over. Gives what ends it. */
function closeInTime(enrolment: Enrolment, catalog: Catalog, log: Log): () => void {
  const look = () => {
    try {
      enrolment.closeEnded(name => catalog.machine({ name }))
    } catch (error) {
      // They count as closed all the same; on disk they are at the next try.
      if (!(error instanceof CannotWrite)) log('error', `A machine could not be closed: ${causesOf(error)}`)
    }
  }
  const timer = setInterval(look, 10_000)
  return () => clearInterval(timer)
}

/** The certificates of all listeners that have one. */
async function openCertificates(
  { statePath, agent, admin, web, rpc }: ServerConfig,
  report: (problem: Error) => void,
): Promise<ListenerCertificates & { readonly rpc: CertificateSource | undefined }> {
  const issued = (name: string, host: string) => IssuedCertificate.of({ statePath, host, name }, report)
  return {
    boot: web && new TlsFiles(web, report),
    rpc: rpc && new TlsFiles(rpc.tls, report),
    agent: await issued('agent', agent.host),
    admin: admin && (admin.tls ? new TlsFiles(admin.tls, report) : await issued('admin', admin.host)),
  }
}

/** The store as the journal uses it, with each event counted and timed. */
function counted(store: SqliteStore, metrics: Metrics): ConstructorParameters<typeof Journal>[0] {
  return {
    append(boot, event, when) {
      const kept = store.append(boot, event, when)
      metrics.bootEvent(event, kept)
      return kept
    },
    counters: () => store.counters(),
    latestBoots: () => store.latestBoots(),
    eventsOf: boot => store.eventsOf(boot),
    eventsOfBoots: boots => store.eventsOfBoots(boots),
    strangerBoots: (before, limit) => store.strangerBoots(before, limit),
    forgetStrangers: (macs, upTo) => store.forgetStrangers(macs, upTo),
    trimStrangers: (before, limit) => store.trimStrangers(before, limit),
    eventsAfter: (id, filter) => store.eventsAfter(id, filter),
    bootsOf: (known, limit) => store.bootsOf(known, limit),
  }
}

/** Says whether an address is leased to a declared machine, or kept for one. */
function isDeclaredAddress(address: string, catalog: Catalog, clients: Clients): boolean {
  const mac = clients.macOf(address)
  return catalog.machine({ address, ...(mac === undefined ? {} : { mac }) }) !== undefined
}

/** What there is to count in the inventory. */
function countsOf(catalog: Catalog, journal: Journal): Pick<Measured, 'objects' | 'machines' | 'problems'> {
  const machines: Record<string, number> = {}
  for (const { phase } of journal.all()) machines[phase] = (machines[phase] ?? 0) + 1
  return {
    objects: {
      profiles: catalog.profiles.size,
      groups: catalog.groups.size,
      machines: catalog.machines.length,
      templates: catalog.entries('template').length,
    },
    machines,
    problems: catalog.problems.length,
  }
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** An address as it stands in a URL. */
function hostOf(address: string): string {
  return isIPv6(address) ? `[${address}]` : address
}

/** The network that our address is on; the same object until a site changes. */
function networkOf(address: string, catalog: () => Catalog): () => ProvisioningNetwork | undefined {
  return () => catalog().networks.find(({ subnet }) => contains(subnet, address))
}

/**
 * Says whether TFTP answers an address: one of a declared network, or of a network that this host is on. While no network
 * is declared, it answers all: relays of a Matchbox rack are not known here.
 */
function ourNetworks(catalog: () => Catalog): (address: string) => boolean {
  let links: readonly string[] = []
  let readAt = -Infinity
  return address => {
    const { networks } = catalog()
    if (networks.length === 0 || networks.some(({ subnet }) => contains(subnet, address))) return true
    if (performance.now() - readAt > 10_000) {
      readAt = performance.now()
      links = Object.values(networkInterfaces()).flatMap(all =>
        (all ?? []).flatMap(({ family, cidr }) => (family === 'IPv4' && cidr !== null ? [cidr] : [])),
      )
    }
    return links.some(link => contains(link, address))
  }
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
