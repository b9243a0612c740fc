// Detached OpenPGP signatures of what machines fetch, with the key of a key ring, as Matchbox makes them.

import { readFile } from 'node:fs/promises'
import { messageOf } from '#progress/wait.ts'
import { BadSettings } from '../errors.ts'

/** How a signature is written: its packets as they are, or in ASCII armour. */
export type SignatureForm = 'binary' | 'armored'

/** What signs. */
export type Signer = {
  /** A detached signature of `bytes`, made at each call. */
  sign(bytes: Uint8Array, form: SignatureForm): Promise<Uint8Array>
}

/**
 * Opens a binary key ring; the primary key of its first entity signs (RFC 4880 §5.2.1, a signature of text by SHA-256).
 * The library is loaded here, so that a server without a key ring is spared it.
 *
 * @throws {BadSettings} when it cannot be read, holds no secret key, or the passphrase is missing or wrong
 */
export async function openKeyRing(path: string, passphrase: string | undefined): Promise<Signer> {
  const openpgp = await import('openpgp')
  const refuse = (reason: string, cause?: unknown) =>
    new BadSettings(`key-ring-path is "${path}": ${reason}`, { cause })
  let binaryKeys: Uint8Array
  try {
    binaryKeys = await readFile(path)
  } catch (error) {
    throw refuse(`it cannot be read: ${messageOf(error)}`, error)
  }
  // The operator who gave the key trusts it: we judge neither its age nor the strength of what certifies it.
  const config = {
    minRSABits: 1024,
    rejectHashAlgorithms: new Set<never>(),
    rejectPublicKeyAlgorithms: new Set<never>(),
    preferredHashAlgorithm: openpgp.enums.hash.sha256,
  }
  let [key] = await openpgp.readPrivateKeys({ binaryKeys, config }).catch((error: unknown) => {
    throw refuse('it is not a binary ring of secret keys', error)
  })
  if (key === undefined) throw refuse('it holds no secret key')
  if (!key.isDecrypted()) {
    if (passphrase === undefined || passphrase === '') {
      throw refuse('sign: missing passphrase for encrypted private key; give it in MATCHBOX_PASSPHRASE')
    }
    key = await openpgp.decryptKey({ privateKey: key, passphrase, config }).catch((error: unknown) => {
      throw refuse('the passphrase of MATCHBOX_PASSPHRASE does not fit its key', error)
    })
  }
  const signingKeys = key
  return {
    sign: async (bytes, form) => {
      const text = utf8Of(bytes)
      // A signature of text, as Matchbox makes it, where the bytes are one.
      const message =
        text === undefined
          ? await openpgp.createMessage({ binary: bytes })
          : await openpgp.createMessage({ text })
      const common = {
        message,
        signingKeys,
        signingKeyIDs: signingKeys.getKeyID(),
        detached: true,
        config,
      } as const
      if (form === 'binary') return openpgp.sign({ ...common, format: 'binary' })
      const armored = await openpgp.sign({ ...common, format: 'armored' })
      return Buffer.from(armored.replaceAll('\r\n', '\n').trimEnd())
    },
  }
}

function utf8Of(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
