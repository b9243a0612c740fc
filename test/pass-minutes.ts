// Time that passes at once, by the clock that cannot be set: what a server in the test's own process counts waits by.

import type { Test } from 'tap'

/** Lets minutes pass, until the test ends. */
export function passMinutes(t: Test, minutes: number): void {
  const now = performance.now.bind(performance)
  performance.now = () => now() + minutes * 60_000
  t.teardown(() => (performance.now = now))
}
