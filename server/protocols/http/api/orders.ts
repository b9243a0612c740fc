// What operators order for the disks of machines, and what is installed on them.

import type { FastifyPluginCallback } from 'fastify'
import { someOf } from '#model/clean.ts'
import { HEALTHY_SECONDS, installedSchema, ORDER_VERBS, orderSchema, type OrderVerb } from '#model/install.ts'
import { shown, shownSchema } from '#model/time.ts'
import type { Installs } from '../../../disks/installs.ts'
import type { KeptOrders } from '../../../disks/kept-orders.ts'
import type { Orders } from '../../../disks/orders.ts'
import type { ImageOf, Upgrades } from '../../../disks/upgrades.ts'
import type { Catalog } from '../../../inventory/catalog.ts'
import type { Log } from '../../../log.ts'
import { machineNamed } from './machines.ts'
import { problemAnswer } from '../wire/problems.ts'
import { pretty, sentAsItIs } from '../wire/replies.ts'
import { noteChange } from './audit.ts'
import { problem } from './openapi.ts'

/** What these routes need of the service. */
export type OrderNeeds = {
  readonly catalog: () => Catalog
  readonly installs: Pick<Installs, 'installed'>
  readonly orders: Pick<Orders, 'take' | 'undo'>
  readonly keptOrders: Pick<KeptOrders, 'all' | 'order'>
  readonly upgrades: Pick<Upgrades, 'take' | 'restart'>
  readonly imageOf: ImageOf
  readonly log: Log
}

/** How many machines one order may name: more than any rack has. */
const MOST_MACHINES = 10_000

const orderBody = {
  type: 'object',
  required: ['verb', 'machines', 'count'],
  additionalProperties: false,
  properties: {
    verb: {
      enum: ORDER_VERBS,
      description:
        'reinstall: the disk is written anew. wipe: it is erased, and the machine is switched off. upgrade: the system that runs writes the image of the assets to its other slot.',
    },
    machines: {
      type: 'array',
      minItems: 1,
      maxItems: MOST_MACHINES,
      items: { type: 'string', minLength: 1, maxLength: 253 },
      description: 'Their names',
    },
    count: {
      type: 'integer',
      minimum: 1,
      description: 'How many machines are meant: refused with 409 when that is not what is named',
    },
    breakQuorum: { type: 'boolean', description: 'The etcd of their cluster may be lost' },
    withoutProof: {
      type: 'boolean',
      description:
        "reinstall, wipe: for a machine whose disk is dead or lost its state. Any boot at the machine's address spends it, also one that does not show the key which the disk keeps",
    },
    healthySeconds: {
      type: 'integer',
      minimum: HEALTHY_SECONDS.least,
      maximum: HEALTHY_SECONDS.most,
      description: `upgrade: how long after each of its starts the new image must be marked good, or the machine restarts; ${HEALTHY_SECONDS.default} by default`,
    },
  },
} as const

const restartBody = {
  type: ['object', 'null'],
  additionalProperties: false,
  properties: {
    breakQuorum: { type: 'boolean', description: 'The API of its cluster may be away meanwhile' },
  },
} as const

type OrderBody = {
  readonly verb: OrderVerb
  readonly machines: readonly string[]
  readonly count: number
  readonly breakQuorum?: boolean
  readonly withoutProof?: boolean
  readonly healthySeconds?: number
}
type ByName = { Params: { name: string } }

