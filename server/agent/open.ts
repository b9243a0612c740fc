// Everything that gives machines their secrets, and what it does by itself while the server runs: it renews the signers of
// kubelet certificates, and closes machines that an operator opened when their time is over.

import type { Machine } from '#model/machine.ts'
import { DAY_MS } from '#model/time.ts'
import { CannotWrite } from '../errors.ts'
import { causesOf, type Log } from '../log.ts'
import type { Parts } from '../process/parts.ts'
import { isInstalledIn, type MachineRecords } from '../store/machine-records.ts'
import type { AuthorityStore, BundleStore } from '../store/secrets.ts'
import type { Ending } from '../alarms/conditions.ts'
import { alarmEndings } from './alarm-endings.ts'
import { Authorities, authorityFingerprint } from './authorities.ts'
import type { Clocks, HostClock } from '../process/clock.ts'
import { ConfigTokens, type ConfigTokenNeeds } from './config-tokens.ts'
import type { Journal } from '../machines/journal.ts'
import { Copies, sightingIn } from '../machines/copies.ts'
import { Enrolment } from './enrolment.ts'
import type { KnownRecords } from '../store/known-records.ts'
import { Renewal } from './renewal.ts'
import { Reopenings } from './reopenings.ts'
import { signsUntil } from './signers.ts'
import { signingAlarms, signingEnds } from './signing-ends.ts'
import { BootTokens } from './boot-tokens.ts'
import { TokenRecovery } from './token-recovery.ts'
import { Waits } from './waits.ts'

/** What the agents' side needs from the service. */
export type AgentsNeeds = {
  readonly store: MachineRecords
  /** The same records, as far as they must be known at once. */
  readonly known: KnownRecords
  readonly secrets: BundleStore & AuthorityStore
  /** Who is declared, always as of now. */
  readonly catalog: DeclaredMachines
  /** What is known of them. */
  readonly machines: Pick<ConfigTokenNeeds, 'alarms' | 'clients' | 'isOwn'> & {
    readonly journal: Pick<Journal, 'record' | 'currentOf' | 'macOf' | 'bootAt'>
  }
  /** Says whether a host answers at an address; undefined when it cannot be probed now. */
  readonly isUp: (address: string) => Promise<boolean> | undefined
  readonly clocks: Clocks
  readonly hostClock: HostClock
  /** Calls `listener` with the milliseconds by which the host's clock was set. */
  readonly onJump: (listener: (jumpMs: number) => void) => void
  readonly log: Log
}

type DeclaredMachines = {
  readonly machines: readonly Machine[]
  machine(known: { name: string }): Machine | undefined
}

/** What gives machines their secrets. */
export type Agents = {
  readonly authorities: Authorities
  readonly reopenings: Reopenings
  readonly tokens: BootTokens
  readonly copies: Copies
  /** Looks whether an event of DHCP shows a copy of a machine that runs. */
  readonly sawDhcp: (event: Parameters<typeof sightingIn>[0]) => void
  /** When the alarms about keys and signers are over. */
  readonly alarmEndings: readonly Ending[]
  readonly enrolment: Enrolment
  readonly renewal: Renewal
  readonly recovery: TokenRecovery
  readonly configTokens: ConfigTokens
  /** Milliseconds since 1970 at which each site's cluster can no longer renew certificates by itself. */
  readonly signingEnds: () => Promise<Record<string, number>>
  /** The same of one site: by its controllers as they are (`ends`), and as they would be from now on (`until`). */
  readonly signingOf: (
    site: string,
  ) => Promise<{ readonly authority?: string; readonly ends?: number; readonly until?: number } | undefined>
}

