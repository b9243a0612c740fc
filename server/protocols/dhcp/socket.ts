// The DHCP server on the wire: moves packets, keeps time, and asks offer.ts what to answer. No acknowledgement leaves
// before its lease is on disk; requests that arrive together share one commit.

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { whyNotOpened } from '#host/listeners.ts'
import { PilotlightError } from '#model/error.ts'
import { BROADCAST } from '#model/ipv4.ts'
import type { Lease } from '#model/lease.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import type { LeaseChange, LeaseStore } from '../../store/leases.ts'
import { LeaseTable } from './leases.ts'
import type { MachineIndex } from '../../machines/identity.ts'
import { decide, SECONDS, type Arrival, type Decision, type DhcpEvent } from './offer.ts'
import { decodePacket, encodePacket } from './packet.ts'
import { isNowSharedByWildcard, socketsNowOn } from './port-users.ts'
import { Prober } from './probe.ts'
import { subnetOf } from './subnet.ts'
import { uuidIn } from './raw-options.ts'
import { macIn, PacketQueue, type DhcpRefusal } from './packet-queue.ts'

/** Who keeps the boot journal. */
export interface EventSink {
  record(event: DhcpEvent): void
}

/** Who knows the declared machines, whose addresses are kept for them. */
export type Reservations = Pick<MachineIndex, 'machine' | 'revision' | 'byUuidAlone'>

/**
 * What no healthy network does: a declared machine's address is in use by another host (`declined`), or the pool is nearly
 * full (`pool`). The MAC is that of the client whose packet showed it.
 */
export type DhcpAlarm = {
  readonly kind: 'declined' | 'pool'
  readonly mac: string
  readonly text: string
  /** What it is about, where that is not the machine of the MAC. */
  readonly entity?: string
}

/** What the DHCP server needs. */
export type DhcpOptions = {
  /** Our IPv4 address on the provisioning network; its interface is the one that is served. */
  readonly address: string
  /** Base of the URLs that iPXE and HTTP Boot get, for example `http://10.20.0.1:8080`. */
  readonly url: string
  /** The network to serve, the same object until it changes; undefined while no site is known, and all is silent. */
  readonly network: () => ProvisioningNetwork | undefined
  readonly leases: LeaseStore
  readonly events: EventSink
  readonly reservations: Reservations
  /** Gets what no client sees: a commit or a send that failed. */
  readonly report: (problem: Error) => void
  /**
   * The file descriptor of a UDP socket that is bound to `address` and `port` already, undefined when there is none. It is
   * asked once for each; the socket is ours then.
   */
  readonly inherited?: (address: string, port: number) => number | undefined
  /** Hears what no healthy network does. */
  readonly alarm?: (alarm: DhcpAlarm) => void
  /** The hardware address in whose name we look for other servers now: it gets its answer, and leaves no trace here. */
  readonly asking?: () => string | undefined
  /** Hears that a client took the offer of another server, where we are to be the only one. */
  readonly sawOther?: (server: string, mac: string) => void
  /** Hears of packets that were dropped because there are too many, or because they cannot be read. */
  readonly refuse?: (reason: DhcpRefusal, from: string) => void
  /** Milliseconds since 1970, by a clock that does not jump but where `clockMoved` says so; the host's unless given. */
  readonly now?: () => number
  /** Closes the server when aborted. */
  readonly signal?: AbortSignal
}

/** A port that could not be opened. */
export class CannotServeDhcp extends PilotlightError {
  readonly code = 'CANNOT_SERVE_DHCP'
  constructor(address: string, port: number, cause: NodeJS.ErrnoException) {
    const { why, remedy } = whyNotOpened('udp', address, port, cause, 'pilotlight serve --no-dhcp')
    super(`Cannot serve DHCP on ${address}, UDP port ${port}: ${why}`, { cause, remedy })
  }
}

/**
 * Opens the DHCP server: port 67 for broadcasts and for renewals by unicast, port 4011 for PXE boot server requests.
 *
 * @throws {CannotServeDhcp} when a port cannot be opened
 */
export async function openDhcp(options: DhcpOptions): Promise<DhcpServer> {
  const server = new DhcpServer(options, await options.leases.all())
  try {
    await server.listen()
  } catch (error) {
    await server.close()
    throw error
  }
  return server
}

// libuv reads so many datagrams of one socket before it looks at anything else.
const DATAGRAMS_A_TURN = 32

// How often it is looked whether there is a network to serve, and whether reservations changed.
const LOOK_EVERY_MS = 1

// What waits in the kernel while we are at work: some 1,300 packets. Linux allows as much as net.core.rmem_max.
const RECEIVE_BYTES = 1 << 20

