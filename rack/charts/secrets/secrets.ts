// The secrets of a site's cloud: generated once, sealed in the store of its state directory, the same at every rerun
// until they are rotated.

import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { textIfThere } from '#host/read-if-there.ts'
import { openKey, seal, unseal } from '#host/seal.ts'
import { isRecord } from '#model/record.ts'
import { ChartPlanError } from '../errors.ts'
import { ADMIN_SECRET, type SecretEntry, type SecretPlan } from '../plan/plan.ts'
import { NEW_TEXT } from './new-texts.ts'
import { ChartStore } from '../store.ts'

/** Texts by key, by the secret's name. */
export type Secrets = Readonly<Record<string, Readonly<Record<string, string>>>>

/** One secret as it is stored. */
export type KeptSecret = {
  readonly name: string
  /** 1 when it is new; one more with each rotation. */
  readonly version: number
  readonly entries: Readonly<Record<string, string>>
}

/** Returns the given number of random bytes. */
export type Random = (size: number) => Uint8Array

/**
 * Gives every secret of the plan: what was generated before stays as it was, what is new is generated now and is on
 * disk before it is given. Secrets which the plan no longer has are kept.
 *
 * @throws {ChartPlanError} when they cannot be opened; they are never replaced by new ones then
 */
export async function ensureSecrets(
  plan: readonly SecretPlan[],
  stateDirectory: string,
): Promise<KeptSecret[]> {
  return changeSecrets(stateDirectory, kept => fillSecrets(plan, kept, randomBytes))
}

/**
 * Changes what is kept, in one step that no other process sees half of: `change` gets it all, and gives what is to be
 * there; what it leaves out stays.
 */
export async function changeSecrets(
  stateDirectory: string,
  change: (kept: readonly KeptSecret[]) => readonly KeptSecret[],
): Promise<KeptSecret[]> {
  const plain = await readPlain(stateDirectory)
  const store = new ChartStore(stateDirectory)
  try {
    const changed = store.atOnce(() => {
      const sealed = store.secrets()
      const key = openKey(stateDirectory, sealed.length === 0)
      const kept = sealed.map(it => opened(it, key))
      const before = kept.length > 0 ? kept : plain
      const after = change(before)
      for (const secret of after) {
        const { name, version, entries } = secret
        if (kept.some(it => sameSecret(it, secret))) continue
        store.putSecret({
          name,
          version,
          sealed: seal(key, JSON.stringify(entries), contextOf(name, version)),
        })
      }
      return [...after, ...before.filter(({ name }) => after.every(it => it.name !== name))]
    })
    if (plain.length > 0) await rm(plainPath(stateDirectory), { force: true })
    return changed
  } finally {
    store.close()
  }
}

/**
 * Gives the secrets as an earlier `ensureSecrets` kept them, and none where there was no such call: for callers that use the
 * cloud, and must never make secrets.
 */
export async function keptSecrets(stateDirectory: string): Promise<Secrets> {
  return textsOf(await listSecrets(stateDirectory))
}

/** The password of the cloud's administrator, once `ensureSecrets` has made one. */
export async function adminPassword(stateDirectory: string): Promise<string | undefined> {
  return adminPasswordIn(await keptSecrets(stateDirectory))
}

/** The same, from secrets that were already read. */
export function adminPasswordIn(secrets: Secrets): string | undefined {
  return secrets[ADMIN_SECRET]?.['password']
}

/** The same as `keptSecrets`, with their versions. */
export async function listSecrets(stateDirectory: string): Promise<KeptSecret[]> {
  if (!ChartStore.exists(stateDirectory)) return readPlain(stateDirectory)
  const store = new ChartStore(stateDirectory)
  try {
    const sealed = store.secrets()
    if (sealed.length === 0) return await readPlain(stateDirectory)
    const key = openKey(stateDirectory, false)
    return sealed.map(it => opened(it, key))
  } finally {
    store.close()
  }
}

