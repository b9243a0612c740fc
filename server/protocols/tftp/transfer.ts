// One TFTP read as a state machine without clock or socket: packets and the time go in, packets come out.
// RFC 1350, options of RFC 2348 (blksize), 2349 (tsize, timeout) and 7440 (windowsize).

import { encodeTftp, ERROR, OPCODE, optionOf, type RequestOptions, type TftpPacket } from './packet.ts'

/** What the server grants at most, and how patient it is. */
export type TransferLimits = {
  /** Largest block in bytes: 1468 fills an Ethernet packet, and nothing has to be fragmented. */
  readonly blockBytes: number
  /** Largest window in blocks. */
  readonly windowBlocks: number
  /** Milliseconds without any sign of the client after which a transfer is given up. */
  readonly patienceMs: number
  /** The same before its first sign: until then it may be a request with a forged address. */
  readonly firstPatienceMs: number
  /** How often the first packets are sent again before the client's first sign. */
  readonly firstRetries: number
}

/** The limits of a server on an ordinary Ethernet. */
export const ETHERNET_LIMITS: TransferLimits = {
  blockBytes: 1468,
  windowBlocks: 64,
  patienceMs: 30_000,
  firstPatienceMs: 4000,
  firstRetries: 2,
}

/** How a transfer ended. */
export type TransferEnd =
  | { readonly how: 'sent' }
  /** The client took the answer to its options and stopped: it only wanted the size (pixiecore#21). */
  | { readonly how: 'probed' }
  /** Every block was sent, and then the client stopped: its last acknowledgement is missing, probably not the file. */
  | { readonly how: 'unconfirmed' }
  | { readonly how: 'refused'; readonly why: string }
  | { readonly how: 'lost'; readonly why: string }

/** What to do now: packets to send in order, when to call `wake`, or that it is over. */
export type Step = {
  readonly send: readonly Uint8Array[]
  /** Milliseconds on the clock that `receive` and `wake` are given. */
  readonly wakeAt: number
  readonly end?: TransferEnd
}

/** What the options of a request come to. */
export type Agreement = {
  readonly blockBytes: number
  readonly windowBlocks: number
  /** How long the client waits before it repeats itself, when it asked for `timeout`. */
  readonly clientWaitMs: number | undefined
  /** What is sent back in an OACK; empty when the client asked for nothing that we know. */
  readonly accepted: RequestOptions
}

const DEFAULT_BLOCK_BYTES = 512
const FIRST_RETRY_MS = 500
const SHORTEST_RETRY_MS = 50
const LONGEST_FIRST_RETRY_MS = 2000

// Sent again this often in growing steps, then once more after a longer quiet, and so on. The quiet is for clients like
// atftp: they answer a block that they have already only when they have heard nothing for 5 seconds. A client that asks
// for `timeout` says when it would repeat itself; we repeat sooner all the same, by the round trip measured, since curl
// asks for 6 seconds and each packet lost would cost as much.
const QUICK_RETRIES = 4
const QUIET_MS = 6000

/** Settles the options of a request for a file of `fileBytes`; what is unknown or impossible is left out. */
export function agree(options: RequestOptions, fileBytes: number, limits: TransferLimits): Agreement {
  const accepted = new Map<string, string>()
  const settle = (name: string, low: number, high: number, grant: (asked: number) => number) => {
    const [written, value] = optionOf(options, name) ?? []
    if (written === undefined || value === undefined || !/^\d{1,10}$/.test(value)) return undefined
    const asked = Number(value)
    if (asked < low || asked > high) return undefined
    const granted = grant(asked)
    accepted.set(written, String(granted))
    return granted
  }
  const blockBytes = settle('blksize', 8, 65_464, asked => Math.min(asked, limits.blockBytes))
  settle('tsize', 0, 2 ** 32, () => fileBytes)
  const seconds = settle('timeout', 1, 255, asked => asked)
  const windowBlocks = settle('windowsize', 1, 65_535, asked => Math.min(asked, limits.windowBlocks))
  return {
    blockBytes: blockBytes ?? DEFAULT_BLOCK_BYTES,
    windowBlocks: windowBlocks ?? 1,
    clientWaitMs: seconds === undefined ? undefined : seconds * 1000,
    accepted,
  }
}

