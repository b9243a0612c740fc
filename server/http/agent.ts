// What the agent on a machine asks over HTTPS: its bundle, once, and a place for its reports.

import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import type { Copies } from '../agent/copies.ts'
import type { Asked, Enrolling, Enrolment, Shown } from '../agent/enrolment.ts'
import type { Renewal } from '../agent/renewal.ts'
import { Reports } from '../agent/reports.ts'
import type { Tokens } from '../agent/tokens.ts'
import { TokenElsewhere, TooManyReports, UnknownToken } from '../errors.ts'
import type { Alarms } from '../inventory/alarms.ts'
import type { Catalog } from '../inventory/catalog.ts'
import type { Clients } from '../inventory/clients.ts'
import type { Journal } from '../inventory/journal.ts'
import type { TokenRecord } from '../inventory/store.ts'
import type { Log } from '../log.ts'
import { problemAnswer } from './problems.ts'
import type { Refuse } from '../limits/refusals.ts'
import { askedBody, enrollBody, renewBody, reportBody } from './schemas.ts'

/** What these routes need of the service. */
export type AgentNeeds = {
  readonly catalog: () => Catalog
  readonly tokens: Pick<Tokens, 'use' | 'ready'>
  readonly enrolment: Pick<Enrolment, 'enroll' | 'bundle'>
  readonly renewal: Pick<Renewal, 'offer' | 'renew'>
  readonly journal: Pick<Journal, 'record' | 'currentOf'>
  readonly alarms: Pick<Alarms, 'raise'>
  readonly copies: Pick<Copies, 'alive'>
  readonly clients: Pick<Clients, 'dhcp'>
  readonly refuse: Refuse
  readonly log: Log
}

/** Nothing, for a challenge; or its answer with the requests to sign. */
type Renewing = { answer?: string; csrs?: Record<string, string> }
type Report = { stage: 'booted' | 'ready' | 'failed'; text?: string; log?: string }

/** `POST /agent/v1/enroll`, `/agent/v1/bundle`, `/agent/v1/renew` and `/agent/v1/report`, with `Authorization: Bearer TOKEN`. */
export const agentRoutes: FastifyPluginCallback<AgentNeeds> = (app, needs, done) => {
  const { catalog, tokens, enrolment, renewal, journal, alarms, copies, clients, refuse, log } = needs
  const reports = new Reports()
  app.setErrorHandler(problemAnswer(log))

  app.post<{ Body: Shown }>('/agent/v1/enroll', { schema: { body: enrollBody } }, async (request, reply) => {
    const answer = await enrolment.enroll(holderOf(request), request.body)
    return reply
      .code(answer.status === 'waiting' ? 202 : 200)
      .header('cache-control', 'no-store')
      .send(answer)
  })

  app.post<{ Body: Asked }>('/agent/v1/bundle', { schema: { body: askedBody } }, async (request, reply) => {
    const who = holderOf(request)
    const { sealed, files, measured } = await enrolment.bundle(who, request.body)
    const firmware = measured === undefined ? {} : { firmware: measured }
    const detail = { files, bytes: sealed.length, ...firmware }
    const vouched = measured === undefined ? '' : `; firmware by its TPM ${measured}`
    tell(who.token, who.mac, 'http', 'bundle', `fetched ${files} files, sealed to its key${vouched}`, detail)
    return reply.type('application/octet-stream').header('cache-control', 'no-store').send(sealed)
  })

  app.post<{ Body: Renewing }>('/agent/v1/renew', { schema: { body: renewBody } }, async (request, reply) => {
    const who = holderOf(request)
    const { answer, csrs = {} } = request.body
    void reply.header('cache-control', 'no-store')
    if (answer === undefined) return reply.send(await renewal.offer(who))
    const { sealed, files } = await renewal.renew(who, { answer, csrs })
    tell(who.token, who.mac, 'http', 'renewed', `fetched ${files} files anew, certificates among them`, {
      files,
    })
    return reply.type('application/octet-stream').send(sealed)
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

  /**
   * Who holds the token of a request. A token comes with the config, over plain HTTP: who reads the wire has it, too. So it
   * is good from the machine's own address only, where DHCP shows whose that is.
   */
  function holderOf(request: FastifyRequest): Enrolling {
    const [, secret] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? []
    if (secret === undefined) throw new UnknownToken()
    const token = tokens.use(secret)
    const machine = catalog().machine({ name: token.machine })
    if (machine === undefined) throw new UnknownToken() // it was taken out of its site
    const mac = journal.currentOf({ machine })?.mac ?? machine.macs[0] ?? ''
    const address = request.ip
    if (clients.dhcp !== 'off' && address !== machine.address) {
      const error = new TokenElsewhere(machine, address)
      const { name } = machine
      const { message: text } = error
      alarms.raise({
        kind: 'refused',
        mac,
        machine: name,
        layer: 'http',
        text,
        detail: { from: address },
        boot: token.boot,
      })
      throw error
    }
    copies.alive(machine, { boot: token.boot, address })
    return { token, machine, mac, address }
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
