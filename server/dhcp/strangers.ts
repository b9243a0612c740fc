// Which packets are decoded, and when. Declared machines first, each at a bounded rate, since anyone can send in its
// name. Packets of other clients wait, and a turn of the event loop has little time for them. New hardware addresses, of
// which a flood has any number, are taken at a bounded rate. All of it is decided on the bytes, before they are decoded.

import type { Socket } from 'node:dgram'
import { Bucket, Buckets } from '../limits/bucket.ts'
import type { Rate } from '../limits/bucket.ts'
import type { Arrival } from './offer.ts'

/** Why a packet was dropped. */
export type DhcpRefusal = 'dhcp_new' | 'dhcp_queue' | 'dhcp_rate' | 'dhcp_unreadable'

/** A packet as it came in. */
export type Received = { readonly bytes: Uint8Array; readonly arrival: Arrival; readonly socket: Socket }

/** Packets of one declared hardware address: a boot sends two, three times, and each time some again. */
const DECLARED_CLIENT: Rate = { perSecond: 20, burst: 100 }
/** Hardware addresses that were not seen before: a rack of 1,000 is taken at once. */
const NEW_CLIENTS: Rate = { perSecond: 200, burst: 2000 }
/** Packets that wait; the oldest is dropped first, since its client will ask again. */
const QUEUE = 512
/** Milliseconds of one turn of the event loop for packets that wait. */
const TURN_MS = 0.5

/**
 * The longest packet that is read, in bytes: what an Ethernet frame holds. A client need not take more than 576 (RFC 2131
 * §2), firmware and iPXE offer 1,472 (option 57), and none sends a message in fragments.
 */
const LONGEST = 1500

/** What it takes. */
export type StrangerNeeds = {
  readonly isDeclared: (mac: string) => boolean
  /** Says whether a hardware address has, or had, a lease or an offer. */
  readonly isKnown: (mac: string) => boolean
  readonly handle: (packet: Received) => void
  /** @param from its hardware address, or the address that sent what has none */
  readonly refuse: (reason: DhcpRefusal, from: string) => void
}

/** The order of packets. */
export class Strangers {
  readonly #needs: StrangerNeeds
  readonly #fresh = new Bucket(NEW_CLIENTS, performance.now())
  readonly #declared = new Buckets(DECLARED_CLIENT, 200_000) // more than can be declared
  #queue: Received[] = []
  #taken = 0
  #turn: NodeJS.Immediate | undefined

  constructor(needs: StrangerNeeds) {
    this.#needs = needs
  }

  /** Handles a packet of a declared machine now, any other soon or not at all. */
  receive(packet: Received): void {
    const { bytes, arrival } = packet
    if (!isReadable(bytes)) return this.#needs.refuse('dhcp_unreadable', arrival.from.address)
    if (!isEthernetRequest(bytes)) return // has no answer, whoever sent it
    const mac = macIn(bytes)
    const now = performance.now()
    if (this.#needs.isDeclared(mac)) {
      if (this.#declared.of(mac, now).take(now)) this.#needs.handle(packet)
      else this.#needs.refuse('dhcp_rate', mac)
      return
    }
    if (!this.#needs.isKnown(mac) && !this.#fresh.take(now)) return this.#needs.refuse('dhcp_new', mac)
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

/** Says whether the bytes are as long as a message can be, with a complete header and the magic cookie (RFC 2131 §2). */
function isReadable(bytes: Uint8Array): boolean {
  if (bytes.length > LONGEST) return false
  const isCookie = bytes[236] === 99 && bytes[237] === 130 && bytes[238] === 83 && bytes[239] === 99
  return bytes.length >= 240 && isCookie && (bytes[0] === 1 || bytes[0] === 2)
}

/** Says whether a readable packet is a client's, with a hardware address of Ethernet (op, htype, hlen). */
function isEthernetRequest(bytes: Uint8Array): boolean {
  return bytes[0] === 1 && bytes[1] === 1 && bytes[2] === 6
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** The hardware address of a packet of Ethernet (chaddr at 28). */
function macIn(bytes: Uint8Array): string {
  const hex = (at: number) => HEX[bytes[28 + at]!]! // its header is complete
  return `${hex(0)}:${hex(1)}:${hex(2)}:${hex(3)}:${hex(4)}:${hex(5)}`
}