/**
 * A file on its way to one client. Blocks are counted from 1 without end here; on the wire they roll over to 0 after
 * 65535, and an acknowledgement is understood relative to the last one.
 */
export class Transfer {
  readonly #file: Uint8Array
  readonly #agreement: Agreement
  readonly #limits: TransferLimits
  readonly #blocks: number
  #awaitsOptionAck: boolean
  /** The last block that the client has, the last one sent, and the last one ever sent. */
  #acked = 0
  #sent = 0
  #furthest = 0
  /** A second acknowledgement of the same block reported a gap, and the window was sent again for it. */
  #rewound = false
  #isRetry = false
  #roundTripMs: number | undefined
  /** The wait for the first answer; it doubles with each of `#retries`. */
  #retryMs = FIRST_RETRY_MS
  #retries = 0
  #sentAt = 0
  #lastSignAt = 0
  #resentBlocks = 0
  #firstRetries = 0
  #isHeard = false

  constructor(file: Uint8Array, agreement: Agreement, limits: TransferLimits) {
    this.#file = file
    this.#agreement = agreement
    this.#limits = limits
    this.#blocks = Math.floor(file.length / agreement.blockBytes) + 1 // the last block is a short one, maybe empty
    this.#awaitsOptionAck = agreement.accepted.size > 0
  }

  /** Blocks that were sent more than once so far. */
  get resentBlocks(): number {
    return this.#resentBlocks
  }

  /** Begins: the answer to the options, or the first block when there are none. */
  start(now: number): Step {
    this.#lastSignAt = now
    return this.#sendOn(now)
  }

