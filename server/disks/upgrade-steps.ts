// How far the upgrade of a machine is after it asked, and what it is to do next. Pure.
//
// The machine may ask again whatever it was answered, lose power, or start another system; so each step is decided by what
// it runs now, and every answer may be given twice.

import { HEALTHY_SECONDS, type OrderAnswer, type OrderAsk, type UpgradeState } from '#model/install.ts'
import type { HostTime, KeptOrder } from '../store/machine-records.ts'

/** An order of an upgrade, as it is kept. */
export type KeptUpgrade = KeptOrder & {
  readonly target: string
  readonly state: UpgradeState
  readonly since: number
}

/** A time: milliseconds since 1970, to be shown, and the host's own clock, which limits are counted by. */
export type Now = { readonly wall: number; readonly host: HostTime }

/** The facts beside the order. */
export type UpgradeFacts = {
  readonly now: Now
  /** The image of the assets that the machine would write, where that is known. */
  readonly image?: { readonly version: string; readonly url: string; readonly sha256: string } | undefined
  /** There is room for one more machine that writes. */
  readonly maySeat: boolean
}

/** The order from now on (the same object where nothing changed), and the answer. */
export type UpgradeStep = { readonly order: KeptUpgrade; readonly answer: OrderAnswer }

/** Seconds until a machine asks again: of which nothing is wanted, that waits or writes, and that is about to be restarted. */
export const AGAIN = { idle: 60, waits: 30, soon: 10 } as const
/** How many times a loader starts a new image that is not marked good. */
const ATTEMPTS = 3
/** What a machine may take beside these attempts, from the order to restart to `ready` with the old image. */
const BESIDE_SECONDS = 30 * 60

/** Says whether an order is an upgrade. */
export function isUpgrade(order: KeptOrder | undefined): order is KeptUpgrade {
  return order?.verb === 'upgrade' && order.target !== undefined && order.state !== undefined
}

/** Decides what a machine that asks is to do. */
export function stepUpgrade(order: KeptUpgrade, asked: OrderAsk, facts: UpgradeFacts): UpgradeStep {
  const { target, state } = order
  const to = (next: UpgradeState, why?: string) => moved(order, next, facts.now, why)
  const wait = (next: KeptUpgrade, againSeconds: number): UpgradeStep => ({
    order: next,
    answer: { do: 'nothing', againSeconds },
  })
  if (asked.version === target && asked.isGood) return wait(to('done'), AGAIN.idle)
  if (state === 'done' || state === 'failed') return wait(order, AGAIN.idle)
  if (asked.version === target) return wait(order, AGAIN.soon) // it runs it, and its services are still to start
  const doing = asked.target === target ? asked.doing : 'nothing'
  if (state === 'rebooting') return stepReboot(order, { ...asked, doing }, facts)
  if (state === 'written') return wait(order, AGAIN.soon)
  if (doing === 'failed') return wait(to('failed', asked.why ?? 'it could not write the image'), AGAIN.idle)
  if (doing === 'written') return wait(to('written'), AGAIN.soon)
  if (doing === 'writing') return wait(to('writing'), AGAIN.waits)
  const { image, maySeat } = facts
  if (!maySeat || image === undefined) return wait(order, AGAIN.waits)
  if (image.version !== target) {
    const why = `${target} was ordered, and the assets hold ${image.version} by now`
    return wait(to('failed', why), AGAIN.idle)
  }
  return {
    order: to('writing'),
    answer: { do: 'write', ...image, healthySeconds: healthyOf(order), againSeconds: AGAIN.waits },
  }
}

/** The order after a machine was `ready` with a version. */
export function afterReady(order: KeptUpgrade, version: string | undefined, now: Now): KeptUpgrade {
  return version === order.target ? moved(order, 'done', now) : order
}

/** The order after time passed: a machine that does not come back has failed. */
export function afterTime(order: KeptUpgrade, now: Now): KeptUpgrade {
  const limitSeconds = ATTEMPTS * healthyOf(order) + BESIDE_SECONDS
  if (order.state !== 'rebooting' || elapsedMs(order, now) < limitSeconds * 1000) return order
  const minutes = Math.round(limitSeconds / 60)
  const why =
    order.kernel === undefined
      ? `it did not ask for its order to restart within ${minutes} minutes`
      : `it is not ready ${minutes} minutes after it was ordered to restart`
  return moved(order, 'failed', now, why)
}

/**
 * How long an upgrade is in its state, at least: by the clock of the host, since the wall clock may be set meanwhile. What began
 * in an earlier run of the host is as old as this run, or older.
 */
function elapsedMs({ since, sinceHost }: KeptUpgrade, { wall, host }: Now): number {
  if (sinceHost === undefined) return Math.min(host.at, wall - since)
  return sinceHost.run === host.run ? host.at - sinceHost.at : host.at
}

function healthyOf({ healthySeconds = HEALTHY_SECONDS.default }: KeptUpgrade): number {
  return healthySeconds
}

/** It was to restart: it gets that order until another kernel runs; if that one has the old version, the loader went back to it. */
function stepReboot(
  order: KeptUpgrade,
  { kernel, version, doing, why }: OrderAsk,
  { now }: UpgradeFacts,
): UpgradeStep {
  const { target } = order
  if (doing === 'failed') {
    const failed = moved(order, 'failed', now, why ?? 'it could not restart')
    return { order: failed, answer: { do: 'nothing', againSeconds: AGAIN.idle } }
  }
  if (order.kernel !== undefined && order.kernel !== kernel) {
    const back = `it restarted, and runs ${version} again: ${target} was not good in three attempts, or its loader does not start it`
    return { order: moved(order, 'failed', now, back), answer: { do: 'nothing', againSeconds: AGAIN.idle } }
  }
  const asked = order.kernel === undefined ? { ...order, kernel } : order
  return { order: asked, answer: { do: 'reboot', version: target, againSeconds: AGAIN.soon } }
}

/** The order in another state since `now`; the same where it is in that state. */
export function moved(order: KeptUpgrade, state: UpgradeState, now: Now, why?: string): KeptUpgrade {
  if (order.state === state) return order
  const { why: _, ...rest } = order
  return { ...rest, state, since: now.wall, sinceHost: now.host, ...(why !== undefined && { why }) }
}
