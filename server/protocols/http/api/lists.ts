// What an operator reads with curl: JSON set out for people, no tokens, no bundles.

import type { FastifyPluginCallback } from 'fastify'
import type { BootEvent } from '#model/boot.ts'
import type { LintFinding } from '#model/finding.ts'
import { normaliseMac } from '#model/mac.ts'
import type { Machine } from '#model/machine.ts'
import { PHASES, phaseSchema, type Phase } from '#model/phase.ts'
import { messageOf } from '#progress/wait.ts'
import type { LintBeside } from '../../../boot/lint/beside.ts'
import type { Problem } from '../../../inventory/data-directory.ts'
import { NotFound } from '../../../errors.ts'
import type { Catalog } from '../../../inventory/catalog.ts'
import { identifiersIn } from '../../../machines/identity.ts'
import type { CurrentBoot, Journal } from '../../../machines/journal.ts'
import type { Reopening } from '../../../store/machine-records.ts'
import type { Installs } from '../../../disks/installs.ts'
import type { KeptOrders } from '../../../disks/kept-orders.ts'
import type { Reopenings } from '../../../agent/reopenings.ts'
import type { Log } from '../../../log.ts'
import { diskViewOf } from './orders.ts'
import { limitOf, linkNext, nothingAfter, pageOf, type PageQuery } from './paging.ts'
import { problemAnswer } from '../wire/problems.ts'
import { pretty } from '../wire/replies.ts'

/** What these routes need of the service. */
export type ListNeeds = {
  readonly catalog: () => Catalog
  readonly journal: Pick<Journal, 'all' | 'currentOf' | 'reading' | 'last'>
  readonly reopenings: Pick<Reopenings, 'of' | 'all'>
  readonly installs: Pick<Installs, 'installed'>
  readonly keptOrders: Pick<KeptOrders, 'order'>
  /** What `pilotlight lint` finds in the data directory. */
  readonly linter: Pick<LintBeside, 'found'>
  readonly log: Log
}

/** A machine as `GET /machines` shows it: what was declared, and what was seen. */
type MachineView = {
  /** The name, or the MAC of undeclared hardware. */
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
  /** An operator opened its next boot, until then (ISO 8601). */
  readonly reopened?: { readonly who: string; readonly until: string }
  readonly lastEvent?: Pick<BootEvent, 'layer' | 'kind' | 'text'>
  /** The system on its disk, and what its next network boot does with that; times in ISO 8601. */
  readonly installed?: object
  readonly order?: object
}

/** `GET /profiles`, `/groups`, `/machines`, each with `/{id}`; `GET /v1/problems` and `/v1/phases`. */
export const listRoutes: FastifyPluginCallback<ListNeeds> = (app, needs, done) => {
  const { catalog, journal, reopenings, log } = needs
  app.setErrorHandler(problemAnswer(log))

  app.get<Paged>('/profiles', ({ query }, reply) => {
    const { items, next } = pageOf(catalog().entries('profile'), query)
    linkNext(reply, '/profiles', query, next)
    return pretty(
      reply,
      items.map(({ object }) => object),
    )
  })
  app.get<ById>('/profiles/*', ({ params: { '*': id } }, reply) =>
    pretty(reply, known(catalog().profiles.get(id), 'profile', id)),
  )

  app.get<Paged>('/groups', ({ query }, reply) => {
    const { items, next } = pageOf(catalog().groups.groups, query)
    linkNext(reply, '/groups', query, next)
    return pretty(reply, items)
  })
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

  app.get<Paged>('/machines', ({ query }, reply) => {
    // A reader who follows the events from here on misses none.
    void reply.header('x-last-event', journal.last)
    const { items, next } = machinePage(needs, query)
    linkNext(reply, '/machines', query, next)
    return pretty(reply, items)
  })
  app.get<ById>('/machines/*', async ({ params: { '*': id } }, reply) => {
    const mac = normaliseMac(id)
    const machine = catalog().machine(identifiersIn(id))
    if (machine !== undefined)
      return pretty(
        reply,
        withDisk(viewOf(machine, journal.currentOf({ machine }), reopenings.of(machine.name)), needs),
      )
    if (mac !== undefined) await journal.reading({ mac })
    const boot = mac === undefined ? undefined : journal.currentOf({ mac })
    return pretty(reply, known(boot && strangerView(boot), 'machine', id))
  })

  app.get(
    '/v1/problems',
    {
      schema: {
        tags: ['events'],
        summary: 'Files of the data directory that cannot be used, and what lint finds there, with places',
      },
    },
    async (_, reply) => pretty(reply, await problemsOf(catalog().problems, needs)),
  )

  const phases = { 200: { type: 'array', items: phaseSchema } }
  app.get(
    '/v1/phases',
    { schema: { tags: ['machines'], summary: 'The phases of a boot, in their order', response: phases } },
    (_, reply) => pretty(reply, PHASES),
  )
  done()
}

