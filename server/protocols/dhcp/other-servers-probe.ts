// Looks for other DHCP servers on the wire: sends a DISCOVER with a made-up MAC address and listens for some seconds who answers;
// and observes, between looks, what other servers broadcast to clients.
//
// Node's sockets do not say on which interface a packet arrived. Our DISCOVER leaves by the interface of our address alone, so an
// answer to it is of that wire. What is observed may be of another card of this host: it is a reason to look, unless it is for a
// machine that is declared here.

import { createSocket, type Socket } from 'node:dgram'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { whyNotOpened } from '#host/listeners.ts'
import { BROADCAST } from '#model/ipv4.ts'
import { answerIn, identifierBytes, probePacket, type DhcpAnswer } from './other-servers.ts'

/** What a look saw, ours included; or why it could not be done, and what to do about that. */
export type DhcpLook =
  | { readonly looked: true; readonly seconds: number; readonly answers: readonly DhcpAnswer[] }
  | { readonly looked: false; readonly why: string; readonly remedy: string }

/** What a look needs. */
export type LookOptions = {
  /** Our IPv4 address on the provisioning network. */
  readonly address: string
  /** The file descriptor of a UDP socket that is bound there already; asked once. */
  readonly inherited?: (address: string, port: number) => number | undefined
  /** Gets an answer of another server to a client, observed between looks; at most `OBSERVED` a second. */
  readonly observed?: (answer: DhcpAnswer) => void
}

/**
 * When the DISCOVER is sent, in milliseconds, and when the look ends. dnsmasq looks for 3 s whether the address that it would offer is
 * in use, ISC's dhcpd for one; switches drop the first packets of a port that has just come up.
 */
const SENT_AT_MS = [0, 1000]
const ENDS_AT_MS = 4200

/** A look that is younger is given again. */
const FRESH_MS = 5000

/** Answers that are kept of one look; and how many packets of other servers are read in a second. */
const MOST_ANSWERS = 64
const OBSERVED = 50

const CLIENT_PORT = 68
const SERVER_PORT = 67

/** A look that is under way. */
type Probe = {
  readonly mac: string
  readonly hardware: Buffer
  readonly transaction: number
  readonly answers: DhcpAnswer[]
}

/** Where a packet has the hardware address of its client (chaddr). */
const HARDWARE_AT = 28

/** Looks for DHCP servers, one look at a time. */
export class OtherServersProbe {
  readonly #options: LookOptions
  readonly #ours: Buffer
  #listening: Socket | undefined
  #closed: { readonly why: string; readonly remedy: string } | undefined
  #probe: Probe | undefined
  #running: Promise<DhcpLook> | undefined
  #last: { readonly look: DhcpLook; readonly at: number } | undefined
  #second = { began: 0, heard: 0 }
  readonly #closing = new AbortController()

  private constructor(options: LookOptions) {
    this.#options = options
    this.#ours = Buffer.from(identifierBytes(options.address))
  }

  /** Opens the port of clients, on which servers answer those that have no address. Where it cannot be had, each look says why. */
  static async open(options: LookOptions): Promise<OtherServersProbe> {
    const probe = new OtherServersProbe(options)
    await probe.#listen()
    return probe
  }

  /** The hardware address in whose name a look asks now; undefined between looks. */
  get asking(): string | undefined {
    return this.#probe?.mac
  }

