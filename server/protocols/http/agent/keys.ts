// A machine's key: its bundle, once, what it renews, and another token for it.

import type { FastifyPluginCallback } from 'fastify'
import type { Asked, Enrolment, Shown } from '../../../agent/enrolment.ts'
import type { Renewal } from '../../../agent/renewal.ts'
import type { TokenRecovery } from '../../../agent/token-recovery.ts'
import { askedBody, enrollBody, renewBody, tokenBody } from './bodies.ts'
import { taking, type Senders } from './sender.ts'

/** What these routes need of the service. */
export type KeyNeeds = {
  readonly enrolment: Pick<Enrolment, 'enroll' | 'bundle'>
  readonly renewal: Pick<Renewal, 'offer' | 'renew'>
  readonly recovery: Pick<TokenRecovery, 'offer' | 'redeem'>
}

/** The name of a machine, for a challenge; or that with its answer. */
type Recovering = { machine: string; answer?: string }
/** Nothing, for a challenge; or its answer with the requests to sign. */
type Renewing = { answer?: string; csrs?: Record<string, string> }

/** `POST /agent/v1/enroll`, `/agent/v1/bundle` and `/agent/v1/renew` with a token, `/agent/v1/token` without. */
export const keyRoutes: FastifyPluginCallback<KeyNeeds & { readonly senders: Senders }> = (
  app,
  needs,
  done,
) => {
  const { enrolment, renewal, senders } = needs
  const { holderOf, takeChallenge, record } = senders

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
  done()
}
