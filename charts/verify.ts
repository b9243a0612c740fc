// The proof: the unmodified `openstack` client, from outside the cluster, gets a token and sees the services and
// users that must be there. What it prints is read and checked; its exit status alone says too little.

import { run } from '#host/command.ts'
import { inStage } from '#progress/stage.ts'
import type { Stage } from '#progress/stage.ts'
import type { Site } from '#site/site.ts'
import { cloudAdmin, keystoneUrl } from './endpoints.ts'
import { VerificationFailed } from './errors.ts'
import { cloudName, writeCloudsYaml } from './openrc.ts'
import { planCharts } from './plan.ts'
import { ensureSecrets } from './secrets.ts'

/** What the verification is told. */
export type VerifyOptions = {
  readonly site: Site
  readonly stateDirectory: string
  readonly stage: Stage
  readonly signal?: AbortSignal
}

/** What was seen, for the summary. */
export type Verification = {
  readonly authUrl: string
  /** For `OS_CLIENT_CONFIG_FILE`. */
  readonly cloudsPath: string
  /** For `openstack --os-cloud`. */
  readonly cloud: string
  readonly token: { readonly expires: string; readonly projectId: string; readonly userId: string }
  /** The types of the catalog's services, for example `identity`. */
  readonly services: readonly string[]
  readonly users: readonly string[]
  /** Each question with the seconds it took, the client's own start included. */
  readonly checks: readonly { readonly command: string; readonly seconds: number }[]
}

/**
 * Runs `token issue`, `service list` and `user list` side by side and checks what they show.
 *
 * @throws {VerificationFailed} when something that must be there is not
 * @throws {CommandFailed} when the client is missing or ends badly
 */
export async function verifyOpenstack(options: VerifyOptions): Promise<Verification> {
  const { site, stateDirectory, stage } = options
  const secrets = await ensureSecrets(planCharts(site).secrets, stateDirectory)
  const cloudsPath = await writeCloudsYaml(site, secrets[cloudAdmin.secret]?.password ?? '', stateDirectory)
  const ask = async (words: readonly string[], limitSeconds: number) =>
    inStage(stage, `openstack ${words.join(' ')}`, async () => {
      const began = performance.now()
      const { stdout } = await run('openstack', ['--os-cloud', cloudName, ...words, '--format', 'json'], {
        limitSeconds,
        env: { OS_CLIENT_CONFIG_FILE: cloudsPath, PYTHONWARNINGS: 'ignore' },
        ...(options.signal ? { signal: options.signal } : {}),
      })
      const seconds = (performance.now() - began) / 1000
      return { answer: JSON.parse(stdout) as unknown, check: { command: words.join(' '), seconds } }
    })
  const [token, services, users] = await Promise.all([
    ask(['token', 'issue'], 60),
    ask(['service', 'list'], 60),
    ask(['user', 'list'], 60),
  ])
  return {
    authUrl: keystoneUrl(site),
    cloudsPath,
    cloud: cloudName,
    token: checkToken(token.answer),
    services: checkServices(services.answer),
    users: checkUsers(users.answer),
    checks: [token.check, services.check, users.check],
  }
}

/** Reads what `token issue` printed. @throws {VerificationFailed} unless it is a token that holds for a while yet */
export function checkToken(answer: unknown, now = Date.now()): Verification['token'] {
  const { id, expires, project_id: projectId, user_id: userId } = fieldsOf(answer)
  if (typeof id !== 'string' || id.length < 32 || typeof projectId !== 'string' || typeof userId !== 'string')
    throw new VerificationFailed('`openstack token issue` gave no token of a project.')
  if (typeof expires !== 'string' || !(Date.parse(expires) > now))
    throw new VerificationFailed(
      `The token expires at ${String(expires)}, which is past. Compare the clocks of this host and the controller.`,
    )
  return { expires, projectId, userId }
}

/** Reads what `service list` printed. @throws {VerificationFailed} when the identity service is not in it */
export function checkServices(answer: unknown): string[] {
  const types = rowsOf(answer).map(row => String(row.Type))
  if (!types.includes('identity'))
    throw new VerificationFailed(
      `The service list has ${types.join(', ') || 'nothing'}, but no identity service.`,
    )
  return types
}

/** Reads what `user list` printed. @throws {VerificationFailed} when the admin is not in it */
export function checkUsers(answer: unknown): string[] {
  const names = rowsOf(answer).map(row => String(row.Name))
  if (!names.includes(cloudAdmin.user))
    throw new VerificationFailed(
      `The user list has ${names.join(', ') || 'nobody'}, but no ${cloudAdmin.user}.`,
    )
  return names
}

function rowsOf(answer: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(answer) ? answer.map(fieldsOf) : []
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
