// What the agent on a machine asks over HTTPS: its bundle, once, and a place for its reports.

import type {
  FastifyBodyParser,
  FastifyInstance,
  FastifyPluginCallback,
  FastifyReply,
  FastifyRequest,
} from 'fastify'
import type { Copies } from '../../../agent/copies.ts'
import type { Asked, Enrolling, Enrolment, Shown } from '../../../agent/enrolment.ts'
import type { Renewal } from '../../../agent/renewal.ts'
import { Reports } from '../../../agent/reports.ts'
import type { BootTokens } from '../../../agent/boot-tokens.ts'
import { BadRequest, TokenElsewhere, TooManyReports, TooManyTokens, UnknownToken } from '../../../errors.ts'
import type { Occurrences } from '../../../machines/occurrences.ts'
import type { Catalog } from '../../../inventory/catalog.ts'
import type { Clients } from '../../../machines/clients.ts'
import type { Journal } from '../../../machines/journal.ts'
import type { TokenRecord } from '../../../store/machine-records.ts'
import { Buckets } from '../../../limits/bucket.ts'
import type { AgentLimits } from '../../../limits/http.ts'
import { isWithin } from '../../../limits/json-shape.ts'
import type { Log } from '../../../log.ts'
import { problemAnswer } from '../wire/problems.ts'
import type { Refuse } from '../../../limits/refusals.ts'
import { askedBody, enrollBody, renewBody, reportBody } from './bodies.ts'

/** What these routes need of the service. */
export type AgentNeeds = {
  readonly catalog: () => Catalog
  readonly tokens: Pick<BootTokens, 'use' | 'ready'>
  readonly enrolment: Pick<Enrolment, 'enroll' | 'bundle'>
  readonly renewal: Pick<Renewal, 'offer' | 'renew'>
  readonly journal: Pick<Journal, 'record' | 'currentOf'>
  readonly alarms: Pick<Occurrences, 'raise'>
  readonly copies: Pick<Copies, 'alive'>
  readonly clients: Pick<Clients, 'dhcp'>
  readonly refuse: Refuse
  readonly strangers: { readonly agents: AgentLimits }
  /** Says whether an address is that of a declared machine. */
  readonly isDeclared: (address: string) => boolean
  readonly log: Log
}

/** Nothing, for a challenge; or its answer with the requests to sign. */
type Renewing = { answer?: string; csrs?: Record<string, string> }
type Report = { stage: 'booted' | 'ready' | 'failed'; text?: string; log?: string }

/**
 * Bytes that a body may have. A key with its TPM's; 32 certificate requests of 8 KB with a quote; a text and a log of 64 KB,
 * whose characters may be escaped.
 */
const BODY_BYTES = { enroll: 12 << 10, bundle: 320 << 10, renew: 320 << 10, report: 160 << 10 } as const

/** Every body is an object with at most one more in it, and far fewer values. */
const BODY_SHAPE = { depth: 4, values: 200 } as const

/** Bytes of a body that are charged as much as a token that is not good. */
const BYTES_OF_A_TOKEN = 64 << 10

/**
 * The agents' routes. A token is asked for before anything of a body is read: without a good one the answer is sent at once,
 * and the connection closed.
 *
 * `POST /agent/v1/enroll`, `/agent/v1/bundle`, `/agent/v1/renew` and `/agent/v1/report`, with `Authorization: Bearer TOKEN`. */
