// Who asks a boot route, and what is written down about it.

import type { Machine } from '#model/machine.ts'
import type { Labels } from '#model/selector.ts'
import type { Copies } from '../../../machines/copies.ts'
import { RebootHeld, RebootTooLate } from '../../../agent/errors.ts'
import type { Catalog } from '../../../inventory/catalog.ts'
import type { Clients } from '../../../machines/clients.ts'
import { isKnownByUuidAlone, isLeaseOf } from '../../../machines/identity.ts'
import type { Journal, NewEvent } from '../../../machines/journal.ts'
import { statusOf } from '../wire/problems.ts'

/** What it needs of the service. */
export type AskerNeeds = {
  readonly catalog: () => Pick<Catalog, 'machine'>
  readonly clients: Pick<Clients, 'macOf' | 'mayBe' | 'leaseAt' | 'dhcp'>
  readonly journal: Pick<Journal, 'record' | 'currentOf'>
  readonly copies: Pick<Copies, 'saw'>
  /** Says whether an address is of the provisioner's own host, where an operator looks at what machines are served. */
  readonly isOwn: (address: string) => boolean
}

/** Who asks, as its journal is found: `machine` when the sender is taken for a declared one. */
export type Asker = { readonly mac: string; readonly machine?: Machine }

/** Finds who asks, and writes down what each asks. */
export class Askers {
  readonly #needs: AskerNeeds

  constructor(needs: AskerNeeds) {
    this.#needs = needs
  }

  /**
   * Whose journal to write; undefined when someone else looks at what the machine would get. A MAC that is not the
   * machine's, with its UUID, is that of a stranger; so is any MAC with the UUID of a machine that is declared by it
   * alone, unless the lease of the sender's address was bound with that UUID, or DHCP here shows no lease.
   */
  senderOf(address: string, labels: Labels, machine: Machine | undefined): Asker | undefined {
    const { clients } = this.#needs
    const mac = labels.mac ?? machine?.macs[0] ?? clients.macOf(address)
    if (machine !== undefined && isKnownByUuidAlone(machine)) {
      if (clients.dhcp === 'off') return mac === undefined ? undefined : { mac, machine }
      const lease = clients.leaseAt(address)
      if (lease !== undefined && isLeaseOf(machine, lease)) return { mac: lease.mac, machine }
    }
    if (mac === undefined) return undefined
    if (machine?.macs.includes(mac)) {
      const own = { macs: machine.macs, address: machine.address }
      return clients.mayBe(address, own) ? { mac, machine } : undefined
    }
    return clients.mayBe(address, { macs: [mac] }) ? { mac } : undefined
  }

  /** The machines that a request from elsewhere names: those of them that run are copied. */
  lookForCopies(from: string, path: string, { mac, uuid }: Labels): void {
    const { catalog, copies, isOwn } = this.#needs
    if (isOwn(from)) return
    const named = new Set([catalog().machine({ mac }), catalog().machine({ uuid })])
    for (const machine of named) {
      if (machine === undefined) continue
      const text = `${from} asks for ${path} in the name of ${machine.name}`
      copies.saw({ machine, as: 'request', layer: 'http', from, text })
    }
  }

  /** Writes an event into the journal of who asks. */
  record({ mac, machine }: Asker, event: Omit<NewEvent, 'mac' | 'machine' | 'layer'>) {
    return this.#needs.journal.record({
      mac,
      layer: 'http',
      ...event,
      ...(machine && { machine: machine.name }),
    })
  }

  /** Writes down why a request for `route` was refused; once, while a machine that waits asks again and again. */
  refused(from: Asker, route: string, error: unknown): void {
    if (error instanceof RebootHeld || error instanceof RebootTooLate) return // an alarm says so
    const { status, code, text } = statusOf(error)
    const last = this.#needs.journal.currentOf(from)?.last
    if (last?.kind === 'refused' && last.text === text) return
    this.record(from, { kind: 'refused', text, detail: { status, code, route } })
  }
}
