// The TFTP server on the wire, for reading only: one socket receives requests on port 69, each transfer has its own.

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { whyNotOpened } from '#host/listeners.ts'
import { PilotlightError } from '#model/error.ts'
import { Bucket, type Rate } from '../../limits/bucket.ts'
import { cleanName } from './name.ts'
import { decodeTftp, encodeTftp, ERROR, OPCODE, type TftpPacket, type TftpRequest } from './packet.ts'
import {
  agree,
  ETHERNET_LIMITS,
  Transfer,
  type Step,
  type TransferEnd,
  type TransferLimits,
} from './transfer.ts'

/** One thing for the boot journal; the fields of `BootEvent` that TFTP knows. */
export type TftpEvent = {
  /** Empty when no lease says whose address asked. */
  readonly mac: string
  readonly layer: 'tftp'
  readonly kind: 'read' | 'sent' | 'failed'
  readonly text: string
  readonly detail: Readonly<Record<string, string | number>>
}

/** Who keeps the boot journal. */
export interface EventSink {
  record(event: TftpEvent): void
}

/** What the TFTP server needs. */
export type TftpOptions = {
  /** IPv4 address to serve on. */
  readonly address: string
  /** 69 by default; 0 for any free one. */
  readonly port?: number
  /** Gives the file of a clean name (no leading slash, no `..`), undefined when there is none. */
  readonly files: (name: string) => Promise<{ readonly bytes: Uint8Array } | undefined>
  readonly events: EventSink
  /** The hardware address behind a client's IPv4 address, when a lease has it. */
  readonly macOf?: (address: string) => string | undefined
  /** Gets what no client sees: a file that could not be read, a socket that failed. */
  readonly report: (problem: Error) => void
  readonly limits?: TransferLimits
  /** Transfers at a time, 256 by default; further requests wait their turn. */
  readonly transfers?: number
  /** A UDP socket that is bound to `address` and `port` already, by its file descriptor; it is ours then. */
  readonly inherited?: number | undefined
  /** Says whether an address is on one of our networks; requests from all others are dropped. By default all are. */
  readonly isOurs?: (address: string) => boolean
  /** Requests from addresses that no lease is known of; what comes faster is dropped. */
  readonly unknownClients?: Rate
  /** Hears of requests that were dropped. */
  readonly refuse?: (reason: TftpRefusal, address: string) => void
  /** Closes the server when aborted. */
  readonly signal?: AbortSignal
}

/** Why a packet was dropped. */
export type TftpRefusal = 'tftp_foreign' | 'tftp_queue' | 'tftp_rate' | 'tftp_unreadable' | 'tftp_way'

/** A port that could not be opened. */
export class CannotServeTftp extends PilotlightError {
  readonly code = 'CANNOT_SERVE_TFTP'
  constructor(address: string, port: number, cause: NodeJS.ErrnoException) {
    const { why, remedy } = whyNotOpened('udp', address, port, cause, 'pilotlight serve --no-tftp')
    super(`Cannot serve TFTP on ${address}, UDP port ${port}: ${why}`, { cause, remedy })
  }
}

/**
 * Opens the TFTP server.
 *
 * @throws {CannotServeTftp} when the port cannot be opened
 */
export async function openTftp(options: TftpOptions): Promise<TftpServer> {
  const server = new TftpServer(options)
  try {
    await server.listen()
  } catch (error) {
    server.close()
    throw error
  }
  return server
}

/** Transfers of one address: all, and those that it has not acknowledged, the oldest first. */
type Load = { all: number; readonly unheard: Set<Sending> }
type Client = { readonly address: string; readonly port: number }
type Wanted = {
  readonly client: Client
  readonly request: TftpRequest
  readonly name: string
  /** When it was sent last. */
  at: number
  /** Its client has sent it again. */
  isRepeated: boolean
}

