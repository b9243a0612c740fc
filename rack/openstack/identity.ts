// Asking Keystone for a token over plain HTTP: a gate's last question, and cheaper than a client's start.

import { asFailedCall, CloudRefused } from './errors.ts'
import type { Catalog } from './catalog.ts'

/** A token as Keystone gave it. The id is a secret: anyone who has it is the user. */
export type Token = {
  readonly id: string
  /** ISO 8601, UTC. */
  readonly expiresAt: string
  readonly userId: string
  readonly projectId: string
  readonly catalog: Catalog
}

/** Seconds for an answer. */
const answerSeconds = 5

/** Who asks, in the default domain. */
export type Credentials = { readonly user: string; readonly password: string; readonly project: string }

/**
 * Asks for a token that is scoped to a project (Identity API v3, `POST /auth/tokens`). `authUrl` ends with `/v3`.
 *
 * @throws {CloudRefused} when Keystone answers otherwise
 * @throws {NoAnswer} after five seconds
 * @throws the connection's error
 */
export async function askToken(authUrl: string, who: Credentials): Promise<Token> {
  const domain = { id: 'default' }
  const identity = {
    methods: ['password'],
    password: { user: { name: who.user, domain, password: who.password } },
  }
  const body = { auth: { identity, scope: { project: { name: who.project, domain } } } }
  const asked = `POST ${authUrl}/auth/tokens`
  const answer = await fetch(`${authUrl}/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(answerSeconds * 1000),
  }).catch(asFailedCall(asked, answerSeconds))
  const text = await answer.text()
  const id = answer.headers.get('x-subject-token')
  if (answer.status !== 201 || id === null) throw new CloudRefused('identity', asked, answer.status, text)
  const { token } = JSON.parse(text) as TokenAnswer // a 201 of the Identity API
  return {
    id,
    expiresAt: token.expires_at,
    userId: token.user.id,
    projectId: token.project.id,
    catalog: token.catalog ?? [],
  }
}

type TokenAnswer = {
  readonly token: {
    readonly expires_at: string
    readonly user: { readonly id: string }
    readonly project: { readonly id: string }
    readonly catalog?: Catalog
  }
}
