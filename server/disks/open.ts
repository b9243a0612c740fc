// Everything that is done with the disks of machines, and what it does by itself while the server runs: it looks for machines that did
// not come back from an upgrade.

import { hash } from 'node:crypto'
import type { Machine } from '#model/machine.ts'
import { isReady } from '#model/phase.ts'
import { CannotWrite } from '../errors.ts'
import { causesOf, type Log } from '../log.ts'
import type { Agents } from '../agent/open.ts'
import type { Ending } from '../alarms/conditions.ts'
import type { Clients } from '../machines/clients.ts'
import type { Journal } from '../machines/journal.ts'
import type { Occurrences } from '../machines/occurrences.ts'
import type { Clocks, HostClock } from '../process/clock.ts'
import type { Parts } from '../process/parts.ts'
import type { KnownRecords } from '../store/known-records.ts'
import type { MachineRecords } from '../store/machine-records.ts'
import { alarmEndings } from './alarm-endings.ts'
import { controllersIn, type ControllersOf } from './controllers.ts'
import { DiskKeys } from './disk-keys.ts'
import { Installs } from './installs.ts'
import { KeptOrders } from './kept-orders.ts'
import { Liveness } from './liveness.ts'
import { LocalBoots } from './local-boots.ts'
import { Orders } from './orders.ts'
import { Upgrades } from './upgrades.ts'

/** What this room needs from the service. */
export type DisksNeeds = {
  readonly store: MachineRecords
  /** The same records, as far as they must be known at once. */
  readonly known: Pick<KnownRecords, 'disks'>
  readonly agents: Pick<Agents, 'tokens' | 'recovery'>
  /** Who is declared, always as of now. */
  readonly catalog: DeclaredMachines
  /** What is known of them. */
  readonly machines: {
    readonly journal: Pick<Journal, 'record' | 'currentOf' | 'macOf'>
    readonly alarms: Pick<Occurrences, 'raise'>
    readonly clients: Pick<Clients, 'dhcp'>
  }
  readonly clocks: Clocks
  readonly hostClock: HostClock
  /** Our authority as the configs of machines have it (PEM); asked for once machines ask. */
  readonly authority: () => string
  readonly log: Log
}

type DeclaredMachines = {
  readonly machines: readonly Machine[]
  /** The site that declares a machine. */
  entry(kind: 'machine', id: string): { readonly site?: string } | undefined
  machine(known: { name: string }): Machine | undefined
}

/** What is done with the disks of machines. */
export type Disks = {
  readonly keptOrders: KeptOrders
  readonly orders: Orders
  readonly localBoots: LocalBoots
  readonly installs: Installs
  readonly upgrades: Upgrades
  readonly diskKeys: DiskKeys
  /** When the alarms about upgrades are over. */
  readonly alarmEndings: readonly Ending[]
}

/** Opens what decides about the disks of machines. */
export function openDisks(needs: DisksNeeds, parts: Parts): Disks {
  const { store, catalog, clocks, hostClock } = needs
  const { disks } = needs.known
  const { tokens, recovery } = needs.agents
  const { journal, alarms, clients } = needs.machines
  const machineOf = (name: string) => catalog.machine({ name })
  const diskKeys = new DiskKeys({ store, tokens, journal, alarms, clients, machineOf, clocks })
  const liveness = new Liveness(clocks.steady)
  const isInstalled = (name: string) => installs.isInstalled(name)
  const controllersOf: ControllersOf = name =>
    controllersIn({ catalog, journal, isInstalled, liveness, clocks }, name)
  const keptOrders = new KeptOrders({ store, disks, clocks, host: hostClock })
  const localBoots = new LocalBoots({ disks, orders: keptOrders, clocks })
  const orders = new Orders({ store, kept: keptOrders, localBoots, journal, controllersOf })
  const installs = new Installs({
    store,
    disks,
    tokens,
    journal,
    alarms,
    authority: () => hash('sha256', needs.authority()),
    orders: keptOrders,
    localBoots,
    recovery,
    clocks,
    host: hostClock,
  })
  const upgrades = new Upgrades({
    store,
    installs,
    kept: keptOrders,
    disks,
    tokens,
    journal,
    alarms,
    machineOf,
    controllersOf,
    isReady: name => {
      const machine = machineOf(name)
      return machine !== undefined && isReady(journal.currentOf({ machine })?.phase)
    },
    liveness,
    clocks,
    host: hostClock,
  })
  lookForUpgrades(upgrades, needs, parts)
  const endings = alarmEndings({ orderOf: name => keptOrders.order(name) })
  return { keptOrders, orders, localBoots, installs, upgrades, diskKeys, alarmEndings: endings }
}

/** Calls upgrades failed whose machines did not come back in time. */
function lookForUpgrades(upgrades: Upgrades, { log }: DisksNeeds, parts: Parts): void {
  const look = () => {
    upgrades.look().catch((error: unknown) => {
      if (!(error instanceof CannotWrite)) log('error', `Upgrades were not looked at: ${causesOf(error)}`)
    })
  }
  const timer = setInterval(look, 60_000)
  parts.add('the look at upgrades', { close: () => clearInterval(timer) })
}