  /** Takes a packet of the client. What makes no sense is ignored: the client repeats itself, or gives up. */
  receive(packet: TftpPacket, now: number): Step {
    if (packet.kind === 'error') return this.#clientGaveUp(packet.error, packet.text)
    if (packet.kind !== 'ack') return this.#wait()
    if (this.#awaitsOptionAck) {
      if (packet.block !== 0) return this.#wait()
      this.#awaitsOptionAck = false
      this.#progress(now)
      return this.#sendOn(now)
    }
    const news = (packet.block - this.#acked) & 0xffff
    if (news > this.#sent - this.#acked) return this.#wait() // of the past
    if (news === 0) return this.#hearAgain(now)
    this.#acked += news
    this.#progress(now)
    if (this.#acked === this.#blocks) return { send: [], wakeAt: now, end: { how: 'sent' } }
    if (this.#acked < this.#sent) this.#goBack() // a gap: RFC 7440 §4 goes on behind the block acknowledged
    return this.#sendOn(now)
  }

  /** The time of `wakeAt` has come: sends again, waiting longer each time, or gives up. */
  wake(now: number): Step {
    if (now < this.#wakeAt()) return this.#wait()
    const silenceMs = now - this.#lastSignAt
    if (!this.#isHeard) return this.#wakeUnheard(now, silenceMs)
    if (silenceMs >= this.#limits.patienceMs) {
      const why = `no answer for ${Math.round(silenceMs / 1000)} s, at block ${this.#acked} of ${this.#blocks}`
      const send = [encodeTftp({ kind: 'error', error: ERROR.undefined, text: why })]
      return { send, wakeAt: now, end: this.gone(why) }
    }
    this.#retries = (this.#retries + 1) % (QUICK_RETRIES + 1)
    this.#goBack()
    this.#isRetry = true
    return this.#sendOn(now)
  }

  /** Before the first sign little is sent, and no error at the end: the host at the address may have asked for nothing. */
  #wakeUnheard(now: number, silenceMs: number): Step {
    if (silenceMs >= this.#limits.firstPatienceMs) {
      const why = `no answer for ${Math.round(silenceMs / 1000)} s to the first packet`
      return { send: [], wakeAt: now, end: { how: 'lost', why } }
    }
    this.#retries += 1
    this.#firstRetries += 1
    this.#goBack()
    this.#isRetry = true
    return this.#sendOn(now)
  }

  /** The end of a transfer whose client cannot be reached any more. */
  gone(why: string): TransferEnd {
    return this.#furthest === this.#blocks ? { how: 'unconfirmed' } : { how: 'lost', why }
  }

  #clientGaveUp(error: number, text: string): Step {
    const nothingTaken = this.#awaitsOptionAck && (error === ERROR.undefined || error === ERROR.optionRefused)
    const why = `the client stopped with error ${error}${text === '' ? '' : `, "${text.slice(0, 100)}"`}`
    return { send: [], wakeAt: 0, end: nothingTaken ? { how: 'probed' } : { how: 'refused', why } }
  }

  /**
   * The client acknowledges the same block again. In lockstep that is an echo, and answering it would double every
   * packet from here on (the sorcerer's apprentice, RFC 1123 §4.2.3.1). With a window it may mean that the first block
   * of the window is lost: accepted once a window, and only if it had the time to travel.
   */
  #hearAgain(now: number): Step {
    this.#lastSignAt = now
    this.#isHeard = true
    const tooSoon = now - this.#sentAt < (this.#roundTripMs ?? 0) / 2
    if (this.#agreement.windowBlocks === 1 || this.#rewound || tooSoon) return this.#wait()
    this.#rewound = true
    this.#goBack()
    this.#isRetry = true
    return this.#sendOn(now)
  }

  #progress(now: number): void {
    this.#lastSignAt = now
    this.#isHeard = true
    this.#rewound = false
    this.#retries = 0
    // The time of a packet sent twice says nothing (Karn): only first attempts are measured.
    if (!this.#isRetry) {
      const sample = now - this.#sentAt
      this.#roundTripMs =
        this.#roundTripMs === undefined ? sample : this.#roundTripMs * 0.875 + sample * 0.125
    }
    this.#isRetry = false
    const measured = this.#roundTripMs === undefined ? FIRST_RETRY_MS : this.#roundTripMs * 4
    this.#retryMs = Math.min(Math.max(measured, SHORTEST_RETRY_MS), LONGEST_FIRST_RETRY_MS)
  }

  #goBack(): void {
    this.#resentBlocks += this.#sent - this.#acked
    this.#sent = this.#acked
  }

  #sendOn(now: number): Step {
    this.#sentAt = now
    if (this.#awaitsOptionAck) {
      const send = [encodeTftp({ kind: 'optionAck', options: this.#agreement.accepted })]
      return { send, wakeAt: this.#wakeAt() }
    }
    const last = Math.min(this.#acked + this.#agreement.windowBlocks, this.#blocks)
    const send = this.#window(this.#sent + 1, last)
    this.#sent = last
    this.#furthest = Math.max(this.#furthest, last)
    return { send, wakeAt: this.#wakeAt() }
  }

  // One allocation a window: the packets are views of it.
  #window(first: number, last: number): Uint8Array[] {
    const { blockBytes } = this.#agreement
    const room = new Uint8Array((last - first + 1) * (4 + blockBytes))
    const packets: Uint8Array[] = []
    for (let block = first, at = 0; block <= last; block += 1) {
      const bytes = this.#file.subarray((block - 1) * blockBytes, block * blockBytes)
      room[at + 1] = OPCODE.data
      room[at + 2] = (block >> 8) & 255
      room[at + 3] = block & 255
      room.set(bytes, at + 4)
      packets.push(room.subarray(at, at + 4 + bytes.length))
      at += 4 + bytes.length
    }
    return packets
  }

  #wait(): Step {
    return { send: [], wakeAt: this.#wakeAt() }
  }

  #wakeAt(): number {
    if (!this.#isHeard && this.#firstRetries >= this.#limits.firstRetries) {
      return this.#lastSignAt + this.#limits.firstPatienceMs
    }
    const waitMs = this.#retryMs * 2 ** this.#retries
    if (this.#retries < QUICK_RETRIES) return this.#sentAt + waitMs
    return this.#sentAt + Math.max(QUIET_MS, waitMs, (this.#agreement.clientWaitMs ?? 0) + 1000)
  }
}
