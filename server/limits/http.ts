// How much one sender may ask of us, and all strangers together. A rack of 1,000 machines that boot at once stays below
// all of it, and so does one address that an operator's whole network is behind.

import type { Rate } from './bucket.ts'

/** All of them. */
export type StrangerLimits = {
  readonly turns: TurnLimits
  readonly reads: ReadLimits
  readonly agents: AgentLimits
  readonly logLines: LogLimits
}

/** Lines of the log for requests without a token whose addresses belong to no declared machine. */
export type LogLimits = {
  /** Of one such address; not of this host, where a proxy speaks for many. */
  readonly perAddress: Rate
  /** Of all of them together. */
  readonly inAll: Rate
}

/** What the agents' side takes. */
export type AgentLimits = {
  /** Of one address that no declared machine has: a token that is not good costs 1, a body 1 for each 64 KB. */
  readonly perAddress: Rate
}

/** How much is handled. */
export type TurnLimits = {
  /** Requests in one turn of the event loop; the others wait for the next. */
  readonly requestsATurn: number
  /** Requests of one connection that may wait for their turn; a client with more loses its connection. */
  readonly pipelined: number
  /** Requests of one address. What comes faster is handled later. */
  readonly perAddress: Rate
  /** Requests of all addresses together that belong to no declared machine. What comes faster is handled later. */
  readonly inAll: Rate
  /** Milliseconds that a request may wait for that; it is answered with 429 instead. */
  readonly longestWaitMs: number
}

/** Processor time, in milliseconds of it, that reads may take. */
export type ReadLimits = {
  /** Of one address, whatever client asks there. */
  readonly perAddress: Rate
  /** Of all addresses together. */
  readonly inAll: Rate
  /** Reads that may wait for their turn. */
  readonly pending: number
}

/** What holds unless a test says otherwise. */
export const STRANGER_LIMITS: StrangerLimits = {
  turns: {
    requestsATurn: 32,
    pipelined: 32,
    // A boot takes some 15 requests of 0.1 ms.
    perAddress: { perSecond: 1000, burst: 5000 },
    inAll: { perSecond: 4000, burst: 20_000 },
    longestWaitMs: 5000,
  },
  reads: {
    // A page of a list of 1,000 takes 5 to 10 ms, an explanation 1 ms.
    perAddress: { perSecond: 150, burst: 1000 },
    inAll: { perSecond: 250, burst: 2000 },
    pending: 200,
  },
  // A machine shows one good token, and sends some 20 KB with it.
  agents: { perAddress: { perSecond: 10, burst: 200 } },
  // A line has up to 2 KB: some 3 GB a day of a flood without end. A boot takes some 15 lines.
  logLines: { perAddress: { perSecond: 1, burst: 100 }, inAll: { perSecond: 20, burst: 2000 } },
}
