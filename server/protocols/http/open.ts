// HTTP as a part of the server: hands to each of its rooms what that room declares, and opens the listeners.

import { join } from 'node:path'
import type { Lease } from '#model/lease.ts'
import type { Machine } from '#model/machine.ts'
import type { AccessTokens } from '../../access/access-tokens.ts'
import type { ListenerCertificates } from '../../access/listener-certificates.ts'
import type { AlarmList } from '../../alarms/alarm-list.ts'
import type { AuditStore } from '../../store/audit.ts'
import type { Agents } from '../../agent/open.ts'
import type { Disks } from '../../disks/open.ts'
import { DownloadBuffers } from '../../assets/buffers.ts'
import { Slots } from '../../assets/slots.ts'
import { assetsIn } from '../../boot/lint/assets.ts'
import { matchOf, rootFolderOf } from '../../boot/render/answers.ts'
import { LintBeside } from '../../boot/lint/beside.ts'
import type { BootFiles } from '../../boot/open.ts'
import { parseLabels } from '../../boot/match/labels.ts'
import type { ServerConfig } from '../../config.ts'
import type { Inventory } from '../../inventory/inventory.ts'
import type { Refuse } from '../../limits/refusals.ts'
import type { Log } from '../../log.ts'
import type { Machines } from '../../machines/open.ts'
import type { Metrics } from '../../metrics.ts'
import { forwardsPackets, ownAddresses, servesTime } from '../../process/own-addresses.ts'
import type { Parts } from '../../process/parts.ts'
import { ConsoleLogs } from '../../store/console-logs.ts'
import type { ObjectStore } from '../../store/objects.ts'
import type { BundleStore } from '../../store/secrets.ts'
import type { ApiNeeds } from './api/routes.ts'
import type { Readiness } from './api/health.ts'
import type { HttpNeeds } from './app.ts'
import { openListeners, type ListenerSettings } from './listeners.ts'
import { admission, type Admission } from './wire/admission.ts'
import { logLines } from './wire/requests.ts'

/** What HTTP needs of the service. */
export type HttpService = {
  readonly config: ListenerSettings &
    Pick<
      ServerConfig,
      'address' | 'dhcp' | 'dataPath' | 'statePath' | 'assetsPath' | 'limits' | 'strangers' | 'stopSeconds'
    >
  readonly certificates: ListenerCertificates
  readonly accessTokens: AccessTokens
  readonly inventory: Inventory
  readonly store: {
    readonly objects: Pick<ObjectStore, 'networks'>
    readonly secrets: Pick<BundleStore, 'putBundle'>
    readonly events: ApiNeeds['store']
  }
  readonly machines: Machines
  readonly agents: Agents
  readonly disks: Disks
  readonly boot: Pick<BootFiles, 'sources' | 'loaders' | 'signer'>
  readonly readiness: () => Readiness
  /** The alarms of this server. */
  readonly alarmList: AlarmList
  /** Who changed what. */
  readonly audit: AuditStore
  /** Every lease of DHCP. */
  readonly leases: () => Iterable<Lease>
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Gets each address that a TCP connection came from. */
  readonly sawAlive: (address: string) => void
  readonly metrics: Metrics
  readonly refuse: Refuse
  readonly log: Log
  /** Looks at the server and its network; gets what HTTP knows of both. */
  readonly diagnose: (
    order: DiagnosisOrder,
    seen: Pick<ApiNeeds, 'place'> & { readonly slots: Slots; readonly lint: LintBeside['found'] },
  ) => ReturnType<ApiNeeds['diagnose']>
  /** The file descriptor of a TCP socket that is bound there already; asked once for each. */
  readonly inherited: (host: string, port: number) => number | undefined
  /** Cuts off answers under way when the listeners close. */
  readonly signal: AbortSignal
}

type DiagnosisOrder = Parameters<ApiNeeds['diagnose']>[0]

/** HTTP that is served. */
export type OpenHttp = {
  readonly httpPort: number
  readonly agentPort: number
  readonly adminPort: number | undefined
  /** What bounds the connections of all listeners of this process, those of other protocols included. */
  readonly connections: Admission['connections']
  /** Where this server is, and what it has for machines. */
  readonly place: ApiNeeds['place']
}

/**
 * Opens all listeners of HTTP.
 *
 * @throws {CannotListen} when a port cannot be had
 */