// Clients wait seconds for an ACK, yet not forever: a storm is committed in portions.
const LARGEST_COMMIT = 64

/** The share of the pool's addresses in use that is an alarm, and how often it is checked. */
const POOL_ALARM = 0.9
const POOL_ALARM_EVERY_MS = 60_000

type Outgoing = { readonly socket: Socket; readonly decision: Decision }

/** A running DHCP server; `openDhcp` makes it. */
export class DhcpServer {
  readonly #options: DhcpOptions
  readonly #now: () => number
  readonly #sockets: Socket[] = []
  #table: LeaseTable
  #subnet: ReturnType<typeof subnetOf> | undefined
  /** The revision of the reservations that the lease table knows. */
  #revision = -1
  #awaitingCommit: Outgoing[] = []
  #flushing: NodeJS.Immediate | undefined
  /** The last of the commits, which are made one after the other. */
  #commits: Promise<void> = Promise.resolve()
  #commitsUnderWay = 0
  #heardThisTurn = 0
  #lookedAt = -Infinity
  #serves = false
  #closed = false
  readonly #prober = new Prober()
  readonly #queue: PacketQueue
  #poolLookedAt = -Infinity
  readonly #abort = () => void this.close()

  /** @param leases all that are kept */
  constructor(options: DhcpOptions, leases: readonly Lease[]) {
    this.#options = options
    this.#now = options.now ?? (() => Date.now())
    this.#table = new LeaseTable(leases)
    this.#queue = new PacketQueue({
      isDeclared: mac => options.reservations.machine({ mac }) !== undefined || this.#hasLeaseByUuid(mac),
      uuidOf: bytes => this.#uuidNamedIn(bytes),
      isKnown: mac => this.#table.boundTo(mac) !== undefined || this.#table.offeredTo(mac) !== undefined,
      handle: ({ bytes, arrival, socket }) => this.#handle(bytes, arrival, socket),
      refuse: options.refuse ?? (() => {}),
    })
    options.signal?.addEventListener('abort', this.#abort, { once: true })
  }

  /** Opens the ports; called once, by `openDhcp`. */
  async listen(): Promise<void> {
    this.#options.signal?.throwIfAborted()
    const { address } = this.#options
    // dgram cannot say on which interface a broadcast arrived, nor choose one to send a broadcast by. So one socket is
    // bound to the broadcast address to receive, and one to our own address to send: the kernel then sends by its interface.
    const speaking = await this.#open(address, 67)
    speaking.setBroadcast(true)
    const hearing = await this.#open(BROADCAST, 67)
    const bootServer = await this.#open(address, 4011)
    speaking.on('message', (bytes, from) => this.#receive(bytes, { service: 'dhcp', from }, speaking))
    hearing.on('message', (bytes, from) => this.#receive(bytes, { service: 'dhcp', from }, speaking))
    bootServer.on('message', (bytes, from) => this.#receive(bytes, { service: 'pxe', from }, bootServer))
  }

  /** The hardware address that has, or last had, the lease of `address`: shows TFTP and HTTP whose boot they serve. */
  macOf(address: string): string | undefined {
    return this.leaseAt(address)?.mac
  }

  /** The lease of `address` as it is or last was; in proxy mode what a client was heard to ask another server for. */
  leaseAt(address: string): Lease | undefined {
    const lease = this.#table.at(address)
    return lease?.state === 'declined' ? undefined : lease
  }

  /** Takes note that the client at `address` fetched something: it has the address, and keeps it while it boots. */
  sawAlive(address: string): void {
    const lease = this.#table.at(address)
    if (lease?.state !== 'bound') return
    this.#table.sawAlive(lease.mac)
    const expiresAt = this.#now() + SECONDS.boot * 1000
    // In memory only: after a restart the address is probed before another client gets it.
    if (lease.expiresAt < expiresAt - 60_000)
      this.#table.apply([{ kind: 'put', lease: { ...lease, expiresAt } }])
  }

  /**
   * Moves the time of every lease with the host's clock, which was set by so many milliseconds: each runs as long as
   * its client has it. `now` must follow in the same turn of the event loop.
   */
  clockMoved(milliseconds: number): void {
    if (this.#closed) return
    void this.#flush()
    const moved = [...this.#table.all()].map((lease): LeaseChange => ({
      kind: 'put',
      lease: { ...lease, expiresAt: lease.expiresAt + milliseconds },
    }))
    this.#table.apply(moved)
    // What cannot be kept is put right by `leasesAfterJump` after a restart, as far as that is possible.
    void this.#inTurn(() => this.#options.leases.commit(moved.filter(isDurable)).catch(this.#options.report))
  }

  /** Answers what is committed already, then closes the ports. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#options.signal?.removeEventListener('abort', this.#abort)
    this.#queue.close()
    await this.#flush()
    await Promise.all(this.#sockets.map(socket => new Promise<void>(done => socket.close(done))))
  }

  async #open(address: string, port: number): Promise<Socket> {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    this.#sockets.push(socket)
    try {
      const fd = this.#options.inherited?.(address, port)
      // Before the bind, so that the other is not disturbed, and after it, since two may start at once.
      this.#refuseSecond(address, port, fd === undefined ? 0 : 1)
      const listening = once(socket, 'listening') // a socket that is bound already emits it at once
      if (fd === undefined) socket.bind(port, address)
      else socket.bind({ fd })
      await listening
      // A service manager may have given it more than we are allowed to.
      if (socket.getRecvBufferSize() < RECEIVE_BYTES) socket.setRecvBufferSize(RECEIVE_BYTES)
      this.#refuseSecond(address, port, 1)
    } catch (error) {
      throw new CannotServeDhcp(this.#options.address, port, error as NodeJS.ErrnoException) // dgram throws no other
    }
    socket.on('error', this.#options.report)
    return socket
  }

  /**
   * @throws an EADDRINUSE when more than `ours` sockets have the port of our own address, or another boot server serves it
   *   by the wildcard address; the broadcast address is shared
   */
  #refuseSecond(address: string, port: number, ours: number): void {
    if (address !== this.#options.address) return
    if (socketsNowOn(address, port) <= ours && !isNowSharedByWildcard(address)) return
    throw Object.assign(new Error('bind EADDRINUSE'), { code: 'EADDRINUSE' })
  }

  /** Says whether a hardware address has the lease of a machine that is declared by UUID alone; its system sends no UUID. */
  #hasLeaseByUuid(mac: string): boolean {
    const { reservations } = this.#options
    if (reservations.byUuidAlone === 0) return false
    const uuid = this.#table.boundTo(mac)?.uuid
    return uuid !== undefined && reservations.machine({ uuid }, 'claimed') !== undefined
  }

  /** The UUID in a packet that is not decoded yet, when it is that of a machine declared by UUID alone. */
  #uuidNamedIn(bytes: Uint8Array): string | undefined {
    const { reservations } = this.#options
    if (reservations.byUuidAlone === 0) return undefined
    return reservations.machine({ uuid: uuidIn(bytes) }, 'claimed')?.uuid
  }

  #receive(bytes: Uint8Array, arrival: Arrival, socket: Socket): void {
    this.#heardThisTurn += 1
    // A flood need not ask for each of its packets what we serve.
    const now = performance.now()
    if (now - this.#lookedAt >= LOOK_EVERY_MS) {
      this.#lookedAt = now
      this.#serves = this.#isOpen()
    }
    if (!this.#serves) return
    this.#queue.receive({ bytes, arrival, socket })
  }

  #handle(bytes: Uint8Array, arrival: Arrival, socket: Socket): void {
    const decision = this.#decide(bytes, arrival)
    if (decision === undefined) return
    const asking = this.#options.asking?.()
    if (asking !== undefined && decision.reply?.packet.mac === asking)
      return this.#finish({ socket, decision: { ...decision, changes: [], events: [] } })
    if (decision.otherServer !== undefined) this.#options.sawOther?.(decision.otherServer, macIn(bytes))
    this.#table.apply(decision.changes)
    this.#note(decision, bytes, arrival, socket)
    // An offer promises nothing: only what must outlive us waits for the disk.
    if (!decision.changes.some(isDurable)) return this.#finish({ socket, decision })
    this.#awaitingCommit.push({ socket, decision })
    this.#flushing ??= setImmediate(() => this.#endTurn())
  }

  // A turn of the event loop that brought a full load means that more wait in the kernel: those join the same commit.
  #endTurn(): void {
    const more = this.#heardThisTurn >= DATAGRAMS_A_TURN && this.#awaitingCommit.length < LARGEST_COMMIT
    this.#heardThisTurn = 0
    if (more) this.#flushing = setImmediate(() => this.#endTurn())
    else if (this.#commitsUnderWay === 0) void this.#flush()
    else this.#flushing = undefined // it is in the next commit, which begins when those under way are over
  }

  /** Takes up the network and the reservations as they are now, and says whether there is a network to serve. */
  #isOpen(): boolean {
    const network = this.#options.network()
    if (network === undefined) return false
    if (this.#subnet?.network !== network) this.#subnet = subnetOf(network)
    const { revision } = this.#options.reservations
    if (this.#revision !== revision) {
      this.#revision = revision
      this.#table.reservationsChanged(this.#subnet)
    }
    return true
  }

  /** Does what a decision asks for beside its reply. */
  #note(
    { isAlive, alarm, probe, events, changes }: Decision,
    bytes: Uint8Array,
    arrival: Arrival,
    socket: Socket,
  ) {
    const mac = events[0]?.mac ?? ''
    if (isAlive) this.#table.sawAlive(mac)
    if (alarm !== undefined) this.#options.alarm?.({ kind: 'declined', mac, text: alarm })
    if (probe !== undefined) {
      void this.#prober.look(probe)?.then(() => this.#closed || this.#handle(bytes, arrival, socket))
    }
    if (changes.length > 0) this.#lookAtPool(mac)
  }

  #lookAtPool(mac: string): void {
    const now = performance.now()
    if (now - this.#poolLookedAt < POOL_ALARM_EVERY_MS || !this.#poolMayBeFull()) return
    this.#poolLookedAt = now
    const full = this.fullPool()
    if (full !== undefined) this.#options.alarm?.({ kind: 'pool', mac, ...full })
  }

  #poolMayBeFull(): boolean {
    if (this.#subnet === undefined) return false
    const { first, last } = this.#subnet
    return this.#table.size >= (last - first + 1) * POOL_ALARM
  }

  /** The pool when nine tenths of it are leased; undefined while there is room. Looks at each lease. */
  fullPool(): { readonly entity: string; readonly text: string } | undefined {
    if (this.#subnet === undefined || !this.#poolMayBeFull()) return undefined
    const { first, last, network } = this.#subnet
    const size = last - first + 1
    const running = this.#table.running(this.#now(), address => this.#subnet?.pools(address) === true)
    if (running < size * POOL_ALARM) return undefined
    const { pool } = network
    const text =
      `${running} of ${size} addresses of the pool ${pool.first} to ${pool.last} are leased. ` +
      "Enlarge it in the site file, or find out who takes them: 'pilotlight get machines' lists those not declared."
    return { entity: `pool:${pool.first}`, text }
  }

  /** Every lease, expired or not, also those that were only offered. */
  leases(): Iterable<Lease> {
    return this.#table.all()
  }

  #decide(bytes: Uint8Array, arrival: Arrival): Decision | undefined {
    if (!this.#isOpen() || this.#subnet === undefined) return undefined
    const packet = packetIn(bytes)
    if (packet === undefined) {
      this.#options.refuse?.('dhcp_unreadable', arrival.from.address)
      return undefined
    }
    return decide(packet, arrival, {
      subnet: this.#subnet,
      server: this.#options,
      machines: this.#options.reservations,
      leases: this.#table,
      now: this.#now(),
      probed: address => this.#prober.result(address),
    })
  }

  /** Commits what awaits it, after the commits that are under way; resolves once its clients are answered. */
  #flush(): Promise<void> {
    clearImmediate(this.#flushing)
    this.#flushing = undefined
    const outgoing = this.#awaitingCommit
    this.#awaitingCommit = []
    const table = this.#table
    return this.#inTurn(async () => {
      // Decided by a table that is gone: these clients ask again, too.
      if (outgoing.length === 0 || table !== this.#table) return
      try {
        await this.#options.leases.commit(
          outgoing.flatMap(({ decision }) => decision.changes.filter(isDurable)),
        )
      } catch (problem) {
        return this.#startOver(problem as Error) // of the store, which throws no other
      }
      for (const one of outgoing) this.#finish(one)
    })
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#commitsUnderWay += 1
    this.#commits = this.#commits.then(work).finally(() => {
      this.#commitsUnderWay -= 1
      if (this.#commitsUnderWay === 0 && this.#flushing === undefined && this.#awaitingCommit.length > 0)
        void this.#flush()
    })
    return this.#commits
  }

  /** After a commit that failed: no client was answered, so all ask again, and our table returns to what is on disk. */
  async #startOver(problem: Error): Promise<void> {
    this.#options.report(problem)
    try {
      this.#table = new LeaseTable(await this.#options.leases.all())
      this.#awaitingCommit = []
    } catch (error) {
      this.#options.report(error as Error) // of a store that cannot be read either: what is in memory goes on
    }
  }

  #finish({ socket, decision }: Outgoing): void {
    if (decision.reply !== undefined) {
      const { packet, to } = decision.reply
      socket.send(encodePacket(packet), to.port, to.address, problem => {
        if (problem && !this.#closed) this.#options.report(problem)
      })
    }
    for (const event of decision.events) this.#options.events.record(event)
  }
}

function packetIn(bytes: Uint8Array): ReturnType<typeof decodePacket> | undefined {
  try {
    return decodePacket(bytes)
  } catch {
    return undefined // the codec throws its own errors only
  }
}

function isDurable(change: LeaseChange): boolean {
  return change.kind === 'drop' || change.lease.state !== 'offered'
}
