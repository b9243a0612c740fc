// What is known of the machines while the server runs: their journal, the alarms about them, and who is at an address.

import { isLoopback } from '#model/address.ts'
import type { BootEvent } from '#model/boot.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import type { AlarmList } from '../alarms/alarm-list.ts'
import { causesOf, type Log } from '../log.ts'
import type { Parts } from '../process/parts.ts'
import type { EventStore } from '../store/events.ts'
import { Occurrences } from './occurrences.ts'
import { Clients, type ClientLease } from './clients.ts'
import type { Identities } from './identity.ts'
import { Journal, type JournalOptions } from './journal.ts'

/** What the machines need of the service. */
export type MachinesNeeds = {
  readonly store: EventStore
  /** Who is declared, always as of now. */
  readonly catalog: Identities
  readonly leases: Leases
  /** The address that the server is configured to listen on. */
  readonly address: string
  /** Where alarms are kept. */
  readonly alarmList: Pick<AlarmList, 'raise'>
  readonly metrics: {
    bootEvent(event: Pick<BootEvent, 'layer' | 'kind'>, stored: Promise<unknown>): void
    alarm(kind: string): void
  }
  readonly refuse: NonNullable<JournalOptions['refuse']>
  /** Whether the state directory takes no writes, which was logged once: then events that are lost are not. */
  readonly isStuck: () => boolean
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly log: Log
}

/** What DHCP shows. */
export type Leases = {
  /** Whether our DHCP server gives all addresses of the network, none, or only overhears them. */
  readonly mode: () => ProvisioningNetwork['dhcp']
  /** Whether the leases are known: they are not while the server starts. */
  readonly isOpen: () => boolean
  /** The lease of an address; in proxy mode what a client was heard to ask another server for. */
  readonly leaseAt: (address: string) => ClientLease | undefined
}

/** What is known of the machines. */
export type Machines = {
  readonly journal: Journal
  readonly alarms: Occurrences
  readonly clients: Clients
  /** Says whether an address is leased to a declared machine, or kept for one. */
  readonly isDeclared: (address: string) => boolean
  /** Says whether an address is of the provisioner's own host, where an operator looks at what machines are served. */
  readonly isOwn: (address: string) => boolean
  /** Takes up the boots of undeclared machines beside what the server does from now on. */
  readonly resume: (report: (problem: Error) => void, parts: Parts) => void
}

/** Reads the journal of the boots that go on. */
export async function openMachines(needs: MachinesNeeds): Promise<Machines> {
  const { store, catalog, leases, address: ownAddress, alarmList, metrics, refuse, isStuck, now, log } = needs
  const onLost = (error: unknown) => {
    if (!isStuck()) log('error', `A boot event could not be kept: ${causesOf(error)}`)
  }
  const onStoring = metrics.bootEvent.bind(metrics)
  const journal = await Journal.open(store, () => catalog, now, onLost, { refuse, onStoring })
  const alarms = new Occurrences({ journal, list: alarmList, count: kind => metrics.alarm(kind), log })
  const clients = new Clients(() => catalog, leases.leaseAt, leases.mode, leases.isOpen)
  const isDeclared = (address: string) => clients.whoIsAt(address).machine !== undefined
  const resume: Machines['resume'] = (report, parts) => {
    const stopping = new AbortController()
    const resuming = journal.resumeStrangers(stopping.signal).catch(report)
    const close = () => {
      stopping.abort()
      return resuming
    }
    parts.add('the journal of undeclared machines', { close })
  }
  const isOwn = (address: string) => isLoopback(address) || address === ownAddress
  return { journal, alarms, clients, isDeclared, isOwn, resume }
}
