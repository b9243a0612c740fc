// A machine's disks: what it may do with them, their keys, and what is ordered.

import type { FastifyPluginCallback } from 'fastify'
import type { Machine } from '#model/machine.ts'
import type { DiskKeys, SentDiskKey } from '../../../disks/disk-keys.ts'
import type { Installs } from '../../../disks/installs.ts'
import type { ImageOf, Upgrades } from '../../../disks/upgrades.ts'
import { TooManyReports } from '../../../agent/errors.ts'
import type { ReadSlot } from '../../../assets/slots.ts'
import type { BootTokens } from '../../../agent/boot-tokens.ts'
import { Buckets } from '../../../limits/bucket.ts'
import {
  diskKeyBody,
  installAskOf,
  installBody,
  orderAskOf,
  orderBody,
  unlockBody,
  type SentAsk,
  type SentOrderAsk,
} from './bodies.ts'
import { senderOf, taking, type Senders } from './sender.ts'

/** What these routes need of the service. */
export type DiskNeeds = {
  readonly tokens: Pick<BootTokens, 'speaks'>
  readonly diskKeys: Pick<DiskKeys, 'keep' | 'offer' | 'redeem'>
  readonly installs: Pick<Installs, 'ask'>
  /** The slot of the image that a machine's profile boots; undefined where that has none. */
  readonly slotOf: (machine: Machine) => Promise<ReadSlot | undefined>
  readonly upgrades: Pick<Upgrades, 'ask'>
  /** The same slot, and where it is fetched by who came to the address `at`. */
  readonly imageOf: (machine: Machine, at?: string) => ReturnType<ImageOf>
}

/** The name of a machine and one of its encrypted disks, for a challenge; or that with its answer. */
type Unlocking = { machine: string; uuid: string; answer?: string }

/** How often a machine may ask what is ordered: it does so six times a minute at most. */
const ORDERS = { perSecond: 0.5, burst: 10 } as const

/** `POST /agent/v1/install`, `/agent/v1/disk-key` and `/agent/v1/order` with a token, `/agent/v1/unlock` without. */
export const diskRoutes: FastifyPluginCallback<DiskNeeds & { readonly senders: Senders }> = (
  app,
  needs,
  done,
) => {
  const { installs, upgrades, senders } = needs
  const { holderOf, takeChallenge, lateError } = senders
  const orders = new Buckets(ORDERS)

  app.post<{ Body: Unlocking }>(
    '/agent/v1/unlock',
    { ...taking('unlock', unlockBody), config: { isWithoutToken: true } },
    async ({ ip, body: { machine, uuid, answer } }, reply) => {
      void reply.header('cache-control', 'no-store')
      takeChallenge(ip, reply)
      const { diskKeys } = needs
      return reply.send(
        await (answer === undefined
          ? diskKeys.offer(machine, uuid, ip)
          : diskKeys.redeem(machine, uuid, ip, answer)),
      )
    },
  )

  app.post<{ Body: SentDiskKey }>(
    '/agent/v1/disk-key',
    taking('disk-key', diskKeyBody),
    async (request, reply) => {
      await needs.diskKeys.keep(await holderOf(request), request.body)
      return reply.code(204).send()
    },
  )

  app.post<{ Body: SentAsk }>('/agent/v1/install', taking('install', installBody), async (request, reply) => {
    const who = await holderOf(request)
    void reply.header('cache-control', 'no-store')
    return reply.send(await installs.ask(who, installAskOf(request.body), () => needs.slotOf(who.machine)))
  })

  app.post<{ Body: SentOrderAsk }>('/agent/v1/order', taking('order', orderBody), async (request, reply) => {
    // No sign of life: a kernel that just started asks here before it is known that the machine started again.
    const who = await holderOf(request, { isSign: false })
    const now = performance.now()
    const own = orders.of(await senderOf(needs.tokens, who), now)
    if (!own.take(now)) {
      const { boot } = who.token
      throw lateError(
        reply,
        own.waitMs(now),
        'report_rate',
        boot,
        seconds => new TooManyReports(boot, seconds),
      )
    }
    void reply.header('cache-control', 'no-store')
    const { localAddress } = request.socket
    const answer = await upgrades.ask(who, orderAskOf(request.body), machine =>
      needs.imageOf(machine, localAddress),
    )
    return reply.send(answer)
  })
  done()
}
