// What an operator reads with curl: JSON set out for people, no tokens, no bundles.

import type { FastifyPluginCallback, FastifyReply } from 'fastify'
import { NotFound } from '../errors.ts'
import type { Catalog } from '../inventory/catalog.ts'
import type { CurrentBoot, Journal } from '../inventory/journal.ts'
import type { BootEvent, Machine } from '../inventory/objects.ts'
import type { Phase } from '../inventory/phase.ts'
import { normaliseMac } from '../match/mac.ts'
import { canonicalUuid } from '../match/uuid.ts'
import type { Log } from '../log.ts'
import { problemAnswer } from './problems.ts'

/** What these routes need of the service. */
export type ReadNeeds = {
  readonly catalog: () => Catalog
  readonly journal: Pick<Journal, 'all' | 'currentOf' | 'last'>
  readonly log: Log
}

/** A machine as `GET /machines` shows it: what was declared, and what was seen. */
export type MachineView = {
  /** The name, or the MAC of hardware that nobody declared. */
  readonly id: string
  readonly declared: boolean
  readonly name?: string
  readonly role?: Machine['role']
  readonly macs: readonly string[]
  readonly uuid?: string
  readonly address?: string
  readonly labels?: Machine['labels']
  readonly phase: Phase
  /** ISO 8601, when the phase was reached. */
  readonly since?: string
  /** ISO 8601, of the last event. */
  readonly lastSeen?: string
  readonly boot?: string
  readonly lastEvent?: Pick<BootEvent, 'layer' | 'kind' | 'text'>
}

/** `GET /profiles`, `/groups`, `/machines`, each with `/{id}`; `GET /v1/problems`. */
export const readRoutes: FastifyPluginCallback<ReadNeeds> = (app, { catalog, journal, log }, done) => {
  app.setErrorHandler(problemAnswer(log))

  app.get('/profiles', (_, reply) =>
    pretty(
      reply,
      catalog()
        .entries('profile')
        .map(({ object }) => object),
    ),
  )
  app.get<ById>('/profiles/*', ({ params: { '*': id } }, reply) =>
    pretty(reply, known(catalog().profiles.get(id), 'profile', id)),
  )

  app.get('/groups', (_, reply) => pretty(reply, catalog().groups.groups))
  app.get<ById>('/groups/*', ({ params: { '*': id } }, reply) =>
    pretty(
      reply,
      known(
        catalog().entry('group', id)?.object ?? catalog().groups.groups.find(group => group.id === id),
        'group',
        id,
      ),
    ),
  )

  app.get('/machines', (_, reply) => {
    // A reader who follows the events from here on misses none.
    void reply.header('x-last-event', journal.last)
    return pretty(reply, machineViews(catalog(), journal.all()))
  })
  app.get<ById>('/machines/*', ({ params: { '*': id } }, reply) => {
    const wanted = normaliseMac(id) ?? id
    const uuid = canonicalUuid(id)
    const views = machineViews(catalog(), journal.all())
    const view = views.find(
      it =>
        it.id === wanted ||
        it.macs.includes(wanted) ||
        (it.uuid !== undefined && canonicalUuid(it.uuid) === uuid),
    )
    return pretty(reply, known(view, 'machine', id))
  })

  app.get(
    '/v1/problems',
    {
      schema: {
        tags: ['events'],
        summary: 'Files of the data directory that cannot be used, with their places',
      },
    },
    (_, reply) => pretty(reply, catalog().problems),
  )
  done()
}

type ById = { Params: { '*': string } }

/** Declared machines in the order of their sites, then others by MAC. */
function machineViews(catalog: Catalog, boots: readonly CurrentBoot[]): MachineView[] {
  const latest = new Map<string, CurrentBoot>()
  for (const boot of boots) {
    const machine = catalog.machine({
      mac: boot.mac,
      ...(boot.machine === undefined ? {} : { name: boot.machine }),
    })
    const id = machine?.name ?? boot.mac
    const before = latest.get(id)
    if (before === undefined || before.last.id < boot.last.id) latest.set(id, boot)
  }
  const declared = catalog.machines.map(machine => viewOf(machine, latest.get(machine.name)))
  const others = [...latest].filter(([id]) => catalog.machine({ name: id }) === undefined)
  others.sort(([a], [b]) => (a < b ? -1 : 1))
  return [
    ...declared,
    ...others.map(([mac, boot]) => ({ id: mac, declared: false, macs: [mac], ...seen(boot) })),
  ]
}

function viewOf(machine: Machine, boot: CurrentBoot | undefined): MachineView {
  return { id: machine.name, declared: true, ...machine, ...seen(boot) }
}

function seen(boot: CurrentBoot | undefined) {
  if (boot === undefined) return { phase: 'new' as const }
  const { layer, kind, text, at, detail } = boot.last
  return {
    phase: boot.phase,
    since: new Date(boot.phaseSince).toISOString(),
    lastSeen: new Date(at).toISOString(),
    boot: boot.id,
    lastEvent: { layer, kind, text },
    ...(boot.machine === undefined && typeof detail.address === 'string' ? { address: detail.address } : {}),
  }
}

function known<T>(value: T | undefined, what: string, id: string): T {
  if (value === undefined) throw new NotFound(what, id, `'curl /${what}s' lists all.`)
  return value
}

/** JSON for people: indented, with a line end. */
export function pretty(reply: FastifyReply, value: unknown): FastifyReply {
  return reply.type('application/json').send(`${JSON.stringify(value, null, 2)}\n`)
}
