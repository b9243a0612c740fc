// What the agent on a machine asks over HTTPS: its bundle, once, and a place for its reports.

import type {
  FastifyBodyParser,
  FastifyInstance,
  FastifyPluginCallback,
  FastifyReply,
  FastifyRequest,
} from 'fastify'
import { cleanLines } from '#model/clean.ts'
import type { Machine } from '#model/machine.ts'
import type { Copies } from '../../../machines/copies.ts'
import type { DiskKeys, SentDiskKey } from '../../../disks/disk-keys.ts'
import type { Asked, Enrolment, Shown } from '../../../agent/enrolment.ts'
import { alarmOf, type TokenHolder } from '../../../agent/token-holder.ts'
import type { Installs } from '../../../disks/installs.ts'
import type { ImageOf, Upgrades } from '../../../disks/upgrades.ts'
import type { Renewal } from '../../../agent/renewal.ts'
import type { TokenRecovery } from '../../../agent/token-recovery.ts'
import { Reports } from '../../../limits/reports.ts'
import type { BootTokens } from '../../../agent/boot-tokens.ts'
import { BadRequest, type ServerError } from '../../../errors.ts'
import { TokenElsewhere, TooManyReports, TooManyTokens, UnknownToken } from '../../../agent/errors.ts'
import type { Occurrences } from '../../../machines/occurrences.ts'
import type { Catalog } from '../../../inventory/catalog.ts'
import type { Clients } from '../../../machines/clients.ts'
import type { ReadSlot } from '../../../assets/slots.ts'
import type { Journal } from '../../../machines/journal.ts'
import type { TokenRecord } from '../../../store/machine-records.ts'
import type { ConsoleLogs } from '../../../store/console-logs.ts'
import { diskErrorOf } from '../../../process/write-failure.ts'
import { Buckets } from '../../../limits/bucket.ts'
import type { AgentLimits } from '../../../limits/http.ts'
import { isWithin } from '../../../limits/json-shape.ts'
import type { Log } from '../../../log.ts'
import { problemAnswer } from '../wire/problems.ts'
import type { Refuse } from '../../../limits/refusals.ts'
import {
  askedBody,
  consoleQuery,
  diskKeyBody,
  enrollBody,
  installAskOf,
  installReportOf,
  installBody,
  orderAskOf,
  orderBody,
  renewBody,
  reportBody,
  tokenBody,
  unlockBody,
  type SentAsk,
  type SentOrderAsk,
  type SentReport,
} from './bodies.ts'

/** What these routes need of the service. */
export type AgentNeeds = {
  readonly catalog: () => Catalog
  readonly tokens: Pick<BootTokens, 'use' | 'ready' | 'isOwn'>
  readonly enrolment: Pick<Enrolment, 'enroll' | 'bundle'>
  readonly renewal: Pick<Renewal, 'offer' | 'renew'>
  readonly recovery: Pick<TokenRecovery, 'offer' | 'redeem'>
  readonly diskKeys: Pick<DiskKeys, 'keep' | 'offer' | 'redeem'>
  readonly installs: Pick<Installs, 'ask' | 'reported' | 'isInstalled'>
  /** The slot of the image that a machine's profile boots; undefined where that has none. */
  readonly slotOf: (machine: Machine) => Promise<ReadSlot | undefined>
  readonly upgrades: Pick<Upgrades, 'ask' | 'ready'>
  /** The same slot, and where it is fetched by who came to the address `at`. */
  readonly imageOf: (machine: Machine, at?: string) => ReturnType<ImageOf>
  readonly journal: Pick<Journal, 'record' | 'currentOf' | 'macOf' | 'bootAt'>
  readonly alarms: Pick<Occurrences, 'raise'>
  readonly copies: Pick<Copies, 'alive' | 'rebooted'>
  readonly consoles: Pick<ConsoleLogs, 'append'>
  readonly clients: Pick<Clients, 'dhcp'>
  readonly refuse: Refuse
  readonly strangers: { readonly agents: AgentLimits }
  /** Says whether an address is that of a declared machine. */
  readonly isDeclared: (address: string) => boolean
  readonly log: Log
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A route that takes no token: each request counts as one that is not good. */
    isWithoutToken?: boolean
  }
}

