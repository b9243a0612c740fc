// Checks detached OpenPGP signatures of files, as gpgv does: the file goes by in a stream, however large it is.

import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { PublicKey, Signature } from 'openpgp'
import { PilotlightError } from '#model/error.ts'

/** The signer, as far as the signature and the key show. */
export type Signed = {
  /** Of the key, in hexadecimal. */
  readonly fingerprint: string
  readonly keyId: string
  /** The user ids of the key. */
  readonly users: readonly string[]
  /** When it was signed, in milliseconds since 1970. */
  readonly signedMs: number
}

/** A signature that is not valid, or that no trusted key made. */
export class BadSignature extends PilotlightError {
  readonly code = 'BAD_SIGNATURE'
}

/**
 * Reads a file of public keys, in ASCII armour or binary, one key or a ring of them.
 *
 * @throws {BadSignature} when there is no public key in it; `source` names it in the message
 */
export async function readKeys(bytes: Uint8Array, source: string): Promise<PublicKey[]> {
  const { readKeys: read } = await import('openpgp')
  const armored = armoredText(bytes)
  const keys = await (
    armored === undefined ? read({ binaryKeys: bytes }) : read({ armoredKeys: armored })
  ).catch((cause: unknown) => {
    throw new BadSignature(`${source} holds no OpenPGP keys. Name the file of the signer's public key.`, {
      cause,
    })
  })
  if (keys.length === 0) throw new BadSignature(`${source} holds no key.`)
  return keys.map(key => key.toPublic())
}

/**
 * Checks that one of `keys` signed the file at `path`, and gives who. `signature` is the detached signature, binary or in
 * armour; of several in it, one good one is enough.
 *
 * @throws {BadSignature} which says why; also when the key had expired or was revoked when it signed
 */
export async function verifyDetached(
  path: string,
  signature: Uint8Array,
  keys: readonly PublicKey[],
): Promise<Signed> {
  const openpgp = await import('openpgp')
  const read = await readSignature(signature, path)
  const bytes = Readable.toWeb(
    createReadStream(path, { highWaterMark: 1 << 18 }),
  ) as ReadableStream<Uint8Array>
  const { data, signatures } = await openpgp.verify({
    message: await openpgp.createMessage({ binary: bytes }),
    signature: read,
    verificationKeys: [...keys],
    format: 'binary',
  })
  const outcomes = signatures.map(async one => {
    await one.verified
    const key = keys.find(it => it.getKeys(one.keyID).length > 0)
    const packet = (await one.signature).packets[0]
    return {
      fingerprint: key?.getFingerprint() ?? '',
      keyId: one.keyID.toHex(),
      users: key?.getUserIDs() ?? [],
      signedMs: packet?.created?.getTime() ?? 0,
    }
  })
  const settled = Promise.allSettled(outcomes)
  await drain(data)
  const all = await settled
  const good = all.find(one => one.status === 'fulfilled')
  if (good !== undefined) return good.value
  const reasons = all.flatMap(one => (one.status === 'rejected' ? [(one.reason as Error).message] : []))
  throw new BadSignature(
    `The signature of ${path} does not hold: ${reasons.join('; ') || 'there is none in it'}. ` +
      'Do not use the file; fetch it and its signature again, or check that the key is the right one.',
  )
}

/**
 * Reads a stream to its end. The library makes the hash of a twin of it, whose bytes would pile up otherwise. It has put
 * the twin's methods in place of the stream's own, so that only those work.
 */
async function drain(stream: {
  getReader(): { read(): Promise<{ readonly done: boolean }> }
}): Promise<void> {
  const reader = stream.getReader()
  while (!(await reader.read()).done);
}

async function readSignature(bytes: Uint8Array, path: string): Promise<Signature> {
  const { readSignature: read } = await import('openpgp')
  const armored = armoredText(bytes)
  return (
    armored === undefined ? read({ binarySignature: bytes }) : read({ armoredSignature: armored })
  ).catch((cause: unknown) => {
    throw new BadSignature(`The signature of ${path} that was sent is not an OpenPGP signature.`, { cause })
  })
}

/** The text of bytes in ASCII armour. */
function armoredText(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  return text.includes('-----BEGIN PGP') ? text : undefined
}
