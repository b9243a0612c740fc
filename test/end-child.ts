// A program that a test started comes to its end.

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** Ends it at once, and waits until it is gone; one that ended by itself is fine. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}