/** The name of a machine, for a challenge; or that with its answer. */
type Recovering = { machine: string; answer?: string }
/** The same of one encrypted disk. */
type Unlocking = Recovering & { uuid: string }
/** Which start of a kernel a part of a console log is of, and its place from 1 on. */
type ConsolePart = { boot: string; part: number }
/** Nothing, for a challenge; or its answer with the requests to sign. */
type Renewing = { answer?: string; csrs?: Record<string, string> }
type Report = {
  stage: 'installing' | 'installed' | 'wiped' | 'booted' | 'ready' | 'failed'
  text?: string
  log?: string
  install?: SentReport
}

/**
 * Bytes that a body may have. A key with its TPM's; 32 certificate requests of 8 KB with a quote; a text and a log of 64 KB,
 * whose characters may be escaped; 64 disks of 2 KB.
 */
const BODY_BYTES = {
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

/** How often a machine may ask what is ordered: it does so six times a minute at most. */
const ORDERS = { perSecond: 0.5, burst: 10 } as const

/** Bytes of console logs that a machine may send: a kernel that starts says 200 KB in a minute, one that runs little. */
const CONSOLE_BYTES = { perSecond: 16 << 10, burst: 4 << 20 } as const

/** How often an address may ask for another token by its key, whatever machine it names: each costs a seal here, and a machine needs two. */
const CHALLENGES = { perSecond: 1, burst: 20 } as const

/** Bytes that a part of a console log is charged at least. */
const LEAST_PART = 1024

/** Bytes of a body that are charged as much as a token that is not good. */
const BYTES_OF_A_TOKEN = 64 << 10

/**
 * The agents' routes. A token is asked for before anything of a body is read: without a good one the answer is sent at once,
 * and the connection closed.
 *
 * `POST /agent/v1/install`, `/agent/v1/disk-key`, `/agent/v1/order`, `/agent/v1/console`, `/agent/v1/enroll`, `/agent/v1/bundle`, `/agent/v1/renew` and `/agent/v1/report`, with `Authorization: Bearer TOKEN`;
 * `POST /agent/v1/token` and `/agent/v1/unlock` without. */
export const agentRoutes: FastifyPluginCallback<AgentNeeds> = (app, needs, done) => {
  const {
    catalog,
    tokens,
    enrolment,
    renewal,
    installs,
    upgrades,
    journal,
    alarms,
    copies,
    clients,
    refuse,
    log,
  } = needs
  const reports = new Reports()
  const buckets = new Buckets(needs.strangers.agents.perAddress)
  const challenges = new Buckets(CHALLENGES)
  const consoleBytes = new Buckets(CONSOLE_BYTES)
  const orders = new Buckets(ORDERS)
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

  app.post<{ Body: Recovering }>(
    '/agent/v1/token',
    { ...taking('token', tokenBody), config: { isWithoutToken: true } },
    async ({ ip, body: { machine, answer } }, reply) => {
      void reply.header('cache-control', 'no-store')
      takeChallenge(ip, reply)
      const { recovery } = needs
      return reply.send(
        await (answer === undefined ? recovery.offer(machine, ip) : recovery.redeem(machine, ip, answer)),
      )
    },
  )

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
    const own = orders.of(who.machine.name, now)
    if (!own.take(now)) {
      const { boot } = who.token
      refuseLate(reply, own.waitMs(now), 'report_rate', boot, seconds => new TooManyReports(boot, seconds))
    }
    void reply.header('cache-control', 'no-store')
    const { localAddress } = request.socket
    const answer = await upgrades.ask(who, orderAskOf(request.body), machine =>
      needs.imageOf(machine, localAddress),
    )
    return reply.send(answer)
  })

  app.post<{ Body: string; Querystring: ConsolePart }>(
    '/agent/v1/console',
    { schema: { querystring: consoleQuery }, bodyLimit: BODY_BYTES.console },
    async (request, reply) => {
      const { boot: kernel, part } = request.query
      const who = await holderOf(request, { isSign: false })
      const { machine, token, address } = who
      if (typeof request.body !== 'string')
        throw new BadRequest('A part of a console log is text. Send it as text/plain.')
      const now = performance.now()
      const own = consoleBytes.of(machine.name, now)
      // A part costs files and folders, too, however short it is.
      const charged = Math.max(request.body.length, LEAST_PART)
      if (!own.take(now, charged)) {
        const { boot } = token
        const waitMs = own.waitMs(now, charged)
        refuseLate(reply, waitMs, 'report_size', boot, seconds => new TooManyReports(boot, seconds))
      }
      const text = cleanLines(request.body, Infinity)
      const isOwn = await tokens.isOwn(token)
      const start = { kernel, part, boot: await bootOfReport(who), isOwn }
      const added = needs.consoles.append(machine.name, start, text)
      const { isNew } = await added.catch((error: unknown) => {
        throw diskErrorOf(error, 'the console logs') ?? error
      })
      // Another start of its kernel: what was seen of firmware since was the machine itself.
      if (isNew && isOwn && installs.isInstalled(machine.name)) copies.rebooted(machine)
      copies.alive(machine, { boot: token.boot, address })
      return reply.code(204).send()
    },
  )

  app.post<{ Body: Report }>('/agent/v1/report', taking('report', reportBody), async (request, reply) => {
    const who = await holderOf(request, { isSign: false })
    const { token, mac, machine, address } = who
    const { stage, text } = request.body
    const install = installReportOf(request.body.install ?? {})
    if (stage === 'booted' && installs.isInstalled(machine.name) && (await tokens.isOwn(token)))
      copies.rebooted(machine)
    copies.alive(machine, { boot: token.boot, address })
    const tail = admit(token.boot, request.body, reply)
    if (stage === 'ready') await tokens.ready(token)
    await installs.reported(who, stage, install)
    if (stage === 'ready') await upgrades.ready(who, install.version)
    const { disk, seconds: { write, enter } = {} } = install
    record({ ...token, boot: await bootOfReport(who) }, mac, 'os', stage, text ?? `reports ${stage}`, {
      ...(tail !== undefined && { log: tail }),
      ...(disk !== undefined && { disk }),
      ...(write !== undefined && { writeSeconds: write }),
      ...(enter !== undefined && { enterSeconds: enter }),
    })
    return reply.code(204).send()
  })
  done()

  /** Accepts a request whose token is valid; throws for any other. */
  async function admitSender(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { ip } = request
    const now = performance.now()
    const own = buckets.of(ip, now)
    if (own.left(now) < 1 && !needs.isDeclared(ip)) {
      refuseLate(reply, own.waitMs(now), 'agent_tokens', ip, seconds => new TooManyTokens(ip, seconds))
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
    refuseLate(reply, own.waitMs(now), 'agent_tokens', ip, seconds => new TooManyTokens(ip, seconds))
  }

  /** Refuses a request with 429 and the whole seconds after which it may come again. */
  function refuseLate(
    reply: FastifyReply,
    waitMs: number,
    reason: 'agent_tokens' | 'report_rate' | 'report_size',
    who: string,
    toError: (seconds: number) => ServerError,
  ): never {
    const seconds = Math.ceil(waitMs / 1000)
    refuse(reason, who)
    void reply.header('retry-after', seconds)
    throw toError(seconds)
  }

  function charge(address: string, cost: number): void {
    const now = performance.now()
    buckets.of(address, now).charge(now, cost)
  }

  /**
   * The boot that a report is of: that of its token, or, once a script sent the machine to its disk, the present one, since a
   * system that starts from a disk goes on with the token of the boot that installed it. Where no DHCP shows whose a boot is: the one
   * whose script was fetched from its address.
   */
  async function bootOfReport({ token, machine, address }: TokenHolder): Promise<string> {
    const isOff = clients.dhcp === 'off'
    const current = isOff ? await journal.bootAt(machine, address) : journal.currentOf({ machine })
    if (isOff && current?.scriptFrom !== address) return token.boot
    return current?.isFromDisk === true && installs.isInstalled(machine.name) ? current.id : token.boot
  }

  /** Gives the log of a report as far as its boot may send one; throws when it sends too many. */
  function admit(boot: string, { text = '', log: tail }: Report, reply: FastifyReply): string | undefined {
    const taken = reports.take(boot, text.length + (tail?.length ?? 0))
    if ('waitMs' in taken) {
      refuseLate(reply, taken.waitMs, 'report_rate', boot, seconds => new TooManyReports(boot, seconds))
    }
    if (taken.fits || tail === undefined) return tail
    refuse('report_size', boot)
    return 'left out: the logs of this boot have too many bytes'
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

/** What a route takes as its body. */
function taking(route: keyof typeof BODY_BYTES, body: object) {
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
