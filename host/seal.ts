// Texts that no one reads without their key: AES-256-GCM, from node:crypto. What this protects is a store that leaves its
// machine without its key, in a backup for example. Anyone who may read the state directory has the key beside the store,
// unless the key is given by an environment variable and kept elsewhere.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { linkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PilotlightError } from '#model/error.ts'
import { textIfThereSync } from './read-if-there.ts'

/** The variable that holds a site's key, 32 bytes in base64, when it must not be stored beside what it seals. */
export const keyVariable = 'PILOTLIGHT_SECRET_KEY'

/** A key, and where it is from: for messages. */
export type SealKey = { readonly bytes: Uint8Array; readonly from: string }

/** A key is missing or malformed, or does not open what is sealed. Nothing was changed. */
export class SealError extends PilotlightError {
  readonly code = 'SEALED'
}

const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16

/** Where a site's key is stored that is made when none is given: the state directory of `pilotlight up`. */
export function keyPath(stateDirectory: string): string {
  return join(stateDirectory, 'openstack-secrets.key')
}

/**
 * The key of one site: it seals the secrets of its cloud and the keys of its PKI. From the environment, else the one of
 * the state directory, which is made (mode 0600) when `make` allows it.
 *
 * @throws {SealError} when it is not a key of 32 bytes, or there is none and none may be made
 */
export function openKey(stateDirectory: string, make: boolean): SealKey {
  const given = process.env[keyVariable]
  if (given !== undefined) return readKey(given, keyVariable)
  const path = keyPath(stateDirectory)
  return openKeyFile(
    path,
    make,
    `The site's secrets are sealed, and their key is not there. Put it back as ${path}, or give it as ${keyVariable}.`,
  )
}

/**
 * The key in the file at `path` (base64), which is made (mode 0600) when it is not there and `make` allows it.
 *
 * @param missing the message when there is none and none may be made
 * @throws {SealError} when it is not a key of 32 bytes, or there is none
 */
export function openKeyFile(path: string, make: boolean, missing: string): SealKey {
  const kept = textIfThereSync(path)
  if (kept !== undefined) return readKey(kept, path)
  if (!make) throw new SealError(missing)
  const mine = `${path}.${process.pid}`
  writeFileSync(mine, `${randomBytes(keyBytes).toString('base64')}\n`, { mode: 0o600, flush: true })
  try {
    linkSync(mine, path) // of two that make one at the same time, the first wins
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error // fs throws nothing else
  } finally {
    rmSync(mine)
  }
  return readKey(textIfThereSync(path) ?? '', path)
}

/** A key for what lives no longer than this process: a store in memory. */
export function passingKey(): SealKey {
  return { bytes: randomBytes(keyBytes), from: 'this process' }
}

/** Seals a text. `context` is not secret, but must be the same when it is opened: it ties the text to its place. */
export function seal({ bytes }: SealKey, text: string, context: string): Uint8Array {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', bytes, nonce).setAAD(Buffer.from(context))
  return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
}

/** Opens what `seal` gave. @throws {SealError} when the key or the context is another, or a bit is */
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
    throw new SealError(
      `The secret "${context}" does not open with the key from ${from}. Give the key that sealed this store.`,
      { cause },
    )
  }
}

function readKey(text: string, from: string): SealKey {
  const bytes = Buffer.from(text.trim(), 'base64')
  if (bytes.length === keyBytes) return { bytes, from }
  throw new SealError(
    `${from} holds ${bytes.length} bytes where a key has ${keyBytes}. Give 32 random bytes in base64: openssl rand -base64 32`,
  )
}
