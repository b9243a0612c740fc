// Sockets that systemd opened for us (sd_listen_fds(3)): it binds the low ports as root and passes them, so that our process
// needs no privilege. A passed socket is known by where it is bound; the names in LISTEN_FDNAMES are not used.

import { readFileSync, readlinkSync } from 'node:fs'
import { PilotlightError } from '#model/error.ts'
import { BROADCAST } from '#model/ipv4.ts'
import type { Log } from '../log.ts'

/** A socket that was bound before we started. */
export type InheritedSocket = {
  /** File descriptor. */
  readonly fd: number
  readonly protocol: 'udp' | 'tcp'
  /** An IPv4 address, or an IPv6 address as RFC 5952 writes it. */
  readonly address: string
  readonly port: number
}

/** What can be wrong with the sockets that were passed. */
export class BadActivation extends PilotlightError {
  readonly code = 'BAD_ACTIVATION'
  constructor(fd: number, what: string) {
    super(
      `File descriptor ${fd}, which the service manager passed, ${what}. ` +
        'The socket unit may have ListenStream= and ListenDatagram= with an address and a port, nothing else.',
    )
  }
}

/** The first file descriptor that is passed (SD_LISTEN_FDS_START). */
const FIRST_FD = 3

/**
 * The sockets that were passed to this process, none when it was started otherwise. Takes `LISTEN_PID`, `LISTEN_FDS` and
 * `LISTEN_FDNAMES` out of `env`, so that no child takes them for its own.
 *
 * @throws {BadActivation} when a file descriptor is not a bound UDP or TCP socket
 */
export function inheritedSockets(env: NodeJS.ProcessEnv = process.env): InheritedSocket[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = env
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name]
  if (pid !== String(process.pid) || !/^\d{1,4}$/.test(count ?? '')) return []
  const fds = Array.from({ length: Number(count) }, (_, index) => FIRST_FD + index)
  return fds.length === 0 ? [] : socketsBehind(fds)
}

function socketsBehind(fds: readonly number[]): InheritedSocket[] {
  const tables = (['udp', 'udp6', 'tcp', 'tcp6'] as const).map(name => ({
    protocol: name.startsWith('udp') ? ('udp' as const) : ('tcp' as const),
    bound: boundSockets(tableOf(name)),
  }))
  return fds.map(fd => {
    let inode: string | undefined
    try {
      inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
    } catch {
      throw new BadActivation(fd, 'is not open')
    }
    for (const { protocol, bound } of tables) {
      const at = inode === undefined ? undefined : bound.get(inode)
      if (at !== undefined) return { fd, protocol, ...at }
    }
    throw new BadActivation(fd, 'is not a bound UDP or TCP socket of our network namespace')
  })
}

function tableOf(name: string): string {
  try {
    return readFileSync(`/proc/self/net/${name}`, 'utf8')
  } catch {
    return '' // a kernel without IPv6 has no table of it
  }
}

/**
 * Where sockets are bound, by inode: reads a table of proc(5), `/proc/net/udp` and its like. Addresses are in the byte
 * order of the host, as units of four bytes; ports are not.
 */
export function boundSockets(table: string): Map<string, { address: string; port: number }> {
  const rows = table
    .split('\n')
    .slice(1)
    .map(line => line.trim().split(/\s+/))
  return new Map(
    rows.flatMap(([, local = '', , , , , , , , inode]) => {
      const [, hex, port] = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local) ?? []
      if (hex === undefined || port === undefined || inode === undefined) return []
      return [[inode, { address: addressOf(hex), port: Number.parseInt(port, 16) }] as const]
    }),
  )
}

function addressOf(hex: string): string {
  const bytes = hex.match(/.{8}/g)!.flatMap(word => word.match(/../g)!.toReversed()) // the length was checked
  if (bytes.length === 4) return bytes.map(byte => Number.parseInt(byte, 16)).join('.')
  const groups = Array.from({ length: 8 }, (_, at) => `${bytes[2 * at]}${bytes[2 * at + 1]}`)
  return canonicalAddress(groups.join(':'))
}

/** An address as it is compared: IPv6 in its shortest form. */
function canonicalAddress(address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address
}

/** The sockets that were passed, each of which is taken by the part of the server that would bind it. */
export class InheritedSockets {
  readonly #waiting: Set<InheritedSocket>

  constructor(sockets: readonly InheritedSocket[] = []) {
    this.#waiting = new Set(sockets)
  }

  /** Takes the socket that is bound there: its file descriptor, once. Undefined when none was passed. */
  take(protocol: InheritedSocket['protocol'], address: string, port: number): number | undefined {
    const wanted = canonicalAddress(address)
    for (const socket of this.#waiting) {
      if (socket.protocol !== protocol || socket.address !== wanted || socket.port !== port) continue
      this.#waiting.delete(socket)
      return socket.fd
    }
    return undefined
  }

  /** Takes the TCP socket that is bound there. */
  readonly tcp = (address: string, port: number): number | undefined => this.take('tcp', address, port)

  /** Takes the UDP socket that is bound there. */
  readonly udp = (address: string, port: number): number | undefined => this.take('udp', address, port)

  /** Logs those that no part has taken. */
  reportUnused(log: Log): void {
    const unused = this.left.join(', ')
    if (unused === '') return
    const text = `No part of the server uses ${unused}, which was passed to it. Remove it from the socket unit.`
    log('warn', text)
  }

  /** Those that no part has taken, each as `UDP 10.20.0.1:67`. */
  get left(): string[] {
    return [...this.#waiting].map(({ protocol, address, port }) => {
      const host = address.includes(':') ? `[${address}]` : address
      return `${protocol.toUpperCase()} ${host}:${port}`
    })
  }
}

/** DHCP's port. Clients that have no address send to BROADCAST (RFC 2131 §4.1). */
const DHCP_PORT = 67

/**
 * The settings that passed sockets give where no flag names them: the address of DHCP's socket, else of the first TCP
 * socket; and the port of the TCP socket there, if there is one alone.
 */
export function settingsOf(sockets: readonly InheritedSocket[]): {
  readonly address?: string
  readonly httpPort?: number
} {
  const tcp = sockets.filter(({ protocol }) => protocol === 'tcp')
  const dhcp = sockets.find(
    ({ protocol, address, port }) => protocol === 'udp' && port === DHCP_PORT && address !== BROADCAST,
  )
  const address = (dhcp ?? tcp[0])?.address
  if (address === undefined) return {}
  const [http, ...others] = tcp.filter(socket => socket.address === address)
  return http === undefined || others.length > 0 ? { address } : { address, httpPort: http.port }
}