  /** Looks who answers now; resolves after some 4 s, and never rejects. */
  look(): Promise<DhcpLook> {
    if (this.#last !== undefined && performance.now() - this.#last.at < FRESH_MS)
      return Promise.resolve(this.#last.look)
    this.#running ??= this.#look().finally(() => (this.#running = undefined))
    return this.#running
  }

  /** Ends a look that is under way, and closes the port. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#running
    const socket = this.#listening
    if (socket !== undefined) await new Promise<void>(done => socket.close(done))
  }

  async #listen(): Promise<void> {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    try {
      const fd = this.#options.inherited?.(BROADCAST, CLIENT_PORT)
      const listening = once(socket, 'listening') // a socket that is bound already emits it at once
      if (fd === undefined) socket.bind(CLIENT_PORT, BROADCAST)
      else socket.bind({ fd })
      await listening
    } catch (error) {
      socket.close()
      // dgram throws no other
      this.#closed = whyClosed(error as NodeJS.ErrnoException)
      return
    }
    this.#closed = undefined
    socket.on('error', () => {}) // of a packet: the next one may arrive
    socket.on('message', (bytes, { address }) => this.#hear(bytes, address))
    socket.unref()
    this.#listening = socket
  }

  async #look(): Promise<DhcpLook> {
    if (this.#listening === undefined) await this.#listen() // the program that had the port may have ended
    if (this.#closed !== undefined) return { looked: false, ...this.#closed }
    const began = performance.now()
    const hardware = randomBytes(6)
    // Locally administered, of one host (IEEE 802 §8.2): no card that was made has such an address.
    hardware[0] = ((hardware[0] ?? 0) & 0xfc) | 2
    const mac = Array.from(hardware, byte => byte.toString(16).padStart(2, '0')).join(':')
    const transaction = randomBytes(4).readUInt32BE()
    const probe: Probe = { mac, hardware, transaction, answers: [] }
    let sender: Socket | undefined
    try {
      sender = await this.#sender()
      this.#probe = probe
      for (const at of SENT_AT_MS) {
        await sleep(Math.max(0, began + at - performance.now()), undefined, { signal: this.#closing.signal })
        await send(sender, probePacket(mac, transaction))
      }
      await sleep(began + ENDS_AT_MS - performance.now(), undefined, { signal: this.#closing.signal })
      const seconds = Math.round((performance.now() - began) / 100) / 10
      const look: DhcpLook = { looked: true, seconds, answers: probe.answers }
      this.#last = { look, at: performance.now() }
      return look
    } catch (error) {
      if (this.#closing.signal.aborted)
        return { looked: false, why: 'the server is stopping', remedy: 'pilotlight serve' }
      const { why, remedy } = whyNotOpened(
        'udp',
        this.#options.address,
        CLIENT_PORT,
        error as NodeJS.ErrnoException,
        'ip -brief address',
      )
      return { looked: false, why: `the DISCOVER could not be sent: ${why}`, remedy }
    } finally {
      this.#probe = undefined
      sender?.close()
    }
  }

  /** A socket that sends by the interface of our address: from the port of clients where we may have it, else from a free one. */
  async #sender(): Promise<Socket> {
    const { address } = this.#options
    const open = async (port: number): Promise<Socket> => {
      const socket = createSocket({ type: 'udp4', reuseAddr: true })
      try {
        const listening = once(socket, 'listening')
        socket.bind(port, address)
        await listening
        socket.setBroadcast(true)
        socket.on('error', () => {})
        return socket
      } catch (error) {
        socket.close()
        throw error
      }
    }
    return open(CLIENT_PORT).catch(() => open(0))
  }

  #hear(bytes: Buffer, from: string): void {
    const probe = this.#probe
    const isProbes =
      probe?.hardware.equals(bytes.subarray(HARDWARE_AT, HARDWARE_AT + probe.hardware.length)) === true
    if (!isProbes) return this.#observe(bytes, from)
    const answer = answerIn(bytes, from)
    if (answer?.transaction !== probe.transaction || probe.answers.length >= MOST_ANSWERS) return
    const isSame = ({ server, address, bootFile }: DhcpAnswer) =>
      server === answer.server && address === answer.address && bootFile === answer.bootFile
    if (!probe.answers.some(isSame)) probe.answers.push(answer)
  }

  #observe(bytes: Buffer, from: string): void {
    const { address, observed } = this.#options
    // Our own server's answers arrive here as well: most packets of a boot are these.
    if (observed === undefined || bytes.includes(this.#ours)) return
    const now = performance.now()
    if (now - this.#second.began >= 1000) this.#second = { began: now, heard: 0 }
    this.#second.heard += 1
    if (this.#second.heard > OBSERVED) return
    const answer = answerIn(bytes, from)
    if (answer !== undefined && answer.server !== address) observed(answer)
  }
}

function whyClosed(error: NodeJS.ErrnoException): { readonly why: string; readonly remedy: string } {
  const { why } = whyNotOpened('udp', BROADCAST, CLIENT_PORT, error, '')
  const remedy =
    error.code === 'EACCES'
      ? 'systemctl edit pilotlight.socket   with  [Socket]  and  ListenDatagram=255.255.255.255:68 ; then restart both units'
      : 'ss --udp --listening --numeric --processes sport = :68'
  return { why: `UDP port 68, on which DHCP servers answer, cannot be opened: ${why}`, remedy }
}

function send(socket: Socket, packet: Uint8Array): Promise<void> {
  return new Promise((done, fail) => {
    socket.send(packet, SERVER_PORT, BROADCAST, error => (error ? fail(error) : done()))
  })
}
