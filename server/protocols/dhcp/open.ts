// DHCP as a part of the server.

import { CannotWrite } from '../../errors.ts'
import type { Parts } from '../../process/parts.ts'
import type { LeaseStore } from '../../store/leases.ts'
import { leasesAfterJump } from './leases.ts'
import { openDhcp, type DhcpAlarm, type DhcpOptions, type DhcpServer } from './socket.ts'

/** What DHCP needs of the service. */
export type DhcpService = Required<Omit<DhcpOptions, 'alarm' | 'now' | 'signal'>> & {
  readonly alarms: { raise(alarm: DhcpAlarm & { readonly layer: 'dhcp' }): void }
  readonly clock: LeaseClock
}

/** The clock that leases live by: it does not jump, and reports by how many milliseconds the host's clock was set. */
export type LeaseClock = {
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onJump: (listener: (jumpMs: number) => void) => void
}

/**
 * Serves DHCP until the parts are closed.
 *
 * @throws {CannotServeDhcp} when a port cannot be had
 */
export async function serveDhcp(service: DhcpService, parts: Parts): Promise<DhcpServer> {
  const { alarms, clock, report, ...options } = service
  const dhcp = await openDhcp({
    ...options,
    // What the disk does not take is logged once, by its health, and not for each packet.
    report: problem => {
      if (!(problem instanceof CannotWrite)) report(problem)
    },
    alarm: alarm => alarms.raise({ ...alarm, layer: 'dhcp' }),
    now: () => clock.now(),
  })
  clock.onJump(jumpMs => dhcp.clockMoved(jumpMs))
  return parts.add('DHCP', dhcp)
}

/**
 * Brings the leases of an earlier process in line with the clock of this one.
 *
 * @param lastSeen when that process wrote last, by its own clock; milliseconds since 1970
 */
export async function alignLeases(
  leases: LeaseStore,
  lastSeen: number | undefined,
  now: number,
): Promise<void> {
  const moved = leasesAfterJump(await leases.all(), lastSeen, now)
  if (moved !== undefined) await leases.commit(moved.map(lease => ({ kind: 'put', lease })))
}
