// What is refused to senders that ask too much: counted for the metrics, and written to the log at a bounded rate.

import type { Log } from '../log.ts'

/** Why something was refused; a label of `pilotlight_refused_total`. */
export type RefusalReason = keyof typeof SENTENCES

/** Takes one refusal; `from` is an address or a MAC. */
export interface Refuse {
  (reason: RefusalReason, from: string): void
}

const SENTENCES = {
  connections_address: 'connections closed: their address has as many open as one may have',
  connections: 'connections closed: as many are open as there are file descriptors for',
  connection_rate: 'connections closed: their address opens them too fast',
  pipelined: 'connections closed: too many requests on one connection wait for their answers',
  requests: 'requests answered with 429: their address asks too fast',
  download_slow: 'downloads ended: their clients took less than 64 KB in 16 s',
  reads_address: 'reads answered with 429: their address used up its time',
  reads: 'reads answered with 429: all readers together used up their time',
  dhcp_new: 'DHCP packets of new hardware addresses dropped: there are too many of them',
  dhcp_declared: 'DHCP packets in the names of declared machines dropped: too many wait',
  dhcp_rate: 'DHCP packets in the names of declared machines dropped: a machine sends fewer',
  dhcp_unreadable: 'DHCP packets dropped: they cannot be read',
  dhcp_queue: 'DHCP packets of undeclared machines dropped: too many wait',
  tftp_foreign: 'TFTP requests dropped: they come from none of our networks',
  tftp_queue: 'TFTP requests dropped: too many wait',
  tftp_rate: 'TFTP requests dropped: too many come from addresses without a lease',
  tftp_unreadable: 'TFTP packets dropped: they cannot be read',
  tftp_way: 'TFTP transfers ended: their clients had not answered, and others waited',
  journal_new: 'boot events of new undeclared machines not kept: there are too many of them',
  journal_events: 'boot events not kept: their machine left too many',
  journal_boots: 'boots without DHCP not kept: too many addresses asked for the script of one machine',
  log_lines: 'requests of undeclared addresses left out of the log: there are too many',
  agent_tokens:
    'requests of agents answered with 429: their address showed too many tokens that are not good',
  report_size: 'logs of agent reports cut: their boot sent too many bytes',
  report_rate: 'agent reports answered with 429: their boot sent too many',
} as const

/** How often one reason is written to the log. */
const LOG_EVERY_MS = 10_000

/** How often one reason is added to the metric: a flood refuses tens of thousands a second. */
const COUNT_EVERY_MS = 1000

type Seen = { uncounted: number; unlogged: number; countedAt: number; loggedAt: number }

/** Counts refusals, and logs each reason at most once in ten seconds, with how many there were since. */
export class Refusals {
  readonly #log: Log
  readonly #count: (reason: RefusalReason, times: number) => void
  readonly #now: () => number
  readonly #seen = new Map<RefusalReason, Seen>()
  #later: NodeJS.Timeout | undefined

  /**
   * @param count adds to the metric
   * @param now milliseconds of a clock that does not go back
   */
  constructor(
    log: Log,
    count: (reason: RefusalReason, times: number) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#log = log
    this.#count = count
    this.#now = now
  }

  /** Takes one. */
  readonly refuse: Refuse = (reason, from) => {
    const seen = this.#seen.get(reason) ?? {
      uncounted: 0,
      unlogged: 0,
      countedAt: -Infinity,
      loggedAt: -Infinity,
    }
    this.#seen.set(reason, seen)
    seen.uncounted += 1
    seen.unlogged += 1
    const now = this.#now()
    if (now - seen.countedAt >= COUNT_EVERY_MS) this.#flush(reason, seen, now)
    else if (this.#later === undefined) {
      this.#later = setTimeout(() => this.#flushAll(), COUNT_EVERY_MS).unref()
    }
    if (now - seen.loggedAt < LOG_EVERY_MS) return
    this.#log('warn', `${seen.unlogged} ${SENTENCES[reason]}`, { reason, last: from })
    seen.unlogged = 0
    seen.loggedAt = now
  }

  #flushAll(): void {
    this.#later = undefined
    const now = this.#now()
    for (const [reason, seen] of this.#seen) if (seen.uncounted > 0) this.#flush(reason, seen, now)
  }

  #flush(reason: RefusalReason, seen: Seen, now: number): void {
    this.#count(reason, seen.uncounted)
    seen.uncounted = 0
    seen.countedAt = now
  }
}
