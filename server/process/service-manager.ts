// What we report to systemd (sd_notify(3)): that we are ready, and, where the unit has WatchdogSec=, that the event loop
// still turns. The socket that it listens on is a datagram socket of the file system, which Node cannot open, so its own
// program `systemd-notify` sends.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Milliseconds after which a report that is not taken is given up. */
const REPORT_LIMIT_MS = 10_000

/** The service manager that started us and waits for reports. */
export type ServiceManager = {
  /** Reports that machines may boot now; from then on the watchdog is fed. Never throws: what fails goes to `report`. */
  ready(status: string): Promise<void>
  /** Feeds the watchdog no more. */
  close(): void
}

/**
 * The service manager that `env` names, undefined when there is none. Takes `NOTIFY_SOCKET`, `WATCHDOG_USEC` and
 * `WATCHDOG_PID` out of `env`. `report` gets what could not be sent.
 */
export function serviceManager(
  report: (problem: Error) => void,
  env: NodeJS.ProcessEnv = process.env,
): ServiceManager | undefined {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: microseconds, WATCHDOG_PID: pid } = env
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name]
  if (socket === undefined) return undefined
  const limitMs = pid === undefined || pid === String(process.pid) ? Number(microseconds) / 1000 : NaN
  let feeding: NodeJS.Timeout | undefined
  let closed = false
  const send = async (...words: readonly string[]) => {
    const options = { env: { ...env, NOTIFY_SOCKET: socket }, timeout: REPORT_LIMIT_MS }
    try {
      await promisify(execFile)('systemd-notify', [...words], options)
    } catch (cause) {
      report(
        new Error(`Could not report to the service manager: systemd-notify ${words.join(' ')}`, { cause }),
      )
    }
  }
  return {
    async ready(status) {
      await send('--ready', `--status=${status}`)
      // Three reports within the limit: one may be lost, and one late.
      if (limitMs > 0 && !closed) feeding = setInterval(() => void send('WATCHDOG=1'), limitMs / 3).unref()
    },
    close() {
      closed = true
      clearInterval(feeding)
    },
  }
}