/** What `GET /v1/problems` lists: what cannot be used has no code, what lint finds has one, and how to fix it. */
type ProblemView = Problem & Partial<Pick<LintFinding, 'code' | 'severity' | 'remedy'>>

/** First the files that cannot be used; of lint's findings those in other files, and warnings, in lint's order. */
async function problemsOf(
  problems: readonly Problem[],
  { linter, log }: Pick<ListNeeds, 'linter' | 'log'>,
): Promise<readonly ProblemView[]> {
  const known = new Set(problems.map(({ file }) => file))
  try {
    const { findings, more } = await linter.found()
    const views = findings
      .filter(({ file, severity }) => severity === 'warning' || !known.has(file))
      .map(({ what, ...finding }): ProblemView => ({ reason: what, ...finding }))
    const rest = `lint has ${more} more findings: pilotlight lint DIR lists them all`
    return [...problems, ...views, ...(more === 0 ? [] : [{ file: '', reason: rest }])]
  } catch (error) {
    const reason = messageOf(error)
    log('warn', reason)
    return [...problems, { file: '', reason }]
  }
}

type ById = { Params: { '*': string } }

type Paged = { Querystring: PageQuery }

/** Declared machines in the order of their sites, then others in the byte order of their MACs. */
function machinePage(
  { catalog: inventory, journal, reopenings, installs, keptOrders }: Omit<ListNeeds, 'log'>,
  query: PageQuery,
): { readonly items: readonly MachineView[]; readonly next?: string } {
  const limit = limitOf(query)
  const { after } = query
  const catalog = inventory()
  const { machines } = catalog
  const found = after === undefined ? 0 : machines.findIndex(({ name }) => name === after) + 1
  // Strangers come and go: the list goes on behind a MAC that is no longer there.
  const isAmongOthers = after !== undefined && found === 0 && normaliseMac(after) === after
  if (after !== undefined && found === 0 && !isAmongOthers) throw nothingAfter(after)
  const start = isAmongOthers ? machines.length : found
  const declared = machines.slice(start, start + limit)
  const opened = new Map(reopenings.all().map(it => [it.machine, it]))
  const items: MachineView[] = declared.map(machine =>
    withDisk(viewOf(machine, journal.currentOf({ machine }), opened.get(machine.name)), {
      installs,
      keptOrders,
    }),
  )
  if (start + limit < machines.length) return { items, next: declared.at(-1)?.name ?? '' }
  const others = strangersAfter(catalog, journal.all(), isAmongOthers ? after : '')
  const shown = others.slice(0, limit - declared.length)
  items.push(...shown.map(strangerView))
  return shown.length < others.length ? { items, next: items.at(-1)?.id ?? '' } : { items }
}

/** The latest boot of each MAC behind `after` that belongs to no declared machine, by MAC. */
function strangersAfter(catalog: Catalog, boots: readonly CurrentBoot[], after: string): CurrentBoot[] {
  const latest = new Map<string, CurrentBoot>()
  for (const boot of boots) {
    const { mac, machine } = boot
    if (mac <= after || catalog.machine({ mac, name: machine })) continue
    const before = latest.get(mac)
    if (before === undefined || before.order < boot.order) latest.set(mac, boot)
  }
  return [...latest.values()].toSorted((a, b) => (a.mac < b.mac ? -1 : 1))
}

function strangerView(boot: CurrentBoot): MachineView {
  return { id: boot.mac, declared: false, macs: [boot.mac], ...seen(boot) }
}

function viewOf(machine: Machine, boot: CurrentBoot | undefined, opened: Reopening | undefined): MachineView {
  const reopened = opened && { who: opened.who, until: new Date(opened.until).toISOString() }
  return { id: machine.name, declared: true, ...machine, ...seen(boot), ...(reopened && { reopened }) }
}

/** With what is installed on its disk, and what is ordered for that. */
function withDisk(view: MachineView, known: Pick<ListNeeds, 'installs' | 'keptOrders'>): MachineView {
  return { ...view, ...diskViewOf(known, view.id) }
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
  if (value === undefined) throw new NotFound(what, id, `'pilotlight get ${what}s' lists all.`)
  return value
}
