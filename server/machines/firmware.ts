// What an event shows of a machine's firmware, before any operating system runs.

import type { BootEvent } from '#model/boot.ts'
import { hasReached, type Phase } from '#model/phase.ts'

/** Says whether a boot got past its firmware: to the script or further. What firmware sends after that is of another boot. */
export function isPastFirmware(phase: Phase): boolean {
  return hasReached(phase, 'script')
}

/**
 * Says whether an event is of firmware or its loader, before any operating system: DHCP of a client that wants something
 * to boot, and TFTP. Anyone on the wire can send it in a machine's name, so it never ends a boot.
 */
export function isOfFirmware({ layer, detail }: Pick<BootEvent, 'layer' | 'detail'>): boolean {
  return layer === 'tftp' || (layer === 'dhcp' && detail.client !== undefined && detail.client !== 'plain')
}

/**
 * The address that an event shows the firmware of this boot to have: acknowledged by us, or asked of another server,
 * which we overheard.
 */
export function leaseShownBy(event: Pick<BootEvent, 'kind' | 'layer' | 'detail'>): string | undefined {
  const { kind, detail } = event
  if (!isOfFirmware(event) || typeof detail.address !== 'string') return undefined
  return kind === 'ack' || (kind === 'request' && detail.from !== undefined) ? detail.address : undefined
}
