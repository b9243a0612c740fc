// Whether a host still uses an address that another client is about to get. No privilege is needed: a UDP packet to a
// closed port makes the kernel resolve the address, and a living host answers it with "port unreachable".
//
// What it cannot see: a host whose firewall drops the packet, when its entry in the ARP table was there before.

import { createSocket } from 'node:dgram'
import { readFile } from 'node:fs/promises'
import { keepLast } from '../../limits/bounded.ts'

/** What was found. */
export type ProbeResult = 'free' | 'used'

/** How long a host may take to answer. */
const PATIENCE_MS = 300
/** How long a result holds. */
const HOLDS_MS = 30_000
/** Probes at a time; more addresses wait for a later packet of their client. */
const AT_ONCE = 16
/** Results that are remembered; the oldest are forgotten first. */
const REMEMBERED = 4096
/** Discard (RFC 863), which no host listens to. */
const PORT = 9

// By way of the process: /proc/net itself is not there under ProcSubset=pid, which deploy/pilotlight.service has.
const ARP_TABLE = '/proc/self/net/arp'

/** Looks at addresses, and remembers for a while what it saw. */
export class Prober {
  readonly #results = new Map<string, { readonly result: ProbeResult; readonly until: number }>()
  readonly #running = new Map<string, Promise<void>>()

  /** What was found lately; undefined when no one looked. */
  result(address: string): ProbeResult | undefined {
    const known = this.#results.get(address)
    return known !== undefined && known.until > performance.now() ? known.result : undefined
  }

  /** Probes an address; resolves once `result` has an answer. Undefined while too many others are probed. */
  look(address: string): Promise<void> | undefined {
    const running = this.#running.get(address)
    if (running !== undefined) return running
    if (this.#running.size >= AT_ONCE) return undefined
    const looking = probe(address).then(result => {
      this.#running.delete(address)
      this.#results.delete(address)
      this.#results.set(address, { result, until: performance.now() + HOLDS_MS })
      keepLast(this.#results, REMEMBERED)
    })
    this.#running.set(address, looking)
    return looking
  }
}

/** Never rejects: an address that cannot be probed counts as free, as before the probe. */
async function probe(address: string): Promise<ProbeResult> {
  const wasKnown = await isResolved(address)
  const answers = await answersUdp(address)
  if (answers) return 'used'
  return !wasKnown && (await isResolved(address)) ? 'used' : 'free'
}

/** Says whether a host answers a UDP packet to a closed port within the patience. */
function answersUdp(address: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createSocket('udp4')
    const end = (answers: boolean) => {
      clearTimeout(timer)
      socket.removeAllListeners('error').on('error', () => {}) // its answer is known
      socket.close(() => resolve(answers))
    }
    const timer = setTimeout(() => end(false), PATIENCE_MS)
    socket.on('error', ({ code }: NodeJS.ErrnoException) => end(code === 'ECONNREFUSED'))
    socket.on('message', () => end(true))
    socket.connect(PORT, address, () => socket.send(Uint8Array.of(0), () => {}))
  })
}

/** Says whether the kernel knows the hardware address of `address`. */
async function isResolved(address: string): Promise<boolean> {
  return (await hardwareOf(address)) !== undefined
}

/** The hardware address that answers for an IPv4 address on the wire, as the kernel knows it now; lower case with colons. */
export async function hardwareOf(address: string): Promise<string | undefined> {
  const table = await readFile(ARP_TABLE, 'utf8').catch(() => '')
  // IP address, hardware type, flags (0x2 is complete), hardware address, mask, device.
  const [, , flags, hardware] =
    table
      .split('\n')
      .find(one => one.startsWith(`${address} `))
      ?.split(/ +/) ?? []
  return (Number(flags) & 2) === 0 ? undefined : hardware?.toLowerCase()
}
