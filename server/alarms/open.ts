// The alarms of a server that runs, and what watches for those that begin or end by themselves.

import { causesOf, type Log } from '../log.ts'
import type { Parts } from '../process/parts.ts'
import type { AlarmStore } from '../store/alarms.ts'
import { AlarmList } from './alarm-list.ts'
import { look, type Watched } from './conditions.ts'

/** How often it is looked whether an alarm begins or ends. */
const LOOK_MS = 5000

/** Opens the alarms that a store keeps; what the disk does not have yet is written when they are closed. */
export async function openAlarms(store: AlarmStore, now: () => number, parts: Parts): Promise<AlarmList> {
  return parts.add('the alarms', await AlarmList.open(store, now))
}

/** Looks now, and then every few seconds; resolves after the first look. */
export async function watchAlarms(list: AlarmList, watched: Watched, log: Log, parts: Parts): Promise<void> {
  let looking: Promise<void> | undefined
  const lookOnce = () =>
    (looking ??= look(list, watched)
      .catch((error: unknown) => log('error', `Alarms could not be looked at: ${causesOf(error)}`))
      .finally(() => (looking = undefined)))
  await lookOnce()
  const timer = setInterval(() => void lookOnce(), LOOK_MS)
  const close = async () => {
    clearInterval(timer)
    await looking
  }
  parts.add('the watch for alarms', { close })
}
