// Who asks on the agents' routes, and how much: its token, and the limits of its address.

import type { FastifyBodyParser, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Copies } from '../../../machines/copies.ts'
import { alarmOf, type TokenHolder } from '../../../agent/token-holder.ts'
import type { BootTokens } from '../../../agent/boot-tokens.ts'
import { BadRequest, type ServerError } from '../../../errors.ts'
import { TokenElsewhere, TooManyTokens, UnknownToken } from '../../../agent/errors.ts'
import type { Occurrences } from '../../../machines/occurrences.ts'
import type { Catalog } from '../../../inventory/catalog.ts'
import type { Clients } from '../../../machines/clients.ts'
import type { Journal } from '../../../machines/journal.ts'
import type { TokenRecord } from '../../../store/machine-records.ts'
import { Buckets } from '../../../limits/bucket.ts'
import type { AgentLimits } from '../../../limits/http.ts'
import { isWithin } from '../../../limits/json-shape.ts'
import type { Refuse } from '../../../limits/refusals.ts'

/** What it takes to know a sender. */
export type SenderNeeds = {
  readonly catalog: () => Catalog
  readonly tokens: Pick<BootTokens, 'use'>
  readonly journal: Pick<Journal, 'record' | 'macOf'>
  readonly alarms: Pick<Occurrences, 'raise'>
  readonly copies: Pick<Copies, 'alive'>
  readonly clients: Pick<Clients, 'dhcp'>
  readonly refuse: Refuse
  readonly strangers: { readonly agents: AgentLimits }
  /** Says whether an address is that of a declared machine. */
  readonly isDeclared: (address: string) => boolean
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A route that takes no token: each request counts as one that is not good. */
    isWithoutToken?: boolean
  }
}

/**
 * Bytes that a body may have. A key with its TPM's; 32 certificate requests of 8 KB with a quote; a text and a log of 64 KB,
 * whose characters may be escaped; 64 disks of 2 KB.
 */
export const BODY_BYTES = {
  enroll: 12 << 10,
  bundle: 320 << 10,
  renew: 320 << 10,
  report: 160 << 10,
  install: 160 << 10,
  order: 4 << 10,
  token: 1 << 10,
  'disk-key': 1 << 10,
  unlock: 1 << 10,
  console: 128 << 10,
} as const

/** Every body is an object with at most one more in it, and far fewer values; but for the 64 disks of a machine. */
const BODY_SHAPE = { depth: 4, values: 200 } as const
const DISKS_SHAPE = { depth: 6, values: 8000 } as const

/** How often an address may ask for another token by its key, whatever machine it names: each costs a seal here, and a machine needs two. */
const CHALLENGES = { perSecond: 1, burst: 20 } as const

/** Bytes of a body that are charged as much as a token that is not good. */
const BYTES_OF_A_TOKEN = 64 << 10

/** What the routes ask of it. */
export type Senders = ReturnType<typeof admitSenders>

/**
 * Has `app` take requests of senders with a valid token only, and of those few whose route takes none, before anything of a body is
 * read: without a good one the answer is sent at once, and the connection closed.
 */