/** The texts of the secrets, without their versions. */
export function textsOf(secrets: readonly KeptSecret[]): Secrets {
  return Object.fromEntries(secrets.map(({ name, entries }) => [name, entries]))
}

/** The secrets of the plan, with what `kept` already has. A key repository is complete as it is: its keys move on. */
export function fillSecrets(
  plan: readonly SecretPlan[],
  kept: readonly KeptSecret[],
  random: Random,
): KeptSecret[] {
  return plan.map(({ name, entries, rotation }) => {
    const found = kept.find(it => it.name === name)
    if (found !== undefined && rotation === 'key-repository') return found
    const filled: Record<string, string> = { ...found?.entries }
    for (const [key, entry] of Object.entries(entries)) {
      if ('text' in entry) filled[key] = entry.text
      else filled[key] ??= generateText(entry, random)
    }
    return { name, version: found?.version ?? 1, entries: filled }
  })
}

/**
 * The same with `NEW_TEXT` for each text that is not made yet, which the next apply generates: for what is shown and not
 * installed.
 */
export function withNewTexts(plan: readonly SecretPlan[], kept: readonly KeptSecret[]): Secrets {
  const planned = plan.map(({ name, entries }) => {
    const own = kept.find(it => it.name === name)?.entries ?? {}
    const texts = Object.entries(entries).map(([key, entry]) => [
      key,
      'text' in entry ? entry.text : (own[key] ?? NEW_TEXT),
    ])
    return [name, { ...own, ...(Object.fromEntries(texts) as Record<string, string>) }] as const
  })
  return { ...textsOf(kept), ...Object.fromEntries(planned) }
}

/** Generates the text of a secret's key. */
export function generateText(entry: Exclude<SecretEntry, { text: string }>, random: Random): string {
  // 24 bytes are 32 characters without padding; Fernet wants 32 bytes with it.
  const bytes = Buffer.from(random(entry.generate === 'password' ? 24 : 32))
  const text = bytes.toString('base64url')
  // A program that is given a password as an argument takes one that begins with a dash for an option.
  return entry.generate === 'password' ? text.replace(/^-/, 'x') : `${text}=`
}

/** Replaces any text of the secrets by dots: for log lines and messages that people see. */
export function redact(text: string, secrets: Secrets): string {
  const values = Object.values(secrets).flatMap(entries => Object.values(entries))
  return values
    .filter(value => value.length >= 16)
    .reduce((rest, value) => rest.replaceAll(value, '•••'), text)
}

function opened(
  { name, version, sealed }: { name: string; version: number; sealed: Uint8Array },
  key: ReturnType<typeof openKey>,
): KeptSecret {
  const entries = JSON.parse(unseal(key, sealed, contextOf(name, version))) as KeptSecret['entries'] // as sealed
  return { name, version, entries }
}

function contextOf(name: string, version: number): string {
  return `${name} version ${version}`
}

function sameSecret(one: KeptSecret, other: KeptSecret): boolean {
  return (
    one.name === other.name &&
    one.version === other.version &&
    JSON.stringify(one.entries) === JSON.stringify(other.entries)
  )
}

// --- The first versions of Pilotlight kept the secrets as they are, in a file: it is taken over, and then goes.

function plainPath(stateDirectory: string): string {
  return join(stateDirectory, 'openstack-secrets.json')
}

async function readPlain(stateDirectory: string): Promise<KeptSecret[]> {
  const path = plainPath(stateDirectory)
  const read = parsed((await textIfThere(path)) ?? '{}')
  if (!isRecord(read))
    throw new ChartPlanError(
      `${path} holds no secrets. Put back the file that belongs to this cloud; new secrets would lock it out of its own database.`,
    )
  return Object.entries(read).map(([name, entries]) => ({
    name,
    version: 1,
    entries: entries as KeptSecret['entries'], // as an earlier Pilotlight wrote it
  }))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