const order = shownSchema(orderSchema)
/** `GET` and `POST /v1/orders`, `GET /v1/machines/{name}/disk`, `DELETE /v1/machines/{name}/order`, `POST /v1/machines/{name}/order/restart`. */
export const orderRoutes: FastifyPluginCallback<OrderNeeds> = (
  app,
  { catalog, installs, orders, keptOrders, upgrades, imageOf, log },
  done,
) => {
  app.setErrorHandler(problemAnswer(log))

  app.get(
    '/v1/orders',
    {
      ...sentAsItIs,
      schema: {
        tags: ['machines'],
        summary: 'What the next network boots of machines do with their disks, and upgrades',
        response: { 200: { type: 'array', items: order } },
      },
    },
    (_, reply) =>
      pretty(
        reply,
        keptOrders.all().map(it => shown(orderSchema, it)),
      ),
  )

  app.post<{ Body: OrderBody }>(
    '/v1/orders',
    {
      ...sentAsItIs,
      bodyLimit: 4 << 20,
      config: { audit: 'disk.order' },
      schema: {
        tags: ['machines'],
        summary:
          'Orders that the next network boot of machines installs them anew, or erases their disks; or that they are upgraded',
        body: orderBody,
        response: { 200: { type: 'array', items: order }, '4xx': problem },
      },
    },
    async (request, reply) => {
      const { verb, machines: names, count, breakQuorum, withoutProof, healthySeconds } = request.body
      const { name: who } = request.identity
      const machines = names.map(name => machineNamed(catalog(), name))
      noteChange(request, {
        name: names.length === 1 ? (names[0] ?? '') : '',
        summary: summaryOf(verb, names),
      })
      const taken =
        verb === 'upgrade'
          ? await upgrades.take({ machines, count, who, healthySeconds }, imageOf)
          : await orders.take({ verb, machines, count, breakQuorum, withoutProof, who })
      log('info', `${verb} ordered`, { machines: summaryOf(verb, names), who })
      return pretty(
        reply,
        taken.map(it => shown(orderSchema, it)),
      )
    },
  )

  app.delete<ByName>(
    '/v1/machines/:name/order',
    {
      ...sentAsItIs,
      config: { audit: 'disk.undo' },
      schema: {
        tags: ['machines'],
        summary: 'Takes back what was ordered for a machine',
        response: { 200: order, '4xx': problem },
      },
    },
    async ({ params: { name }, identity }, reply) => {
      const undone = await orders.undo(machineNamed(catalog(), name), identity.name)
      log('info', `${undone.verb} taken back`, { machine: name, who: identity.name })
      return pretty(reply, shown(orderSchema, undone))
    },
  )

  app.post<ByName & { Body: { readonly breakQuorum?: boolean } | null | undefined }>(
    '/v1/machines/:name/order/restart',
    {
      ...sentAsItIs,
      config: { audit: 'disk.restart' },
      schema: {
        tags: ['machines'],
        summary: 'Has a machine that wrote the image of its upgrade restart into it',
        body: restartBody,
        response: { 200: order, '4xx': problem },
      },
    },
    async ({ params: { name }, identity, body }, reply) => {
      const breakQuorum = body?.breakQuorum ?? false
      const restarted = await upgrades.restart(machineNamed(catalog(), name), {
        breakQuorum,
        who: identity.name,
      })
      log('info', 'restart for an upgrade ordered', { machine: name, who: identity.name })
      return pretty(reply, shown(orderSchema, restarted))
    },
  )

  app.get<ByName>(
    '/v1/machines/:name/disk',
    {
      ...sentAsItIs,
      schema: {
        tags: ['machines'],
        summary: 'What is installed on the disk of a machine, and what is ordered for it',
        response: {
          200: { type: 'object', properties: { installed: shownSchema(installedSchema), order } },
          '4xx': problem,
        },
      },
    },
    ({ params: { name } }, reply) => {
      machineNamed(catalog(), name)
      return pretty(reply, diskViewOf({ installs, keptOrders }, name))
    },
  )
  done()
}

/** What is on a machine's disk and ordered for it, as the API shows both; empty where there is nothing. */
export function diskViewOf(
  {
    installs,
    keptOrders,
  }: { readonly installs: Pick<Installs, 'installed'>; readonly keptOrders: Pick<KeptOrders, 'order'> },
  name: string,
): object {
  const installed = installs.installed(name)
  const ordered = keptOrders.order(name)
  return {
    ...(installed && { installed: shown(installedSchema, installed) }),
    ...(ordered && { order: shown(orderSchema, ordered) }),
  }
}

function summaryOf(verb: OrderVerb, names: readonly string[]): string {
  return `${verb} ${someOf(names, 10)}`
}
