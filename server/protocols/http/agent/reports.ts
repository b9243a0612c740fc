// What a machine reports: how far it is, and the log of its console.

import type { FastifyPluginCallback, FastifyReply } from 'fastify'
import { cleanLines } from '#model/clean.ts'
import type { Copies } from '../../../machines/copies.ts'
import { alarmOf, type TokenHolder } from '../../../agent/token-holder.ts'
import type { Installs } from '../../../disks/installs.ts'
import type { Upgrades } from '../../../disks/upgrades.ts'
import { Reports } from '../../../limits/reports.ts'
import type { BootTokens } from '../../../agent/boot-tokens.ts'
import { BadRequest } from '../../../errors.ts'
import { TooManyReports } from '../../../agent/errors.ts'
import type { Clients } from '../../../machines/clients.ts'
import type { Occurrences } from '../../../machines/occurrences.ts'
import type { Journal } from '../../../machines/journal.ts'
import type { ConsoleLogs } from '../../../store/console-logs.ts'
import { diskErrorOf } from '../../../process/write-failure.ts'
import { Buckets } from '../../../limits/bucket.ts'
import type { Refuse } from '../../../limits/refusals.ts'
import { consoleQuery, installReportOf, reportBody, type SentReport } from './bodies.ts'
import { BODY_BYTES, senderOf, taking, type Senders } from './sender.ts'

/** What these routes need of the service. */
export type ReportNeeds = {
  readonly tokens: Pick<BootTokens, 'ready' | 'isOwn' | 'speaks'>
  readonly alarms: Pick<Occurrences, 'raise'>
  readonly installs: Pick<Installs, 'reported' | 'isInstalled'>
  readonly upgrades: Pick<Upgrades, 'ready' | 'began'>
  readonly journal: Pick<Journal, 'currentOf' | 'bootAt'>
  readonly copies: Pick<Copies, 'alive' | 'rebooted'>
  readonly consoles: Pick<ConsoleLogs, 'append'>
  readonly clients: Pick<Clients, 'dhcp'>
  readonly refuse: Refuse
}

/** Which start of a kernel a part of a console log is of, and its place from 1 on. */
type ConsolePart = { boot: string; part: number }
type Report = {
  stage: 'installing' | 'installed' | 'wiped' | 'booted' | 'ready' | 'failed'
  text?: string
  log?: string
  install?: SentReport
}

/** Bytes of console logs that a machine may send: a kernel that starts says 200 KB in a minute, one that runs little. */
const CONSOLE_BYTES = { perSecond: 16 << 10, burst: 4 << 20 } as const

/** Bytes that a part of a console log is charged at least. */
const LEAST_PART = 1024

/** `POST /agent/v1/console` and `/agent/v1/report`, with a token. */
export const reportRoutes: FastifyPluginCallback<ReportNeeds & { readonly senders: Senders }> = (
  app,
  needs,
  done,
) => {
  const { tokens, installs, upgrades, journal, copies, clients, refuse, senders } = needs
  const { holderOf, lateError, record } = senders
  const reports = new Reports()
  const consoleBytes = new Buckets(CONSOLE_BYTES)

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
      const own = consoleBytes.of(await senderOf(tokens, who), now)
      // A part costs files and folders, too, however short it is.
      const charged = Math.max(request.body.length, LEAST_PART)
      if (!own.take(now, charged)) {
        const { boot } = token
        const waitMs = own.waitMs(now, charged)
        throw lateError(reply, waitMs, 'report_size', boot, seconds => new TooManyReports(boot, seconds))
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
    const isReady = stage === 'ready' && (await tokens.ready(token))
    await installs.reported(who, stage, install)
    // One that runs from RAM has no other way to say so, and no order waits for it.
    if (stage === 'ready' && !isReady && installs.isInstalled(machine.name)) {
      needs.alarms.raise(alarmOf(who, 'refused', strangerReady(who)))
      return reply.code(204).send()
    }
    if (isReady) await upgrades.ready(who, install.version)
    else if (stage !== 'ready') await upgrades.began(who)
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
      throw lateError(reply, taken.waitMs, 'report_rate', boot, seconds => new TooManyReports(boot, seconds))
    }
    if (taken.fits || tail === undefined) return tail
    refuse('report_size', boot)
    return 'left out: the logs of this boot have too many bytes'
  }
}

function strangerReady({ machine: { name }, token: { boot }, address }: TokenHolder): string {
  return (
    `${address} reported ${name} ready with a token of boot ${boot}, which no bundle was given for, and did not show the key of its disk: ` +
    `${name} does not count as ready by it`
  )
}
