// The two clocks that ages are counted by.

/** Two clocks, in milliseconds: since 1970, which may be set at any time; and one that only grows. */
export type Clocks = { readonly wall: () => number; readonly steady: () => number }

/** The clock of a host that runs, and which run it is: ages can be counted with it across restarts of the server. */
export type HostClock = {
  /** Names one boot of the host's kernel. */
  readonly run: string
  /** Milliseconds since that boot, suspends included; it cannot be set. */
  readonly now: () => number
}