// A request that waited this long has been repeated or given up by its client.
const LONGEST_TURN_MS = 10_000
// Requests that wait; the oldest that was not repeated is dropped first.
const MOST_WAITING = 1024
// Transfers of one address that it has not acknowledged yet. Firmware reads one file at a time.
const UNHEARD_AN_ADDRESS = 8
// What a client gets for its first sign, even when others wait: a round trip, many times over.
const UNHEARD_KEPT_MS = 250
// What waits in the kernel while we are at work. Linux allows as much as net.core.rmem_max.
const RECEIVE_BYTES = 1 << 20
// Requests from addresses that no lease is known of: each may be sent in another's name.
const UNKNOWN_CLIENTS: Rate = { perSecond: 300, burst: 1024 }

/** A running TFTP server; `openTftp` makes it. */
export class TftpServer {
  readonly #options: TftpOptions
  readonly #socket: Socket
  readonly #running = new Set<Sending>()
  /** The newest by client address and port, which a client keeps for all packets of one transfer. */
  readonly #newest = new Map<string, Sending>()
  readonly #waiting = new Map<string, Wanted>()
  readonly #loads = new Map<string, Load>()
  #isChoosing = false
  #later: NodeJS.Timeout | undefined
  #laterAt = Infinity
  readonly #unknown: Bucket
  #closed = false
  readonly #abort = () => this.close()

