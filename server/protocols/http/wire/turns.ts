// In which order requests are handled: one of a connection at a time, a few in each turn of the event loop, and none
// whose client has closed the connection. So a client that pipelines thousands of requests delays only itself, and packets
// of DHCP and TFTP are read in between.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { isLoopback } from '#model/address.ts'
import { Bucket, Buckets } from '../../../limits/bucket.ts'
import type { TurnLimits } from '../../../limits/http.ts'
import type { Refuse } from '../../../limits/refusals.ts'

/** How long one turn with too much to do counts. */
const CONTENDED_MS = 1000

type Request = { readonly from: IncomingMessage; readonly reply: ServerResponse; readonly handle: () => void }

/** The order of the requests of all listeners of a process. */
export class Turns {
  readonly #limits: TurnLimits
  readonly #refuse: Refuse
  readonly #isDeclared: (address: string) => boolean
  readonly #onAbuse: (address: string) => void
  readonly #perAddress: Buckets
  readonly #inAll: Bucket
  /** By connection: the requests behind the one that is handled; none while none is. */
  readonly #lines = new WeakMap<Duplex, Request[]>()
  #pending: Request[] = []
  #handled = 0
  #firstOfTurn: string | undefined
  /** Requests of more than one address arrived in this turn. */
  #isMixed = false
  #contendedUntil = 0
  #turn: NodeJS.Immediate | undefined

  /**
   * @param isDeclared says whether an address is that of a declared machine: its requests go first
   * @param onAbuse gets an address whose connection was closed for what it sent
   */
  constructor(
    refuse: Refuse,
    isDeclared: (address: string) => boolean,
    limits: TurnLimits,
    onAbuse: (address: string) => void = () => {},
  ) {
    this.#onAbuse = onAbuse
    this.#limits = limits
    this.#refuse = refuse
    this.#isDeclared = isDeclared
    this.#perAddress = new Buckets(limits.perAddress)
    this.#inAll = new Bucket(limits.inAll, performance.now())
  }

  /** Puts the handler of a server's requests behind this order. Called once a server, before others listen to it. */
  arrange(server: Server): void {
    const handlers = server.listeners('request') as ((from: IncomingMessage, reply: ServerResponse) => void)[]
    server.removeAllListeners('request')
    server.on('request', (from: IncomingMessage, reply: ServerResponse) => {
      const handle = () => {
        for (const handler of handlers) handler.call(server, from, reply)
      }
      this.#enter({ from, reply, handle })
    })
  }

  #enter(request: Request): void {
    const { socket } = request.from
    const line = this.#lines.get(socket)
    if (line === undefined) {
      this.#lines.set(socket, [])
      return this.#admit(request)
    }
    line.push(request)
    if (line.length <= this.#limits.pipelined) return
    if (!socket.destroyed) {
      this.#refuse('pipelined', addressOf(request))
      this.#onAbuse(addressOf(request))
    }
    line.length = 0
    socket.destroy()
    ignoreRest(socket)
  }

  /**
   * Lets the request in; later, or not at all, when its sender asks too fast while there is more to do than one turn
   * takes, and not only for this sender. Who is alone may have all that there is.
   */
  #admit(request: Request): void {
    const address = addressOf(request)
    const now = performance.now()
    if (isLoopback(address) || now > this.#contendedUntil) return this.#schedule(request)
    const own = this.#perAddress.of(address, now)
    const isDeclared = this.#inAll.left(now) < 1 && this.#isDeclared(address)
    const waitMs = Math.max(own.waitMs(now), isDeclared ? 0 : this.#inAll.waitMs(now))
    if (waitMs > this.#limits.longestWaitMs) {
      this.#refuse('requests', address)
      answerTooMany(request.reply, waitMs)
      return this.#next(request)
    }
    // Charged now: those who come behind wait longer.
    own.charge(now, 1)
    if (!isDeclared) this.#inAll.charge(now, 1)
    if (waitMs === 0) this.#schedule(request)
    else setTimeout(() => this.#schedule(request), waitMs)
  }

  #schedule(request: Request): void {
    if (this.#turn === undefined) this.#turn = setImmediate(() => this.#endTurn())
    const address = addressOf(request)
    if (this.#firstOfTurn === undefined) this.#firstOfTurn = address
    else if (this.#firstOfTurn !== address) this.#isMixed = true
    if (this.#handled < this.#limits.requestsATurn) return this.#handle(request)
    if (this.#isMixed) this.#contendedUntil = performance.now() + CONTENDED_MS
    this.#pending.push(request)
  }

  #endTurn(): void {
    this.#turn = undefined
    this.#handled = 0
    this.#firstOfTurn = this.#pending[0] && addressOf(this.#pending[0])
    this.#isMixed = false
    if (this.#pending.length === 0) return
    this.#turn = setImmediate(() => this.#endTurn())
    const most = this.#limits.requestsATurn
    if (this.#pending.length > most) this.#declaredFirst()
    for (const request of this.#pending.splice(0, most)) this.#handle(request)
  }

  /** Declared machines first, then one request of each address by turns. */
  #declaredFirst(): void {
    const byAddress = Map.groupBy(this.#pending, addressOf)
    const declared: Request[] = []
    const others: Request[][] = []
    for (const [address, requests] of byAddress) {
      if (this.#isDeclared(address)) declared.push(...requests)
      else others.push(requests)
    }
    const byTurns: Request[] = []
    for (let at = 0; byTurns.length < this.#pending.length - declared.length; at += 1) {
      for (const requests of others) if (at < requests.length) byTurns.push(requests[at]!) // it is within
    }
    this.#pending = [...declared, ...byTurns]
  }

  #handle(request: Request): void {
    if (request.reply.destroyed || request.from.socket.destroyed) return this.#next(request)
    this.#handled += 1
    request.reply.on('close', () => this.#next(request))
    request.handle()
  }

  /** The connection is free for its next request. */
  #next({ from: { socket } }: Request): void {
    const line = this.#lines.get(socket)
    if (socket.destroyed && line !== undefined) line.length = 0
    const next = line?.shift()
    if (next === undefined) this.#lines.delete(socket)
    else setImmediate(() => this.#admit(next))
  }
}

/** Node parses what else arrived with the same bytes, but we get no request from it that would have to be aborted. */
function ignoreRest(socket: Duplex & { parser?: { onIncoming?: unknown } | null }): void {
  if (typeof socket.parser?.onIncoming === 'function') socket.parser.onIncoming = () => 0
}

function addressOf({ from }: Request): string {
  return from.socket.remoteAddress ?? ''
}

/** Answers in place of the routes. */
function answerTooMany(reply: ServerResponse, waitMs: number): void {
  const seconds = Math.ceil(waitMs / 1000)
  reply.writeHead(429, { 'retry-after': String(seconds), 'content-type': 'text/plain; charset=utf-8' })
  reply.end(`Too many requests from this address. Ask again in ${seconds} s.\n`)
}
