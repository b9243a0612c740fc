// How far a boot has come, from the kinds of its events.

import type { BootEvent } from '#model/boot.ts'

/** The way of a machine, in order; `failed` may come after any of them. */
export const PHASES = [
  'new',
  'address',
  'loader',
  'script',
  'kernel',
  'config',
  'booted',
  'ready',
  'failed',
] as const

/** One step of that way. */
export type Phase = (typeof PHASES)[number]

const PHASE_OF: Readonly<Record<string, Phase>> = {
  discover: 'address',
  offer: 'address',
  request: 'address',
  ack: 'address',
  read: 'loader',
  sent: 'loader',
  loader: 'loader',
  script: 'script',
  kernel: 'kernel',
  initrd: 'kernel',
  rootfs: 'kernel',
  config: 'config',
  bundle: 'config',
  booted: 'booted',
  ready: 'ready',
  failed: 'failed',
}

/**
 * The phase after one more event: the furthest step seen, so that the DHCP renewal of a running system changes nothing.
 * Only the machine itself leads out of `failed`, by reporting again.
 */
export function phaseAfter(phase: Phase, event: Pick<BootEvent, 'kind' | 'layer'>): Phase {
  const next = PHASE_OF[event.kind]
  if (event.layer === 'os') return next ?? phase
  if (next === undefined || next === 'failed') return phase
  return PHASES.indexOf(next) > PHASES.indexOf(phase) ? next : phase
}

/** Says whether a boot got past its firmware: to the script or further. What firmware sends after that is of another boot. */
export function isPastFirmware(phase: Phase): boolean {
  return PHASES.indexOf(phase) >= PHASES.indexOf('script')
}

/** Says whether a boot has its config. */
export function hasConfig(phase: Phase): boolean {
  return PHASES.indexOf(phase) >= PHASES.indexOf('config')
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
