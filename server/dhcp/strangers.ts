// Declared machines first: packets of other clients wait, and a turn of the event loop has little time for them. New
// hardware addresses, of which a flood has any number, are taken at a bounded rate.

import type { Socket } from 'node:dgram'
import { Bucket } from '../limits/bucket.ts'
import type { Rate } from '../limits/bucket.ts'
import type { Arrival } from './offer.ts'

/** Why a packet of an unknown client was dropped. */
export type StrangerRefusal = 'dhcp_new' | 'dhcp_queue'

/** A packet as it came in. */
export type Received = { readonly bytes: Uint8Array; readonly arrival: Arrival; readonly socket: Socket }

/** Hardware addresses that were not seen before: a rack of 1,000 is taken at once. */
const NEW_CLIENTS: Rate = { perSecond: 200, burst: 2000 }
/** Packets that wait; the oldest is dropped first, since its client will ask again. */
const QUEUE = 512
/** Milliseconds of one turn of the event loop for packets that wait. */
const TURN_MS = 0.5

/** What it takes. */
export type StrangerNeeds = {
  readonly isDeclared: (mac: string) => boolean
  /** Says whether a hardware address has, or had, a lease or an offer. */
  readonly isKnown: (mac: string) => boolean
  readonly handle: (packet: Received) => void
  readonly refuse: (reason: StrangerRefusal, mac: string) => void
}

/** The order of packets. */
export class Strangers {
  readonly #needs: StrangerNeeds
  readonly #fresh = new Bucket(NEW_CLIENTS, performance.now())
  #queue: Received[] = []
  #taken = 0
  #turn: NodeJS.Immediate | undefined

  constructor(needs: StrangerNeeds) {
    this.#needs = needs
  }

  /** Handles a packet of a declared machine now, any other soon or not at all. */
  receive(packet: Received): void {
    const mac = macIn(packet.bytes)
    if (this.#needs.isDeclared(mac)) return this.#needs.handle(packet)
    if (!this.#needs.isKnown(mac) && !this.#fresh.take(performance.now())) {
      return this.#needs.refuse('dhcp_new', mac)
    }
    this.#queue.push(packet)
    if (this.#queue.length - this.#taken > QUEUE) {
      this.#needs.refuse('dhcp_queue', macIn(this.#queue[this.#taken]!.bytes)) // it is longer than nothing
      this.#taken += 1
    }
    if (this.#turn === undefined) this.#turn = setImmediate(() => this.#serve())
  }

  /** Drops what waits. */
  close(): void {
    if (this.#turn !== undefined) clearImmediate(this.#turn)
    this.#queue = []
    this.#taken = 0
  }

  #serve(): void {
    this.#turn = undefined
    const until = performance.now() + TURN_MS
    do {
      const next = this.#queue[this.#taken]
      if (next === undefined) break
      this.#taken += 1
      this.#needs.handle(next)
    } while (performance.now() < until)
    if (this.#taken === this.#queue.length || this.#taken > QUEUE) {
      this.#queue.splice(0, this.#taken)
      this.#taken = 0
    }
    if (this.#queue.length > 0) this.#turn = setImmediate(() => this.#serve())
  }
}

/** The hardware address of a DHCP packet that may be anything (RFC 2131 figure 1: chaddr at 28). */
function macIn(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset + 28, bytes.length < 34 ? 0 : 6).toString('hex')
  return `${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6, 8)}:${hex.slice(8, 10)}:${hex.slice(10)}`
}