  constructor(options: TftpOptions) {
    this.#options = options
    this.#unknown = new Bucket(options.unknownClients ?? UNKNOWN_CLIENTS, performance.now())
    this.#socket = createSocket('udp4')
    options.signal?.addEventListener('abort', this.#abort, { once: true })
  }

  /** The port that is served. */
  get port(): number {
    return this.#socket.address().port
  }

  /** Opens the port; called once, by `openTftp`. */
  async listen(): Promise<void> {
    this.#options.signal?.throwIfAborted()
    const { address, port = 69, inherited: fd, report } = this.#options
    try {
      const listening = once(this.#socket, 'listening') // a socket that is bound already emits it at once
      if (fd === undefined) this.#socket.bind(port, address)
      else this.#socket.bind({ fd })
      await listening
      // A service manager may have given it more than we are allowed to.
      if (this.#socket.getRecvBufferSize() < RECEIVE_BYTES) this.#socket.setRecvBufferSize(RECEIVE_BYTES)
    } catch (error) {
      throw new CannotServeTftp(address, port, error as NodeJS.ErrnoException) // dgram throws no other
    }
    this.#socket.on('error', report)
    this.#socket.on('message', (bytes, client) => this.#receive(bytes, client))
  }

  /** Closes the port and ends all transfers where they are. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#options.signal?.removeEventListener('abort', this.#abort)
    this.#waiting.clear()
    clearTimeout(this.#later)
    for (const sending of this.#running) sending.close()
    this.#socket.close()
  }

  #receive(bytes: Uint8Array, client: Client): void {
    if (this.#options.isOurs?.(client.address) === false) return this.#drop('tftp_foreign', client)
    const packet = requestIn(bytes)
    if (packet === 'late') return
    if (packet === undefined) return this.#drop('tftp_unreadable', client)
    if (packet.kind === 'read') this.#read(packet, client)
    else this.#refuse(client, ERROR.accessViolation, 'this server only gives files')
  }

  #read(request: TftpRequest, client: Client): void {
    const name = cleanName(request.file)
    if (name === undefined) return this.#refuse(client, ERROR.accessViolation, 'not a file name here')
    if (request.mode !== 'octet') {
      return this.#refuse(
        client,
        ERROR.illegalOperation,
        `mode ${request.mode} would spoil it: use octet (binary)`,
      )
    }
    const key = keyOf(client)
    const running = this.#newest.get(key)
    // A client that repeats its request before our answer reached it gets that answer again from the transfer itself.
    if (running?.name === name && !running.hasBegun) return
    if (this.#options.macOf?.(client.address) === undefined && !this.#unknown.take(performance.now())) {
      return this.#drop('tftp_rate', client)
    }
    // A transfer of the same port goes on until the client acknowledges the new one: anyone can send this in its name.
    const waits = this.#waiting.get(key)
    if (waits?.name === name) {
      waits.at = performance.now()
      waits.isRepeated = true
    } else {
      this.#waiting.delete(key)
      this.#waiting.set(key, { client, request, name, at: performance.now(), isRepeated: false })
    }
    if (this.#waiting.size > MOST_WAITING) this.#dropOne()
    this.#next()
  }

  /** A sender of many requests in another's name repeats none of them; a real client does. */
  #dropOne(): void {
    let [first] = this.#waiting.values()
    for (const wanted of this.#waiting.values()) {
      if (wanted.isRepeated) continue
      first = wanted
      break
    }
    if (first === undefined) return
    this.#waiting.delete(keyOf(first.client))
    this.#drop('tftp_queue', first.client)
  }

  // Those who wait go in the order in which they asked, but clients with fewer transfers under way go first, and of one
  // address requests that were repeated.
  #next(): void {
    if (this.#isChoosing) return // one that is dropped ends
    this.#isChoosing = true
    while (!this.#closed) {
      const wanted = this.#fairest()
      if (wanted === undefined) break
      const { unheard } = this.#loads.get(wanted.client.address) ?? { unheard: new Set<Sending>() }
      const [oldest] = unheard.size >= UNHEARD_AN_ADDRESS ? unheard : []
      if (oldest !== undefined) this.#giveWay(oldest)
      if (!this.#hasRoom()) break
      this.#waiting.delete(keyOf(wanted.client))
      if (performance.now() - wanted.at < LONGEST_TURN_MS) this.#begin(wanted)
    }
    this.#isChoosing = false
  }

  // When all places are taken, the transfer that has waited longest for its client's first packet is dropped.
  #hasRoom(): boolean {
    if (this.#running.size < (this.#options.transfers ?? 256)) return true
    for (const sending of this.#running) {
      if (sending.hasBegun) continue
      if (!this.#mayGiveWay(sending)) return false
      this.#giveWay(sending)
      return true
    }
    return false
  }

  /** Says whether a transfer has waited long enough for its client's first sign; looks again at that time. */
  #mayGiveWay({ since }: Sending): boolean {
    const at = since + UNHEARD_KEPT_MS
    if (performance.now() >= at) return true
    if (at >= this.#laterAt) return false
    clearTimeout(this.#later)
    this.#laterAt = at
    const again = () => {
      this.#laterAt = Infinity
      this.#next()
    }
    this.#later = setTimeout(again, at - performance.now() + 1)
    return false
  }

  #giveWay(sending: Sending): void {
    this.#drop('tftp_way', sending.client)
    sending.close()
  }

  #fairest(): Wanted | undefined {
    let best: Wanted | undefined
    let least = Infinity
    const full = new Set<string>()
    for (const wanted of this.#waiting.values()) {
      const { address } = wanted.client
      if (full.has(address)) continue
      const load = this.#loads.get(address)
      const all = load?.all ?? 0
      const isBetter = all < least || (all === least && wanted.isRepeated && best?.isRepeated === false)
      if (!isBetter || (all === least && best?.client.address !== address)) continue
      const [oldest] = (load?.unheard.size ?? 0) >= UNHEARD_AN_ADDRESS ? load!.unheard : [] // it has that many
      if (oldest !== undefined && !this.#mayGiveWay(oldest)) {
        full.add(address)
        continue
      }
      best = wanted
      least = all
      if (least === 0) break
    }
    return best
  }

  #drop(reason: TftpRefusal, { address }: Client): void {
    this.#options.refuse?.(reason, address)
  }

  #begin({ client, request, name }: Wanted): void {
    const key = keyOf(client)
    const sending: Sending = new Sending(name, client, {
      address: this.#options.address,
      report: this.#options.report,
      unreadable: () => this.#drop('tftp_unreadable', client),
      heard: isWanted => {
        load.unheard.delete(sending)
        // The client has gone on to this one; with an error it refuses one that another asked for in its name.
        for (const other of isWanted ? this.#running : []) {
          if (other !== sending && other.since <= sending.since && keyOf(other.client) === key) other.close()
        }
        this.#next()
      },
      ended: () => {
        this.#running.delete(sending)
        if (this.#newest.get(key) === sending) this.#newest.delete(key)
        load.all -= 1
        load.unheard.delete(sending)
        if (load.all === 0 && this.#loads.get(client.address) === load) this.#loads.delete(client.address)
        this.#next()
      },
    })
    const load = this.#loads.get(client.address) ?? { all: 0, unheard: new Set<Sending>() }
    load.all += 1
    load.unheard.add(sending)
    this.#loads.set(client.address, load)
    this.#running.add(sending)
    this.#newest.set(key, sending)
    this.#send(sending, request).catch((problem: unknown) => {
      sending.close()
      this.#options.report(problem as Error) // of `files`, or of the transfer's socket
      this.#refuse(client, ERROR.undefined, 'the server could not read it')
      this.#record(client, 'failed', `${name} could not be read on the server`, { file: name })
    })
  }

  async #send(sending: Sending, request: TftpRequest): Promise<void> {
    const { name, client } = sending
    const file = await this.#options.files(name)
    if (file === undefined) {
      sending.close()
      this.#refuse(client, ERROR.notFound, `no file ${name}`)
      return this.#record(client, 'failed', `${name} is not here`, { file: name })
    }
    const { bytes } = file
    const limits = this.#options.limits ?? ETHERNET_LIMITS
    const agreement = agree(request.options, bytes.length, limits)
    const { blockBytes, windowBlocks } = agreement
    this.#record(client, 'read', `reads ${name}`, { file: name, blockBytes, windowBlocks })
    const transfer = new Transfer(bytes, agreement, limits)
    const begun = performance.now()
    const end = await sending.run(transfer)
    const seconds = Math.round(performance.now() - begun) / 1000
    const { resentBlocks } = transfer
    const detail = { file: name, bytes: bytes.length, seconds, blockBytes, windowBlocks, resentBlocks }
    const words = endText(end, name, bytes.length, seconds)
    if (words !== undefined) this.#record(client, words.kind, words.text, detail)
  }

