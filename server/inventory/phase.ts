// How far a boot has come, from the kinds of its events.

import type { BootEvent } from './objects.ts'

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

/**
 * Says whether an event begins a new boot. Firmware asks for an address at power-on, and iPXE asks again within the same
 * boot, before its script; so a question after the script is a new power-on. Where somebody else answers DHCP,
 * the script itself is the first that we see: one after the kernel begins a new boot.
 */
export function beginsBoot(
  phase: Phase,
  event: { readonly kind: string; readonly startsBoot: boolean },
): boolean {
  if (event.startsBoot) return PHASES.indexOf(phase) >= PHASES.indexOf('script')
  return event.kind === 'script' && PHASES.indexOf(phase) > PHASES.indexOf('script')
}
