// The two clocks that ages are counted by.

/** Two clocks, in milliseconds: since 1970, which may be set at any time; and one that only grows. */
export type Clocks = { readonly wall: () => number; readonly steady: () => number }
