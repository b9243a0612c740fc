// Sealing to a machine's key: the age format (age-encryption.org/v1) with X25519 recipients.

import { createHash } from 'node:crypto'
import { BadRequest } from '../errors.ts'

/**
 * Checks that a text is an age X25519 recipient.
 *
 * @throws {BadRequest} 400
 */
export async function requireRecipient(text: string): Promise<void> {
  const { Encrypter } = await load()
  try {
    if (!/^age1[02-9ac-hj-np-z]{58}$/.test(text)) throw new Error('not Bech32 of 32 bytes')
    new Encrypter().addRecipient(text)
  } catch (cause) {
    throw new BadRequest(
      'The key is not an age X25519 recipient (age1…, 62 characters): send what "age-keygen -y" prints.',
      { cause },
    )
  }
}

/** The name of a recipient for people: `SHA256:` and the digest of its text in base64 without padding. */
export function fingerprintOf(recipient: string): string {
  return `SHA256:${createHash('sha256').update(recipient).digest('base64').replace(/=+$/, '')}`
}

/** Seals bytes as one binary age file, which each of the recipients opens. */
export async function sealTo(recipients: string | readonly string[], bytes: Uint8Array): Promise<Uint8Array> {
  const { Encrypter } = await load()
  const encrypter = new Encrypter()
  for (const recipient of [recipients].flat()) encrypter.addRecipient(recipient)
  return encrypter.encrypt(bytes)
}

/** Seals a text as an armored age file, which each of the recipients opens. */
export async function sealText(recipients: string | readonly string[], text: string): Promise<string> {
  const { armor } = await load()
  return armor.encode(await sealTo(recipients, new TextEncoder().encode(text)))
}

/** Loaded with the first machine that enrolls: a command that only prints its help must not wait for it. */
function load() {
  return import('age-encryption')
}
