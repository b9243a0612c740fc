// What reads of people and programs may cost: lists, explanations, journals and metrics are made one after the other, a
// turn of the event loop each, and charged to their sender by the processor time that they took.

import type { FastifyInstance, FastifyReply } from 'fastify'
import { isLoopback } from '#model/address.ts'
import { Bucket, Buckets } from '../../../limits/bucket.ts'
import { TooManyReads } from '../../../errors.ts'
import type { ReadLimits } from '../../../limits/http.ts'
import type { Refuse } from '../../../limits/refusals.ts'

/** What a read is charged at least: what its hooks and its answer cost beside the handler. */
const LEAST_MS = 0.3

/** How long the next read waits, by what the one before it took. */
const BREATH = 4

type Read = {
  readonly address: string
  /** Shown to be an administrator's: neither refused nor charged. */
  readonly isTrusted: boolean
  readonly reply: FastifyReply
  readonly handle: (error?: Error) => void
}

/** The reads of all listeners of a process. */
export class ReadCosts {
  readonly #refuse: Refuse
  readonly #limits: ReadLimits
  readonly #perAddress: Buckets
  readonly #inAll: Bucket
  readonly #pending: Read[] = []
  #turn: NodeJS.Immediate | undefined
  #later: NodeJS.Timeout | undefined

  constructor(refuse: Refuse, limits: ReadLimits) {
    this.#refuse = refuse
    this.#limits = limits
    this.#perAddress = new Buckets(limits.perAddress)
    this.#inAll = new Bucket(limits.inAll, performance.now())
  }

  /**
   * Limits the reads (GET and HEAD) of the routes of `app`. Its hook runs after those that find out who asks: a token of
   * role admin is never refused.
   */
  limit(app: FastifyInstance): void {
    app.addHook('preHandler', (request, reply, next) => {
      if (request.method !== 'GET' && request.method !== 'HEAD') return next()
      const { role, by } = request.identity
      const isTrusted = role === 'admin' && (by === 'token' || by === 'certificate')
      const read: Read = { address: request.ip, isTrusted, reply, handle: next }
      if (this.#isRefused(read)) return
      this.#pending.push(read)
      if (this.#turn === undefined && this.#later === undefined) {
        this.#turn = setImmediate(() => this.#handleOne())
      }
    })
  }

  #isRefused({ address, isTrusted, reply, handle }: Read): boolean {
    const refused = isTrusted ? undefined : this.#refusalOf(address, performance.now())
    if (refused === undefined) return false
    const seconds = Math.ceil(refused.waitMs / 1000)
    this.#refuse(refused.reason, address)
    void reply.header('retry-after', seconds)
    handle(new TooManyReads(address, seconds))
    return true
  }

  #refusalOf(
    address: string,
    now: number,
  ): { readonly reason: 'reads_address' | 'reads'; readonly waitMs: number } | undefined {
    const own = this.#perAddress.of(address, now)
    if (own.left(now) <= 0) return { reason: 'reads_address', waitMs: own.waitMs(now) }
    const isFull = this.#pending.length >= this.#limits.pending
    if (isLoopback(address) && !isFull) return undefined // who is on this host is not shut out by those who are not
    if (isFull || this.#inAll.left(now) <= 0)
      return { reason: 'reads', waitMs: this.#inAll.waitMs(now) + 1000 }
    return undefined
  }

  #handleOne(): void {
    const read = this.#nextOpen()
    // Those before it may have used up its time.
    if (read === undefined || this.#isRefused(read)) this.#rest(0)
    else this.#spend(read)
  }

  /** Handles a read, charges it by the processor time that it took, and rests for as much longer. */
  #spend(read: Read): void {
    const before = process.threadCpuUsage()
    read.handle()
    // What a handler does with a store that answers at once belongs to it: that is over when no microtask is left.
    queueMicrotask(() =>
      process.nextTick(() => {
        const { user, system } = process.threadCpuUsage(before)
        const spentMs = Math.max(LEAST_MS, (user + system) / 1000)
        if (!read.isTrusted) {
          const now = performance.now()
          this.#perAddress.of(read.address, now).charge(now, spentMs)
          if (!isLoopback(read.address)) this.#inAll.charge(now, spentMs)
        }
        this.#rest(spentMs)
      }),
    )
  }

  /** While others wait, the event loop is left to machines for most of the time; one reader alone is not held up. */
  #rest(spentMs: number): void {
    this.#turn = undefined
    this.#later = undefined
    if (this.#pending.length > 0) this.#later = setTimeout(() => this.#handleOne(), spentMs * BREATH)
  }

  /** The next whose client is still there: of the address that used least. */
  #nextOpen(): Read | undefined {
    const now = performance.now()
    let best: number | undefined
    let most = -Infinity
    for (let at = this.#pending.length - 1; at >= 0; at -= 1) {
      const { address, reply, isTrusted } = this.#pending[at]! // at is within
      if (reply.raw.destroyed) {
        this.#pending.splice(at, 1)
        if (best !== undefined) best -= 1
        continue
      }
      const left = isTrusted ? Infinity : this.#perAddress.of(address, now).left(now)
      if (left < most) continue
      most = left
      best = at
    }
    return best === undefined ? undefined : this.#pending.splice(best, 1)[0]
  }
}