export const agentRoutes: FastifyPluginCallback<AgentNeeds> = (app, needs, done) => {
  const { catalog, tokens, enrolment, renewal, journal, alarms, copies, clients, refuse, log } = needs
  const reports = new Reports()
  const buckets = new Buckets(needs.strangers.agents.perAddress)
  app.addHook('onRequest', async (request, reply) => {
    try {
      await admitSender(request, reply)
    } catch (error) {
      void reply.header('connection', 'close') // what is left of its body is not read
      throw error
    }
  })
  parseShallow(app, ({ ip }, body) => charge(ip, body.length / BYTES_OF_A_TOKEN))
  app.setErrorHandler(problemAnswer(log))

  app.post<{ Body: Shown }>('/agent/v1/enroll', taking('enroll', enrollBody), async (request, reply) => {
    const answer = await enrolment.enroll(await holderOf(request), request.body)
    return reply
      .code(answer.status === 'waiting' ? 202 : 200)
      .header('cache-control', 'no-store')
      .send(answer)
  })

  app.post<{ Body: Asked }>('/agent/v1/bundle', taking('bundle', askedBody), async (request, reply) => {
    const who = await holderOf(request)
    const { sealed, files, measured } = await enrolment.bundle(who, request.body)
    const firmware = measured === undefined ? {} : { firmware: measured }
    const detail = { files, bytes: sealed.length, ...firmware }
    const vouched = measured === undefined ? '' : `; firmware by its TPM ${measured}`
    record(
      who.token,
      who.mac,
      'http',
      'bundle',
      `fetched ${files} files, sealed to its key${vouched}`,
      detail,
    )
    return reply.type('application/octet-stream').header('cache-control', 'no-store').send(sealed)
  })

  app.post<{ Body: Renewing }>('/agent/v1/renew', taking('renew', renewBody), async (request, reply) => {
    const who = await holderOf(request)
    const { answer, csrs = {} } = request.body
    void reply.header('cache-control', 'no-store')
    if (answer === undefined) return reply.send(await renewal.offer(who))
    const { sealed, files } = await renewal.renew(who, { answer, csrs })
    record(who.token, who.mac, 'http', 'renewed', `fetched ${files} files anew, certificates among them`, {
      files,
    })
    return reply.type('application/octet-stream').send(sealed)
  })

  app.post<{ Body: Report }>('/agent/v1/report', taking('report', reportBody), async (request, reply) => {
    const { token, mac } = await holderOf(request)
    const { stage, text } = request.body
    const tail = admit(token.boot, request.body, reply)
    if (stage === 'ready') await tokens.ready(token)
    record(token, mac, 'os', stage, text ?? `reports ${stage}`, tail === undefined ? {} : { log: tail })
    return reply.code(204).send()
  })
  done()

  /** Accepts a request whose token is valid; throws for any other. */
  async function admitSender(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { ip } = request
    const now = performance.now()
    const own = buckets.of(ip, now)
    if (own.left(now) < 1 && !needs.isDeclared(ip)) {
      const seconds = Math.ceil(own.waitMs(now) / 1000)
      refuse('agent_tokens', ip)
      void reply.header('retry-after', seconds)
      throw new TooManyTokens(ip, seconds)
    }
    charge(ip, 1) // before anything is awaited: those that it sends meanwhile find less
    await holderOf(request)
    charge(ip, -1) // only a token that is not good costs something
  }

  function charge(address: string, cost: number): void {
    const now = performance.now()
    buckets.of(address, now).charge(now, cost)
  }

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
   * is valid from the machine's own address only, where DHCP shows whose that is.
   */
  async function holderOf(request: FastifyRequest): Promise<Enrolling> {
    const [, secret] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? []
    if (secret === undefined) throw new UnknownToken()
    const token = await tokens.use(secret)
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

  function record(
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

/** What a route takes as its body. */
function taking(route: keyof typeof BODY_BYTES, body: object) {
  return { schema: { body }, bodyLimit: BODY_BYTES[route] }
}

/** Has `app` parse JSON alone, and only if its shape is small. `onBody` gets each body before that. */
function parseShallow(app: FastifyInstance, onBody: (request: FastifyRequest, body: string) => void): void {
  const parse = app.getDefaultJsonParser('error', 'error') as FastifyBodyParser<string>
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, parsed) => {
    onBody(request, body)
    if (isWithin(body, BODY_SHAPE)) void parse(request, body, parsed)
    else
      parsed(
        new BadRequest(
          'The body has more values, or deeper ones, than this takes. docs/api.md says what it takes.',
        ),
      )
  })
}