export async function openHttp(service: HttpService, parts: Parts): Promise<OpenHttp> {
  const { config, certificates, accessTokens, machines, refuse, inherited, signal } = service
  const admitted = admission(refuse, machines.isDeclared, config.strangers)
  const stopping = new AbortController()
  const needs = needsOf(service, admitted, stopping.signal)
  const { close, ...ports } = await openListeners(config, needs, accessTokens, certificates, inherited)
  const { stopSeconds } = config
  const stop = () => {
    stopping.abort() // readers that wait for events are answered at once
    return close(stopSeconds, signal)
  }
  parts.add('HTTP', { close: stop }, stopSeconds + 5)
  return { ...ports, connections: admitted.connections, place: needs.api.place }
}

function isNotLoopback(address: string): boolean {
  return !address.startsWith('127.') && address !== '0.0.0.0'
}

/** Hands to each room of HTTP what it declares. */
function needsOf(service: HttpService, admitted: Admission, stopping: AbortSignal): HttpNeeds {
  const { config, inventory, store, readiness, accessTokens, metrics, refuse, log } = service
  const { sources, loaders, signer } = service.boot
  const { assetsPath, limits, strangers } = config
  const { journal, alarms, clients, isDeclared, isOwn } = service.machines
  const { tokens, configTokens, copies, enrolment, renewal, recovery, reopenings, authorities, signingOf } =
    service.agents
  const { diskKeys, installs, keptOrders, orders, localBoots, upgrades } = service.disks
  const catalog = () => inventory.catalog
  const linter = new LintBeside(config.dataPath, assetsPath, () => inventory.directoryVersion)
  const slots = new Slots(assetsPath)
  const place = async (): ReturnType<ApiNeeds['place']> => ({
    address: config.address,
    addresses: ownAddresses(['0.0.0.0', config.address, config.agent.host]).filter(isNotLoopback),
    dhcp: config.dhcp,
    forwards: forwardsPackets(),
    servesTime: servesTime(),
    assetsPath,
    hasAsset: path => assetsPath !== undefined && assetsIn(assetsPath).assetBytes(path) !== undefined,
    images: await slots.description('live').catch(() => undefined), // a diagnosis says why
  })
  const consoles = new ConsoleLogs(join(config.statePath, 'console'), service.now)
  const folderOf = (machine: Machine, render: ReturnType<typeof sources>) => {
    const { macs, uuid, address } = machine
    const [mac] = macs
    const labels = { ...(mac !== undefined && { mac }), ...(uuid !== undefined && { uuid }) }
    return rootFolderOf(render, matchOf(render.catalog, labels, address, machine))
  }
  const slotOf = async (machine: Machine) => {
    const folder = folderOf(machine, sources())
    return folder === undefined ? undefined : slots.read(folder)
  }
  const imageOf = async (machine: Machine, at?: string) => {
    const render = sources(at)
    const folder = folderOf(machine, render)
    const slot = folder === undefined ? undefined : await slots.read(folder)
    return slot && { ...slot, url: `${render.endpoints.server.url}/assets/${folder}/slot.json` }
  }
  return {
    wire: {
      log,
      limits,
      admission: admitted,
      requests: {
        log,
        metrics,
        mayLog: logLines(refuse, isDeclared, strangers.logLines),
        machineOf: (address, query) => {
          service.sawAlive(address)
          const { mac, machine } = clients.whoIsAt(address, parseLabels(query).mac)
          return machine?.name ?? mac
        },
      },
    },
    health: { readiness },
    boot: {
      sources,
      journal,
      clients,
      configTokens,
      localBoots,
      copies,
      isOwn,
      signer,
      caughtUp: () => inventory.caughtUp(),
      log,
    },
    assets: {
      assetsPath,
      loaders,
      journal,
      clients,
      localBoots,
      downloads: new DownloadBuffers(isDeclared, address => refuse('download_slow', address)),
      log,
    },
    api: {
      inventory,
      catalog,
      sources,
      assetsPath,
      linter,
      store: store.events,
      journal,
      metrics,
      accessTokens,
      enrolment,
      reopenings,
      diskKeys,
      installs,
      keptOrders,
      orders,
      upgrades,
      imageOf,
      consoles,
      place,
      diagnose: order => service.diagnose(order, { place, slots, lint: () => linter.found() }),
      sites: async () =>
        (await store.objects.networks()).map(({ name, network }) => ({ name, subnet: network.subnet })),
      signing: signingOf,
      putAuthority: authorities.put.bind(authorities),
      putBundle: store.secrets.putBundle.bind(store.secrets),
      signal: stopping,
      log,
      alarmList: service.alarmList,
      audit: service.audit,
      leases: service.leases,
      now: service.now,
    },
    agent: {
      catalog,
      tokens,
      enrolment,
      renewal,
      recovery,
      diskKeys,
      installs,
      upgrades,
      consoles,
      slotOf,
      imageOf,
      journal,
      alarms,
      copies,
      clients,
      refuse,
      strangers,
      isDeclared,
      log,
    },
  }
}