/** Opens the rooms that give machines their secrets. */
export function openAgents(needs: AgentsNeeds, parts: Parts): Agents {
  const { store, secrets, catalog, clocks, hostClock, isUp } = needs
  const { journal, alarms, clients, isOwn } = needs.machines
  const machineOf = (name: string) => catalog.machine({ name })
  const { running, reopened, disks } = needs.known
  const authorities = new Authorities(secrets, clocks.wall)
  const reopenings = new Reopenings(store, reopened, clocks, hostClock)
  const tokens = new BootTokens({ store, bundles: secrets, running, reopenings, clocks, host: hostClock })
  const copies = new Copies({
    runningBoot: machine => running.get(machine)?.boot,
    isUp,
    isElsewhere: () => clients.dhcp === 'off',
    macOf: machine => journal.macOf(machine),
    raise: alarm => alarms.raise(alarm),
    clock: clocks.steady,
  })
  const enrolment = new Enrolment({
    store,
    secrets,
    tokens,
    reopenings,
    journal,
    alarms,
    clients,
    machineOf,
    clocks,
  })
  const renewal = new Renewal({ store, secrets, alarms, machineOf, clocks })
  const recovery = new TokenRecovery({
    store,
    journal,
    alarms,
    clients,
    machineOf,
    clocks,
    host: hostClock,
  })
  const isInstalled = (name: string) => isInstalledIn(disks.get(name))
  const waits = new Waits(clocks.steady)
  const hasBundle = secrets.hasBundle.bind(secrets)
  const configTokens = new ConfigTokens({
    tokens,
    clients,
    journal,
    alarms,
    waits,
    hasBundle,
    isInstalled,
    isOwn,
  })
  renewSigners(authorities, needs, parts)
  closeInTime(enrolment, needs, parts)
  const endings = alarmEndings({
    store,
    machineOf,
    now: clocks.wall,
  })
  const endsOfSites = async () => signingEnds(await store.signings(), catalog.machines)
  return {
    authorities,
    alarmEndings: endings,
    reopenings,
    tokens,
    copies,
    sawDhcp: event => {
      const sighting = sightingIn(event, machineOf)
      if (sighting !== undefined) copies.saw(sighting)
    },
    enrolment,
    renewal,
    recovery,
    configTokens,
    signingEnds: endsOfSites,
    signingOf: async site => {
      const authority = await secrets.authority(site)
      if (authority === undefined) return undefined
      const ends = (await endsOfSites())[site]
      const until = signsUntil(authority)
      const fingerprint = authorityFingerprint(authority)
      return {
        ...(fingerprint !== undefined && { authority: fingerprint }),
        ...(ends !== undefined && { ends }),
        ...(until !== undefined && { until }),
      }
    },
  }
}

/**
 * Gives each signer of kubelet certificates a successor in time, and raises an alarm for controllers whose signers end soon.
 * First after a minute, for a clock that is set after the start; then once a day, and whenever the clock was set by days:
 * a signer that was made by a wrong clock is replaced.
 */
function renewSigners(
  authorities: Authorities,
  { store, catalog, machines: { alarms }, clocks, onJump, log }: AgentsNeeds,
  parts: Parts,
): void {
  const renew = async () => {
    for (const site of await authorities.renewSigners())
      log('info', 'signers of kubelet certificates have successors', { site })
    const signings = await store.signings()
    for (const alarm of signingAlarms(signings, catalog.machines, clocks.wall())) alarms.raise(alarm)
  }
  const look = () => {
    renew().catch((error: unknown) => {
      log('error', `Signers of kubelet certificates were not renewed: ${causesOf(error)}`)
    })
  }
  const first = setTimeout(look, 60_000)
  const daily = setInterval(look, DAY_MS)
  onJump(jumpMs => {
    if (Math.abs(jumpMs) > DAY_MS) look()
  })
  const close = () => {
    clearTimeout(first)
    clearInterval(daily)
  }
  parts.add('the renewal of signers', { close })
}

/** Closes the machines that an operator opened when their time is over. */
function closeInTime(enrolment: Enrolment, { catalog, log }: AgentsNeeds, parts: Parts): void {
  const look = () => {
    enrolment
      .closeEnded(name => catalog.machine({ name }))
      .catch((error: unknown) => {
        // They count as closed all the same; on disk they are at the next try.
        if (!(error instanceof CannotWrite)) log('error', `A machine could not be closed: ${causesOf(error)}`)
      })
  }
  const timer = setInterval(look, 10_000)
  parts.add('the closing of opened machines', { close: () => clearInterval(timer) })
}
