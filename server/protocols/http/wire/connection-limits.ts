// How many TCP connections may be open: of one address, and of all together, so that file descriptors stay free for
// TFTP, the store and the files that are served.

import { readFileSync } from 'node:fs'
import { BlockList, isIPv6, type Server, type Socket } from 'node:net'
import { isLoopback } from '#model/address.ts'
import { Buckets, type Rate } from '../../../limits/bucket.ts'
import type { Refuse } from '../../../limits/refusals.ts'

/** How many connections are taken. */
export type ConnectionLimits = {
  /** Open at a time from one address; from this host half of `inAll`, because a proxy on it speaks for many. */
  readonly perAddress: number
  /** Open at a time. */
  readonly inAll: number
  /** New ones from one address. A TLS handshake costs us about a millisecond, so those have a separate rate. */
  readonly plainRate: Rate
  readonly tlsRate: Rate
}

/** File descriptors for the store, the log, listeners and watched folders. */
const OWN_DESCRIPTORS = 64
/** File descriptors for TFTP, one for each transfer. */
const TFTP_DESCRIPTORS = 256
/** File descriptors of a connection: its socket, and the file that it is being sent. */
const DESCRIPTORS_OF_A_CONNECTION = 2
/** More connections than this would cost memory, and serve no one faster. */
const MOST_CONNECTIONS = 4096

/** How long an address that opens connections too fast is turned away by Node itself. */
const BLOCKED_MS = 500

/** New connections that one which sent too much counts for. */
const ABUSE_COST = 100

/** The limits of a process that may have so many file descriptors. */
export function connectionLimitsFor(descriptors: number): ConnectionLimits {
  const shared = Math.max(0, descriptors - OWN_DESCRIPTORS)
  const forTftp = Math.min(TFTP_DESCRIPTORS, Math.floor(shared / 4))
  const inAll = Math.min(
    MOST_CONNECTIONS,
    Math.max(8, Math.floor((shared - forTftp) / DESCRIPTORS_OF_A_CONNECTION)),
  )
  return {
    perAddress: Math.min(64, Math.floor(inAll / 2)),
    inAll,
    plainRate: { perSecond: 200, burst: 2000 },
    tlsRate: { perSecond: 20, burst: 400 },
  }
}

/** How many file descriptors this process may have (`ulimit -n`); 1024 where the system does not say. */
export function descriptorLimit(): number {
  try {
    const [, soft] =
      /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? 1024 : soft === 'unlimited' ? 1 << 20 : Number(soft)
  } catch {
    return 1024
  }
}

/** The open connections of all listeners of a process. */
export class ConnectionCaps {
  readonly #limits: ConnectionLimits
  readonly #refuse: Refuse
  readonly #plain: Buckets
  readonly #tls: Buckets
  /** By address, in the order in which they were opened. */
  readonly #open = new Map<string, Set<Socket>>()
  #count = 0
  readonly #servers: (Server & { blockList?: BlockList | undefined })[] = []
  #blocked: BlockList | undefined

  constructor(refuse: Refuse, limits: ConnectionLimits) {
    this.#limits = limits
    this.#refuse = refuse
    this.#plain = new Buckets(limits.plainRate)
    this.#tls = new Buckets(limits.tlsRate)
  }

  /** Takes many of its new connections from an address that just used one for too much. */
  readonly punish = (address: string): void => {
    const now = performance.now()
    this.#plain.of(address, now).charge(now, ABUSE_COST)
    this.#tls.of(address, now).charge(now, ABUSE_COST)
  }

  /** The connections that are open. */
  get count(): number {
    return this.#count
  }

  /** Watches over the connections of a server. Called once a server, before others listen to it. */
  watch(server: Server, { isTls }: { readonly isTls: boolean }): void {
    this.#servers.push(server)
    server.prependListener('connection', (socket: Socket) => {
      // A request that is parsed again (raw-targets.ts) comes on a connection that was counted.
      if (typeof socket.setNoDelay === 'function') this.#take(socket, isTls)
    })
  }

  #take(socket: Socket, isTls: boolean): void {
    const address = socket.remoteAddress ?? ''
    const own = this.#open.get(address) ?? new Set()
    const isLocal = isLoopback(address)
    const most = isLocal ? Math.max(1, Math.floor(this.#limits.inAll / 2)) : this.#limits.perAddress
    if (own.size >= most) return this.#close(socket, 'connections_address', address)
    const now = performance.now()
    const rate = isTls ? this.#tls : this.#plain
    if (!isLocal && !rate.of(address, now).take(now)) {
      this.#block(address)
      return this.#close(socket, 'connection_rate', address)
    }
    if (this.#count >= this.#limits.inAll && !this.#makeRoom(own.size)) {
      return this.#close(socket, 'connections', address)
    }
    this.#open.set(address, own.add(socket))
    this.#count += 1
    socket.once('close', () => this.#forget(address, own, socket))
  }

  /** Closes the oldest connection of the address that has most, if a newcomer with `count` has clearly fewer. */
  #makeRoom(count: number): boolean {
    let most: { readonly address: string; readonly sockets: Set<Socket> } | undefined
    for (const [address, sockets] of this.#open) {
      if (sockets.size > (most?.sockets.size ?? count + 1)) most = { address, sockets }
    }
    const [oldest] = most?.sockets ?? []
    if (most === undefined || oldest === undefined) return false
    this.#close(oldest, 'connections', most.address)
    this.#forget(most.address, most.sockets, oldest)
    return true
  }

  /** Has Node close connections of an address for a short time, before it makes sockets of them. */
  #block(address: string): void {
    if (this.#blocked === undefined) {
      this.#blocked = new BlockList()
      this.#serveWith(this.#blocked)
      setTimeout(() => {
        this.#blocked = undefined
        this.#serveWith(undefined)
      }, BLOCKED_MS).unref()
    }
    this.#blocked.addAddress(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  }

  #serveWith(list: BlockList | undefined): void {
    for (const server of this.#servers) server.blockList = list
  }

  #close(
    socket: Socket,
    reason: 'connections_address' | 'connections' | 'connection_rate',
    from: string,
  ): void {
    this.#refuse(reason, from)
    socket.destroy()
  }

  #forget(address: string, sockets: Set<Socket>, socket: Socket): void {
    if (!sockets.delete(socket)) return
    this.#count -= 1
    if (sockets.size === 0) this.#open.delete(address)
  }
}