  #refuse(client: Client, error: number, text: string): void {
    if (this.#closed) return
    this.#socket.send(encodeTftp({ kind: 'error', error, text }), client.port, client.address)
  }

  #record(client: Client, kind: TftpEvent['kind'], text: string, detail: TftpEvent['detail']): void {
    const mac = this.#options.macOf?.(client.address) ?? ''
    this.#options.events.record({
      mac,
      layer: 'tftp',
      kind,
      text,
      detail: { address: client.address, ...detail },
    })
  }
}

type SendingNeeds = {
  readonly address: string
  readonly report: (problem: Error) => void
  /** The client sent what is not a TFTP packet. */
  readonly unreadable: () => void
  /** The client showed that it is there, and with an acknowledgement that it wants the file. */
  readonly heard: (isWanted: boolean) => void
  readonly ended: () => void
}

/** The edge of one transfer: its socket and its timer. */
class Sending {
  readonly name: string
  readonly client: Client
  readonly #needs: SendingNeeds
  #socket: Socket | undefined
  #timer: NodeJS.Timeout | undefined
  #timerAt = 0
  #transfer: Transfer | undefined
  #finish: ((end: TransferEnd | undefined) => void) | undefined
  #closed = false
  /** When it was begun, on the clock of `performance.now()`. */
  readonly since = performance.now()
  /** The client has sent a packet. */
  hasBegun = false

