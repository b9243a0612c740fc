// What the agent on a machine asks over HTTPS: its bundle, once, and a place for its reports.

import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { assembleBundle } from '../agent/assemble.ts'
import { bundleArchive } from '../agent/bundle.ts'
import { Reports } from '../agent/reports.ts'
import type { Tokens } from '../agent/tokens.ts'
import { NoBundle, TooManyReports, TokenReplayed, UnknownToken } from '../errors.ts'
import type { Alarms } from '../inventory/alarms.ts'
import type { Catalog } from '../inventory/catalog.ts'
import type { Journal } from '../inventory/journal.ts'
import type { Machine } from '../inventory/objects.ts'
import type { Store, TokenRecord } from '../inventory/store.ts'
import type { Log } from '../log.ts'
import { problemAnswer } from './problems.ts'
import type { Refuse } from '../refusals.ts'
import { reportBody } from './schemas.ts'

/** What these routes need of the service. */
export type AgentNeeds = {
  readonly catalog: () => Catalog
  readonly tokens: Pick<Tokens, 'use' | 'spend' | 'ready'>
  readonly store: Pick<Store, 'bundle' | 'authority'>
  readonly journal: Pick<Journal, 'record' | 'currentOf'>
  readonly alarms: Pick<Alarms, 'raise'>
  readonly refuse: Refuse
  readonly log: Log
}

type Report = { stage: 'booted' | 'ready' | 'failed'; text?: string; log?: string }

/** `POST /agent/v1/bundle` and `POST /agent/v1/report`, with `Authorization: Bearer TOKEN`. */
export const agentRoutes: FastifyPluginCallback<AgentNeeds> = (app, needs, done) => {
  const { catalog, tokens, store, journal, alarms, refuse, log } = needs
  const reports = new Reports()
  app.setErrorHandler(problemAnswer(log))

  app.post('/agent/v1/bundle', async (request, reply) => {
    const { token, machine, mac } = holderOf(request)
    try {
      const bundle = store.bundle(machine.name)
      if (bundle === undefined) throw new NoBundle(machine.name) // before the boot is spent: it may ask again
      const authority = bundle.site === undefined ? undefined : store.authority(bundle.site)
      const files = await assembleBundle(bundle, authority, undefined, Date.now())
      tokens.spend(token)
      const archive = bundleArchive(files, Math.floor(Date.now() / 1000))
      const detail = { files: files.length, bytes: archive.length }
      tell(token, mac, 'http', 'bundle', `fetched ${files.length} files`, detail)
      return reply.type('application/x-tar').send(archive)
    } catch (error) {
      if (error instanceof TokenReplayed) {
        const { ip: from } = request
        const text = `${from} asked for the bundle of ${machine.name} a second time in boot ${token.boot}`
        const where = { mac, machine: machine.name, layer: 'http', boot: token.boot } as const
        alarms.raise({ kind: 'replayed', ...where, text, detail: { from } })
      }
      throw error
    }
  })

  app.post<{ Body: Report }>('/agent/v1/report', { schema: { body: reportBody } }, (request, reply) => {
    const { token, mac } = holderOf(request)
    const { stage, text } = request.body
    const tail = admit(token.boot, request.body, reply)
    if (stage === 'ready') tokens.ready(token)
    tell(token, mac, 'os', stage, text ?? `reports ${stage}`, tail === undefined ? {} : { log: tail })
    return reply.code(204).send()
  })
  done()

  /** Gives the log of a report as far as its boot may send one; throws when it sends too many. */
  function admit(boot: string, { text = '', log: tail }: Report, reply: FastifyReply): string | undefined {
    const taken = reports.take(boot, text.length + (tail?.length ?? 0))
    if ('waitMs' in taken) {
      const seconds = Math.ceil(taken.waitMs / 1000)
      refuse('report_rate', boot)
      void reply.header('retry-after', seconds)
      throw new TooManyReports(boot, seconds)
    }
    if (taken.fits || tail === undefined) return tail
    refuse('report_size', boot)
    return 'left out: the logs of this boot have too many bytes'
  }

  /** Who holds the token of a request; its first use makes it the token of its boot. */
  function holderOf(request: FastifyRequest): { token: TokenRecord; machine: Machine; mac: string } {
    const [, secret] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? []
    if (secret === undefined) throw new UnknownToken()
    const token = tokens.use(secret)
    const machine = catalog().machine({ name: token.machine })
    if (machine === undefined) throw new UnknownToken() // it was taken out of its site
    return { token, machine, mac: journal.currentOf({ machine })?.mac ?? machine.macs[0] ?? '' }
  }

  function tell(
    { boot }: TokenRecord,
    mac: string,
    layer: 'http' | 'os',
    kind: string,
    text: string,
    detail: Record<string, string | number>,
  ) {
    journal.record({ mac, layer, kind, text, detail, boot })
  }
}
