// Which packets are decoded, and when. A turn of the event loop has little time for them, whatever their sender, since anyone
// can send in any name. Those of declared machines go first; among these, the machines that sent least. Packets of other
// clients wait behind them. New hardware addresses, of which a flood has any number, are taken at a bounded rate. All of it
// is decided on the bytes, before they are decoded.

import type { Socket } from 'node:dgram'
import { Bucket, type Rate } from '../../limits/bucket.ts'
import { FairQueue } from './fair-queue.ts'
import type { Arrival } from './offer.ts'
import { keepLast } from '../../limits/bounded.ts'

/** Why a packet was dropped. */
export type DhcpRefusal = 'dhcp_declared' | 'dhcp_new' | 'dhcp_queue' | 'dhcp_rate' | 'dhcp_unreadable'

/** A packet as it was received. */
export type Received = { readonly bytes: Uint8Array; readonly arrival: Arrival; readonly socket: Socket }

/** Packets of one declared hardware address: a boot sends two, three times, and each time some again. */
const DECLARED_CLIENT: Rate = { perSecond: 20, burst: 100 }
/**
 * Packets with the UUID of one machine that is declared by UUID alone, from any hardware addresses; more are a stranger's.
 * Its firmware and loader send six, and some of them again.
 */
const UUID_CLIENT: Rate = { perSecond: 5, burst: 40 }
/** What a machine sent lately: a boot is within it, and a flood is beyond it after seconds. */
const LATELY: Rate = { perSecond: 0.25, burst: 16 }
/** Declared machines that are remembered: more than can be declared. */
const SENDERS = 200_000
/** Packets of declared machines that wait: a rack of 1,000 that is switched on. */
const DECLARED_QUEUE = 2048
/** Hardware addresses that were not seen before: a rack of 1,000 is taken at once. */
const NEW_CLIENTS: Rate = { perSecond: 200, burst: 2000 }
/** Packets of others that wait; the oldest is dropped first, since its client will ask again. */
const QUEUE = 512
/** Milliseconds of one turn of the event loop for packets: of these at least one of each kind is handled. */
const TURN_MS = 0.5
/** So many packets of declared machines wait only in a storm or a flood: then a turn has this little for them. */
const CROWDED = 64
const CROWDED_MS = 0.05
/** Milliseconds in which so many are spent on packets that need not wait, at most. */
const WINDOW_MS = 1

/**
 * The longest packet that is read, in bytes: what an Ethernet frame holds. A client need not take more than 576 (RFC 2131
 * §2), firmware and iPXE offer 1,472 (option 57), and none sends a message in fragments.
 */
const LONGEST = 1500

/** What it takes. */
export type StrangerNeeds = {
  readonly isDeclared: (mac: string) => boolean
  /** The UUID in a packet when it is that of a machine declared by UUID alone. */
  readonly uuidOf: (bytes: Uint8Array) => string | undefined
  /** Says whether a hardware address has, or had, a lease or an offer. */
  readonly isKnown: (mac: string) => boolean
  readonly handle: (packet: Received) => void
  /** @param from its hardware address, or the address that sent what has none */
  readonly refuse: (reason: DhcpRefusal, from: string) => void
}

/** A declared machine: what it may send, and how much it sent lately. */
type Sender = { readonly may: Bucket; readonly lately: Bucket }

/** The order of packets. */
export class PacketQueue {
  readonly #needs: StrangerNeeds
  readonly #fresh = new Bucket(NEW_CLIENTS, performance.now())
  readonly #senders = new Map<string, Sender>()
  readonly #declared = new FairQueue<Received>(LATELY.burst, DECLARED_QUEUE)
  #queue: Received[] = []
  #taken = 0
  #turn: NodeJS.Immediate | undefined
  #windowBegan = -Infinity
  #spentMs = 0

  constructor(needs: StrangerNeeds) {
    this.#needs = needs
  }

  /** Handles a packet of a declared machine now when there is time, any other soon or not at all. */
  receive(packet: Received): void {
    const { bytes, arrival } = packet
    if (!isReadable(bytes)) return this.#needs.refuse('dhcp_unreadable', arrival.from.address)
    if (!isEthernetRequest(bytes)) return // has no answer, whatever its sender
    const mac = macIn(bytes)
    const now = performance.now()
    if (this.#needs.isDeclared(mac)) {
      const sender = this.#senderOf(mac, DECLARED_CLIENT, now)
      if (sender.may.take(now)) this.#receiveDeclared(packet, sender, now)
      else this.#needs.refuse('dhcp_rate', mac)
      return
    }
    const uuid = this.#needs.uuidOf(bytes)
    if (uuid !== undefined) {
      const sender = this.#senderOf(uuid, UUID_CLIENT, now)
      if (sender.may.take(now)) return this.#receiveDeclared(packet, sender, now)
    }
    if (!this.#needs.isKnown(mac) && !this.#fresh.take(now)) return this.#needs.refuse('dhcp_new', mac)
    this.#queue.push(packet)
    if (this.#queue.length - this.#taken > QUEUE) {
      this.#needs.refuse('dhcp_queue', macIn(this.#queue[this.#taken]!.bytes)) // it is longer than nothing
      this.#taken += 1
    }
    this.#turn ??= setImmediate(() => this.#serve())
  }

  /** Drops what waits. */
  close(): void {
    if (this.#turn !== undefined) clearImmediate(this.#turn)
    this.#turn = undefined
    while (this.#declared.size > 0) this.#declared.take()
    this.#queue = []
    this.#taken = 0
  }

  #senderOf(name: string, rate: Rate, now: number): Sender {
    const known = this.#senders.get(name)
    if (known !== undefined) return known
    const fresh = { may: new Bucket(rate, now), lately: new Bucket(LATELY, now) }
    this.#senders.set(name, fresh)
    keepLast(this.#senders, SENDERS)
    return fresh
  }

  #receiveDeclared(packet: Received, { lately }: Sender, now: number): void {
    if (now - this.#windowBegan >= WINDOW_MS) {
      this.#windowBegan = now
      this.#spentMs = 0
    }
    const level = Math.floor(LATELY.burst - lately.left(now))
    lately.take(now)
    if (this.#declared.size === 0 && this.#spentMs < TURN_MS) {
      this.#needs.handle(packet)
      this.#spentMs += performance.now() - now
      return
    }
    const dropped = this.#declared.push(level, packet)
    if (dropped !== undefined) this.#needs.refuse('dhcp_declared', macIn(dropped.bytes))
    this.#turn ??= setImmediate(() => this.#serve())
  }

  #serve(): void {
    this.#turn = undefined
    let now = performance.now()
    // The less a turn takes, the more packets are read: what the kernel drops has no order.
    const turnMs = this.#declared.size > CROWDED ? CROWDED_MS : TURN_MS
    const until = now + Math.max(0, turnMs - this.#spentMs)
    for (let next = this.#declared.take(); next !== undefined; next = this.#declared.take()) {
      this.#needs.handle(next)
      now = performance.now()
      if (now >= until) break
    }
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
    this.#spentMs = 0
    if (this.#queue.length > 0 || this.#declared.size > 0) this.#turn = setImmediate(() => this.#serve())
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
export function macIn(bytes: Uint8Array): string {
  const hex = (at: number) => HEX[bytes[28 + at]!]! // its header is complete
  return `${hex(0)}:${hex(1)}:${hex(2)}:${hex(3)}:${hex(4)}:${hex(5)}`
}
