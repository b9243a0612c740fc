// The secrets of a site's cloud: generated once, kept in one file of the state directory that only its owner reads,
// the same at every rerun.

import { randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ChartPlanError } from './errors.ts'
import type { SecretEntry, SecretPlan } from './plan.ts'

/** Texts by key, by the secret's name. */
export type Secrets = Readonly<Record<string, Readonly<Record<string, string>>>>

/** The file of a state directory that holds them. */
export function secretsPath(stateDirectory: string): string {
  return join(stateDirectory, 'openstack-secrets.json')
}

/**
 * Gives every secret of the plan: what was generated before stays as it was, what is new is generated now and is on
 * disk (mode 0600) before it is given. Secrets which the plan no longer has are kept.
 *
 * @throws {ChartPlanError} when the file is not what was written there; it is never replaced by new secrets then
 */
export async function ensureSecrets(plan: readonly SecretPlan[], stateDirectory: string): Promise<Secrets> {
  const path = secretsPath(stateDirectory)
  const kept = await readSecrets(path)
  const secrets = fillSecrets(plan, kept, size => randomBytes(size))
  if (JSON.stringify(secrets) !== JSON.stringify(kept)) {
    await writeFile(`${path}.tmp`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flush: true })
    await rename(`${path}.tmp`, path)
  }
  return secrets
}

/**
 * Gives the secrets as an earlier `ensureSecrets` kept them, and none where there was no such call: for whoever uses the
 * cloud, and must never make secrets of its own.
 */
export function keptSecrets(stateDirectory: string): Promise<Secrets> {
  return readSecrets(secretsPath(stateDirectory))
}

/** The secrets of the plan, with what `kept` already has; `random` gives that many random bytes. */
export function fillSecrets(
  plan: readonly SecretPlan[],
  kept: Secrets,
  random: (size: number) => Uint8Array,
): Secrets {
  const filled: Record<string, Record<string, string>> = {}
  for (const [name, entries] of Object.entries(kept)) filled[name] = { ...entries }
  for (const { name, entries } of plan) {
    const secret = (filled[name] ??= {})
    for (const [key, entry] of Object.entries(entries)) {
      if ('text' in entry) secret[key] = entry.text
      else secret[key] ??= generate(entry, random)
    }
  }
  return filled
}

/** Puts dots where any text of the secrets stands: for log lines and messages that people see. */
export function redact(text: string, secrets: Secrets): string {
  const values = Object.values(secrets).flatMap(entries => Object.values(entries))
  return values
    .filter(value => value.length >= 16)
    .reduce((rest, value) => rest.replaceAll(value, '•••'), text)
}

function generate(
  entry: Exclude<SecretEntry, { text: string }>,
  random: (size: number) => Uint8Array,
): string {
  // 24 bytes are 32 characters without padding; Fernet wants 32 bytes with it.
  const bytes = Buffer.from(random(entry.generate === 'password' ? 24 : 32))
  return entry.generate === 'password' ? bytes.toString('base64url') : `${bytes.toString('base64url')}=`
}

async function readSecrets(path: string): Promise<Secrets> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{}'
    throw error
  })
  const mend =
    'Put back the file that belongs to this cloud; new secrets would lock it out of its own database.'
  try {
    const read: unknown = JSON.parse(text)
    if (typeof read === 'object' && read !== null) return read as Secrets // as ensureSecrets wrote it
  } catch (cause) {
    throw new ChartPlanError(`${path} is not JSON. ${mend}`, { cause })
  }
  throw new ChartPlanError(`${path} holds no secrets. ${mend}`)
}