  constructor(name: string, client: Client, needs: SendingNeeds) {
    this.name = name
    this.client = client
    this.#needs = needs
  }

  /** Sends the file; undefined when it was closed under way. */
  async run(transfer: Transfer): Promise<TransferEnd | undefined> {
    if (this.#closed) return undefined
    const socket = createSocket({ type: 'udp4', sendBufferSize: 1 << 20 })
    this.#socket = socket
    this.#transfer = transfer
    const ended = new Promise<TransferEnd | undefined>(resolve => (this.#finish = resolve))
    socket.bind(0, this.#needs.address)
    await once(socket, 'listening')
    if (this.#closed) return undefined
    // Connected, so that the kernel drops packets of strangers, and a client that stopped is noticed at once.
    socket.connect(this.client.port, this.client.address)
    await Promise.race([once(socket, 'connect'), ended])
    if (this.#closed) return undefined
    socket.on('error', problem => this.#end(transfer.gone(problem.message)))
    socket.on('message', bytes => this.#receive(bytes))
    this.#do(transfer.start(performance.now()))
    return ended
  }

  close(): void {
    this.#end(undefined)
  }

  #receive(bytes: Uint8Array): void {
    if (this.#closed) return
    let packet: TftpPacket
    try {
      packet = decodeTftp(bytes)
    } catch {
      return this.#needs.unreadable() // the codec throws its own error only; the client repeats it, or gives up
    }
    if (!this.hasBegun) {
      this.hasBegun = true
      this.#needs.heard(packet.kind === 'ack')
    }
    this.#do(this.#transfer!.receive(packet, performance.now())) // set before the socket was opened
  }

  #do(step: Step): void {
    for (const packet of step.send) this.#socket?.send(packet)
    if (step.end !== undefined) return this.#end(step.end)
    this.#wakeAt(step.wakeAt)
  }

  // Every acknowledgement moves the deadline, mostly to a later time: the timer stays, and looks at the clock when it
  // fires. Only an earlier deadline sets it again.
  #wakeAt(time: number): void {
    if (this.#timer !== undefined && this.#timerAt <= time) return
    clearTimeout(this.#timer)
    this.#timerAt = time
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#do(this.#transfer!.wake(performance.now()))
      },
      Math.max(1, time - performance.now()),
    )
  }

  #end(end: TransferEnd | undefined): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    this.#socket?.close()
    this.#finish?.(end)
    this.#needs.ended()
  }
}

function endText(
  end: TransferEnd | undefined,
  name: string,
  bytes: number,
  seconds: number,
): { kind: TftpEvent['kind']; text: string } | undefined {
  if (end === undefined || end.how === 'probed') return undefined // `read` has already reported that it asked
  if (end.how === 'sent') return { kind: 'sent', text: `has ${name}, ${bytes} bytes in ${seconds} s` }
  if (end.how === 'unconfirmed') {
    return { kind: 'sent', text: `has ${name}, ${bytes} bytes, but sent no last acknowledgement` }
  }
  return { kind: 'failed', text: `${name}: ${end.why}` }
}

/**
 * The request in `bytes`; `late` for a packet of a transfer that is over, since an error would only be answered by another;
 * undefined when it cannot be read. Most of what is not a request costs no exception.
 */
function requestIn(bytes: Uint8Array): TftpRequest | 'late' | undefined {
  const opcode = bytes.length < 4 ? 0 : bytes[0]! * 256 + bytes[1]! // it has 4
  if (opcode !== OPCODE.read && opcode !== OPCODE.write) {
    return opcode >= OPCODE.data && opcode <= OPCODE.optionAck ? 'late' : undefined
  }
  try {
    return decodeTftp(bytes) as TftpRequest // of these opcodes
  } catch {
    return undefined // the codec throws its own error only
  }
}

function keyOf({ address, port }: Client): string {
  return `${address}:${port}`
}