export function admitSenders(app: FastifyInstance, needs: SenderNeeds) {
  const { catalog, tokens, journal, alarms, copies, clients, refuse } = needs
  const buckets = new Buckets(needs.strangers.agents.perAddress)
  const challenges = new Buckets(CHALLENGES)
  app.addHook('onRequest', async (request, reply) => {
    try {
      await admitSender(request, reply)
    } catch (error) {
      void reply.header('connection', 'close') // what is left of its body is not read
      throw error
    }
  })
  parseShallow(app, ({ ip }, body) => charge(ip, body.length / BYTES_OF_A_TOKEN))
  return { holderOf, takeChallenge, lateError, record }

  /** Accepts a request whose token is valid; throws for any other. */
  async function admitSender(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { ip } = request
    const now = performance.now()
    const own = buckets.of(ip, now)
    if (own.left(now) < 1 && !needs.isDeclared(ip)) {
      throw lateError(reply, own.waitMs(now), 'agent_tokens', ip, seconds => new TooManyTokens(ip, seconds))
    }
    charge(ip, 1) // before anything is awaited: those that it sends meanwhile find less
    if (request.routeOptions.config.isWithoutToken === true) return // what it answers with is worth nothing without the key
    await holderOf(request, { isSign: false })
    charge(ip, -1) // only a token that is not good costs something
  }

  /** Refuses an address that asks too often for what is sealed to a machine's key. */
  function takeChallenge(ip: string, reply: FastifyReply): void {
    const now = performance.now()
    const own = challenges.of(ip, now)
    if (own.take(now)) return
    throw lateError(reply, own.waitMs(now), 'agent_tokens', ip, seconds => new TooManyTokens(ip, seconds))
  }

  /** The error of a request that is refused with 429, with the whole seconds after which it may come again. */
  function lateError(
    reply: FastifyReply,
    waitMs: number,
    reason: 'agent_tokens' | 'report_rate' | 'report_size',
    who: string,
    toError: (seconds: number) => ServerError,
  ): ServerError {
    const seconds = Math.ceil(waitMs / 1000)
    refuse(reason, who)
    void reply.header('retry-after', seconds)
    return toError(seconds)
  }

  function charge(address: string, cost: number): void {
    const now = performance.now()
    buckets.of(address, now).charge(now, cost)
  }

  /**
   * Who holds the token of a request. A token comes with the config, over plain HTTP: who reads the wire has it, too. So it
   * is valid from the machine's own address only, where DHCP shows whose that is. `isSign`: it is a sign of life of the machine.
   */
  async function holderOf(request: FastifyRequest, { isSign = true } = {}): Promise<TokenHolder> {
    const [, secret] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? []
    if (secret === undefined) throw new UnknownToken()
    const token = await tokens.use(secret)
    const machine = catalog().machine({ name: token.machine })
    if (machine === undefined) throw new UnknownToken() // it was taken out of its site
    const mac = journal.macOf(machine)
    const address = request.ip
    const who = { token, machine, mac, address }
    if (clients.dhcp !== 'off' && address !== machine.address) {
      const error = new TokenElsewhere(machine, address)
      alarms.raise(alarmOf(who, 'refused', error.message))
      throw error
    }
    if (isSign) copies.alive(machine, { boot: token.boot, address })
    return who
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

/** Whose limit a request counts against: its machine's where the token speaks for it. By any other token anyone may ask, and has one of its own. */
export async function senderOf(
  tokens: Pick<BootTokens, 'speaks'>,
  { token, machine, address }: TokenHolder,
): Promise<string> {
  return (await tokens.speaks(token)) ? machine.name : `${machine.name} ${address}`
}

/** What a route takes as its body. */
export function taking(route: keyof typeof BODY_BYTES, body: object) {
  return { schema: { body }, bodyLimit: BODY_BYTES[route] }
}

/** Has `app` parse JSON, and only if its shape is small; and plain text, which stays as it is. `onBody` gets each body before that. */
function parseShallow(app: FastifyInstance, onBody: (request: FastifyRequest, body: string) => void): void {
  const parse = app.getDefaultJsonParser('error', 'error') as FastifyBodyParser<string>
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<string>('text/plain', { parseAs: 'string' }, (request, body, parsed) => {
    onBody(request, body)
    parsed(null, body)
  })
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, parsed) => {
    onBody(request, body)
    const isOfDisks = request.routeOptions.url === '/agent/v1/install'
    if (isWithin(body, isOfDisks ? DISKS_SHAPE : BODY_SHAPE)) void parse(request, body, parsed)
    else
      parsed(
        new BadRequest(
          'The body has more values, or deeper ones, than this takes. docs/api.md says what it takes.',
        ),
      )
  })
}
