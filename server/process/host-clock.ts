// The clock of this host's kernel: it runs from boot to boot, and restarts of the server are nothing to it.

import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'
import type { HostClock } from './clocks.ts'

/** Where Linux names the boot of its kernel; a unit whose `ProcSubset=pid` hides it says the same in PILOTLIGHT_BOOT_ID. */
const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/** The clock of this host. Where the kernel does not name its boot, each process counts as another one. */
export function hostClock(): HostClock {
  return { run: bootIdOf() ?? randomUUID(), now: () => Math.round(uptime() * 1000) }
}

function bootIdOf(): string | undefined {
  const { PILOTLIGHT_BOOT_ID: given } = process.env
  if (given) return given
  try {
    return readFileSync(BOOT_ID, 'utf8').trim()
  } catch {
    return undefined // another system than Linux, or one without /proc
  }
}
