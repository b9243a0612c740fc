// The memory of downloads: each has one or two buffers, and all together have a limit. So clients that take nothing of what
// they asked for hold little, and machines of the site always find some.

import { isLoopback } from '#model/address.ts'

/** Bytes of the buffers of downloads. */
export type BufferLimits = {
  /** Of all downloads. */
  readonly inAll: number
  /** Of all addresses together that belong to no declared machine. */
  readonly ofStrangers: number
  /** Of one such address; not of this host, where a proxy speaks for many. */
  readonly perStranger: number
}

/** Room for 64 KB of 2,000 downloads; of 768 strangers; of as many as one address may have connections. */
const BUFFER_LIMITS: BufferLimits = {
  inAll: 128 << 20,
  ofStrangers: 48 << 20,
  perStranger: 4 << 20,
}

/** What one client may have of it. */
export type BufferShare = {
  /** Takes bytes if they are there, and says whether they were. */
  readonly take: (bytes: number) => boolean
  /** Takes bytes as soon as they are there; resolves to false when `gone` is aborted before that. */
  readonly wait: (bytes: number, gone: AbortSignal) => Promise<boolean>
  /** Gives bytes back. */
  readonly release: (bytes: number) => void
  /** Others wait for bytes that this client could give back: then it has no more than it needs. */
  readonly isWanted: () => boolean
  /** The milliseconds that the client has to take so many bytes; undefined where that is left to the connection. */
  readonly patienceMs: (bytes: number) => number | undefined
  /** Counts that the client did not take them. */
  readonly tooSlow: () => void
}

/** The address that bytes are charged to, and how many it may have; undefined for all declared machines together. */
type Owner = { readonly address: string; readonly most: number } | undefined
type Waiting = { readonly owner: Owner; readonly bytes: number; readonly grant: () => void }

/** Bytes a second that a client has to take at least, after `PATIENCE_MS`. */
const LEAST_RATE = 64 << 10
const PATIENCE_MS = 15_000

/** The buffers of all downloads of a process, as numbers: who takes bytes makes the buffer. */
export class DownloadBuffers {
  readonly #limits: BufferLimits
  readonly #isDeclared: (address: string) => boolean
  readonly #tooSlow: (address: string) => void
  #held = 0
  #heldByStrangers = 0
  readonly #heldBy = new Map<string, number>()
  readonly #waiting = new Set<Waiting>()

  /**
   * @param isDeclared says whether an address is that of a declared machine
   * @param tooSlow is called for a client that did not take what it asked for
   */
  constructor(
    isDeclared: (address: string) => boolean,
    tooSlow: (address: string) => void,
    limits: BufferLimits = BUFFER_LIMITS,
  ) {
    this.#isDeclared = isDeclared
    this.#tooSlow = tooSlow
    this.#limits = limits
  }

  /** The bytes that all downloads have. */
  get held(): number {
    return this.#held
  }

  /** The share of one download. Who its address belongs to is looked up once, when it begins. */
  shareOf(address: string): BufferShare {
    const isDeclared = this.#isDeclared(address)
    const most = isLoopback(address) ? Infinity : this.#limits.perStranger
    const owner: Owner = isDeclared ? undefined : { address, most }
    return {
      take: bytes => !this.#isWantedFrom(owner) && this.#take(owner, bytes),
      wait: (bytes, gone) => this.#wait(owner, bytes, gone),
      release: bytes => this.#release(owner, bytes),
      isWanted: () => this.#isWantedFrom(owner),
      patienceMs: bytes => (isDeclared ? undefined : PATIENCE_MS + (bytes / LEAST_RATE) * 1000),
      tooSlow: () => this.#tooSlow(address),
    }
  }

  #take(owner: Owner, bytes: number): boolean {
    if (this.#shortOf(owner, bytes) !== undefined) return false
    if (owner !== undefined) {
      this.#heldByStrangers += bytes
      this.#heldBy.set(owner.address, (this.#heldBy.get(owner.address) ?? 0) + bytes)
    }
    this.#held += bytes
    return true
  }

  /** The narrowest limit that leaves no room for so many bytes more. */
  #shortOf(owner: Owner, bytes: number): 'address' | 'strangers' | 'all' | undefined {
    const { inAll, ofStrangers } = this.#limits
    if (owner !== undefined) {
      if ((this.#heldBy.get(owner.address) ?? 0) + bytes > owner.most) return 'address'
      if (this.#heldByStrangers + bytes > ofStrangers) return 'strangers'
    }
    return this.#held + bytes > inAll ? 'all' : undefined
  }

  /** Says whether a download waits that bytes of `owner` could help. */
  #isWantedFrom(owner: Owner): boolean {
    for (const { owner: waits, bytes } of this.#waiting) {
      // Strangers stay small for each other: large pieces have more time until a client that takes nothing is closed.
      if (owner !== undefined && waits !== undefined) return true
      if (this.#shortOf(waits, bytes) === 'all') return true
    }
    return false
  }

  #wait(owner: Owner, bytes: number, gone: AbortSignal): Promise<boolean> {
    if (gone.aborted) return Promise.resolve(false)
    if (this.#take(owner, bytes)) return Promise.resolve(true)
    return new Promise(resolve => {
      const end = (isGranted: boolean) => {
        this.#waiting.delete(waiting)
        gone.removeEventListener('abort', leave)
        resolve(isGranted)
      }
      const leave = () => end(false)
      const waiting: Waiting = { owner, bytes, grant: () => end(true) }
      this.#waiting.add(waiting)
      gone.addEventListener('abort', leave)
    })
  }

  #release(owner: Owner, bytes: number): void {
    this.#held -= bytes
    if (owner !== undefined) {
      this.#heldByStrangers -= bytes
      const own = (this.#heldBy.get(owner.address) ?? 0) - bytes
      if (own > 0) this.#heldBy.set(owner.address, own)
      else this.#heldBy.delete(owner.address)
    }
    // The longest wait first; one that does not fit holds up no other that needs less.
    for (const waiting of this.#waiting) {
      if (this.#held >= this.#limits.inAll) break
      if (this.#take(waiting.owner, waiting.bytes)) waiting.grant()
    }
  }
}
