// Limits of this host that a rack of container machines needs higher: they share them all.

import { readFileSync, writeFileSync } from 'node:fs'

/** A kubelet, containerd and a dozen pods hold about 25 inotify instances a machine; Debian allows 128 in all. */
const WANTED: Readonly<Record<string, number>> = {
  '/proc/sys/fs/inotify/max_user_instances': 8192,
  '/proc/sys/fs/inotify/max_user_watches': 524_288,
}

/** Raises each limit that is lower than wanted; none is ever lowered, and they stay until the host restarts. */
export function raiseHostLimits(): void {
  for (const [file, wanted] of Object.entries(WANTED)) {
    if (Number(readFileSync(file, 'utf8')) < wanted) writeFileSync(file, `${wanted}\n`)
  }
}
