// Texts that nobody reads without the site's key: AES-256-GCM, from node:crypto. What this protects is a store that gets
// away without its key, in a backup for example; whoever may read the state directory as it lies has the key beside it,
// unless the key is given as PILOTLIGHT_SECRET_KEY and kept elsewhere.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ChartPlanError } from '../errors.ts'

/** The variable that holds the key, 32 bytes in base64, when it shall not lie beside the store. */
export const keyVariable = 'PILOTLIGHT_SECRET_KEY'

/** The key of one site's secrets. */
export type SealKey = { readonly bytes: Uint8Array; readonly from: string }

const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16

/** Where the key lies that is made when none is given. */
export function keyPath(stateDirectory: string): string {
  return join(stateDirectory, 'openstack-secrets.key')
}

/**
 * The key from the environment, else the one of the state directory, which is made (mode 0600) when `make` allows it.
 *
 * @throws {ChartPlanError} when it is no key of 32 bytes, or there is none and none may be made
 */
export function openKey(stateDirectory: string, make: boolean): SealKey {
  const given = process.env[keyVariable]
  if (given !== undefined) return readKey(given, keyVariable)
  const path = keyPath(stateDirectory)
  const kept = readText(path)
  if (kept !== undefined) return readKey(kept, path)
  if (!make)
    throw new ChartPlanError(
      `The site's secrets are sealed, and their key is not there. Put it back as ${path}, or give it as ${keyVariable}.`,
    )
  const mine = `${path}.${process.pid}`
  writeFileSync(mine, `${randomBytes(keyBytes).toString('base64')}\n`, { mode: 0o600, flush: true })
  try {
    linkSync(mine, path) // of two who make one at the same time, the first wins
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error // fs throws nothing else
  } finally {
    rmSync(mine)
  }
  return readKey(readText(path) ?? '', path)
}

/** Seals a text. `context` is not secret, but must be the same when it is opened: it ties the text to its place. */
export function seal({ bytes }: SealKey, text: string, context: string): Uint8Array {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', bytes, nonce).setAAD(Buffer.from(context))
  return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
}

/** Opens what `seal` gave. @throws {ChartPlanError} when the key or the context is another, or a bit is */
export function unseal({ bytes, from }: SealKey, sealed: Uint8Array, context: string): string {
  const nonce = sealed.subarray(0, nonceBytes)
  const tag = sealed.subarray(-tagBytes)
  try {
    const decipher = createDecipheriv('aes-256-gcm', bytes, nonce, { authTagLength: tagBytes })
    decipher.setAAD(Buffer.from(context)).setAuthTag(tag)
    return Buffer.concat([
      decipher.update(sealed.subarray(nonceBytes, -tagBytes)),
      decipher.final(),
    ]).toString()
  } catch (cause) {
    throw new ChartPlanError(
      `The secret "${context}" does not open with the key from ${from}. Give the key that sealed this store.`,
      { cause },
    )
  }
}

function readKey(text: string, from: string): SealKey {
  const bytes = Buffer.from(text.trim(), 'base64')
  if (bytes.length === keyBytes) return { bytes, from }
  throw new ChartPlanError(
    `${from} holds ${bytes.length} bytes where a key has ${keyBytes}. Give 32 random bytes in base64: openssl rand -base64 32`,
  )
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined // fs throws nothing else
    throw error
  }
}
