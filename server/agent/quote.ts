// What a machine's TPM shows: an attestation key that cannot leave it, and quotes that this key signed. Formats and
// numbers are those of TPM 2.0, Part 2 (structures); all integers are big-endian.
//
// The key is a primary key of the endorsement hierarchy, made from a fixed template: ECC P-256, ECDSA with SHA-256,
// restricted to signing. A primary key is derived from the hierarchy's seed and the template, so the same TPM gives the
// same key at each boot, and nothing has to be stored on the machine. The endorsement seed stays when the owner clears
// the TPM, unlike the owner hierarchy's. P-256 is mandatory for a TPM of a PC, and such a key is made in milliseconds,
// where an RSA key takes seconds. `ignition/scripts/tpm` is the side of the machine.

import { createHash, createPublicKey, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { QuoteRefused, UnfitTpmKey } from './errors.ts'

/** An attestation key as a TPM describes it. */
export type AttestationKey = {
  /** `SHA256:` and the hexadecimal SHA-256 of the public area: what is approved and pinned. */
  readonly fingerprint: string
  /** The name under which a quote shows the key: algorithm and digest, 34 bytes (Part 1, 16). */
  readonly qualifiedName: Uint8Array
  readonly key: KeyObject
}

/** What a quote says, once its signature was checked. */
export type Quote = {
  /** The digest of {@link QUOTED_PCRS}, the firmware and its settings: `SHA256:` and hexadecimal digits. */
  readonly measured: string
  /** How many times the TPM was started, as far as it shows (it may add its own constant). */
  readonly resetCount: number
}

/** What every quote covers, as `ignition/scripts/tpm` asks for it. */
const QUOTED_PCRS = 'sha256:0,1,2,3,4,5,6,7'

const ECC = 0x0023
const SHA256 = 0x000b
const NULL = 0x0010
const ECDSA = 0x0018
const P256 = 0x0003
/** TPM_GENERATED_VALUE: a restricted key signs nothing from outside that begins with it. */
const GENERATED = 0xff544347
const ATTEST_QUOTE = 0x8018
/** The handle TPM_RH_ENDORSEMENT, which is also the name of that hierarchy. */
const ENDORSEMENT = Uint8Array.of(0x40, 0, 0, 0x0b)
const HASH_NAMES: Readonly<Record<number, string>> = {
  4: 'sha1',
  11: 'sha256',
  12: 'sha384',
  13: 'sha512',
  18: 'sm3_256',
}

/** Attributes that the key must have or lack (TPMA_OBJECT, Part 2, 8.3), by their bit, and what that prevents. */
const ATTRIBUTES = [
  { bit: 1, wanted: true, name: 'fixedTPM', else: 'it may be copied to another TPM' },
  { bit: 4, wanted: true, name: 'fixedParent', else: 'it may be moved below another key' },
  {
    bit: 5,
    wanted: true,
    name: 'sensitiveDataOrigin',
    else: 'its private part was given to the TPM from outside',
  },
  { bit: 16, wanted: true, name: 'restricted', else: 'it signs anything, a forged quote as well' },
  { bit: 17, wanted: false, name: 'decrypt', else: 'it is not a signing key alone' },
  { bit: 18, wanted: true, name: 'sign', else: 'it cannot sign' },
] as const

/**
 * Reads a TPM2B_PUBLIC (Part 2, 12.2.5) as `tpm2_createprimary --format=tss` writes it.
 *
 * Whether a real TPM holds the key cannot be seen from these bytes: a program can write the same attributes. They keep
 * out keys that a TPM would not keep to itself; that the machine's TPM holds this one is what its approval says.
 *
 * @throws {UnfitTpmKey} 400, when the bytes are not such a structure, or the key is not of the template
 */
export function attestationKey(bytes: Uint8Array): AttestationKey {
  const whole = new Reader(bytes, unfit)
  const area = whole.sized('the public area')
  whole.end()
  const reader = new Reader(area, unfit)
  const expect = (found: number, wanted: number, what: string): void => {
    if (found !== wanted) throw unfit(`its ${what} is 0x${found.toString(16)}, not 0x${wanted.toString(16)}`)
  }
  expect(reader.uint16('the type'), ECC, 'type')
  expect(reader.uint16('the name algorithm'), SHA256, 'name algorithm')
  const attributes = reader.uint32('the attributes')
  reader.sized('the policy')
  expect(reader.uint16('the symmetric algorithm'), NULL, 'symmetric algorithm')
  expect(reader.uint16('the scheme'), ECDSA, 'scheme')
  expect(reader.uint16("the scheme's hash"), SHA256, "scheme's hash")
  expect(reader.uint16('the curve'), P256, 'curve')
  expect(reader.uint16('the key derivation'), NULL, 'key derivation')
  const x = reader.sized('x')
  const y = reader.sized('y')
  reader.end()
  for (const { bit, wanted, name, else: otherwise } of ATTRIBUTES) {
    if (((attributes >>> bit) & 1) === Number(wanted)) continue
    throw unfit(`it is ${wanted ? 'not ' : ''}marked as ${name}: ${otherwise}`)
  }
  const digest = sha256(area)
  const name = Buffer.concat([uint16(SHA256), digest])
  return {
    fingerprint: `SHA256:${digest.toString('hex')}`,
    qualifiedName: Uint8Array.from(Buffer.concat([uint16(SHA256), sha256(ENDORSEMENT, name)])),
    key: publicKeyOf(x, y),
  }
}

/**
 * What a quote of this boot must carry: SHA-256 of the opened challenge followed by the machine's age key, both as the
 * text that travels. It binds the TPM to this challenge, which no other boot gets, and to the key that the bundle is
 * sealed to.
 */
export function quoteData(answer: string, key: string): Uint8Array {
  return Uint8Array.from(sha256(Buffer.from(answer), Buffer.from(key)))
}

/**
 * Checks a quote: that `by` signed it, that the TPM made it, and that it was made for `data`.
 *
 * @param attest a TPMS_ATTEST (Part 2, 10.12.8), as `tpm2_quote --message` writes it
 * @param signature a TPMT_SIGNATURE (Part 2, 11.3.4), as `tpm2_quote --signature` writes it
 * @param data see {@link quoteData}
 * @param firmware the digest of PCRs 0 to 7 that the machine is declared with: `SHA256:` and hexadecimal digits
 * @throws {QuoteRefused} 403, with the reason
 */
export function checkQuote(
  by: AttestationKey,
  attest: Uint8Array,
  signature: Uint8Array,
  data: Uint8Array,
  firmware?: string,
): Quote {
  if (!verify('sha256', attest, { key: by.key, dsaEncoding: 'ieee-p1363' }, plainSignature(signature))) {
    throw refused('its signature is not of the attestation key that the machine showed')
  }
  const reader = new Reader(attest, refused)
  if (reader.uint32('the magic number') !== GENERATED) throw refused('the signed text was not made by a TPM')
  if (reader.uint16('the type') !== ATTEST_QUOTE)
    throw refused('the signed text is an attestation of another kind')
  if (!isEqual(reader.sized('the signer'), by.qualifiedName)) {
    throw refused('the attestation key is not a primary key of the endorsement hierarchy')
  }
  if (!isEqual(reader.sized('the extra data'), data)) {
    throw refused('it was made for another challenge or another machine key')
  }
  reader.bytes(8, 'the clock')
  const resetCount = reader.uint32('the reset count')
  reader.bytes(4 + 1 + 8, "the rest of the clock's state, and the firmware's version")
  const pcrs = selection(reader)
  const measured = `SHA256:${Buffer.from(reader.sized("the PCRs' digest")).toString('hex')}`
  reader.end()
  if (pcrs !== QUOTED_PCRS) throw refused(`it covers ${pcrs}, not ${QUOTED_PCRS}`)
  if (firmware !== undefined && firmware !== measured) {
    throw refused(
      `the machine started other firmware, or with other settings: its TPM measured ${measured}, and it is declared with ${firmware}`,
    )
  }
  return { measured, resetCount }
}

/** A TPML_PCR_SELECTION, in the notation of tpm2-tools. */
function selection(reader: Reader): string {
  const banks: string[] = []
  const count = reader.uint32('the number of banks')
  for (let bank = 0; bank < count; bank += 1) {
    const hash = reader.uint16("a bank's hash")
    const bitmap = reader.bytes(reader.uint8('the size of a bitmap'), 'a bitmap')
    const numbers = [...bitmap].flatMap((byte, at) =>
      [0, 1, 2, 3, 4, 5, 6, 7].filter(bit => (byte >> bit) & 1).map(bit => at * 8 + bit),
    )
    banks.push(`${HASH_NAMES[hash] ?? `0x${hash.toString(16)}`}:${numbers.join(',')}`)
  }
  return banks.join('+')
}

/** r and s of a TPMT_SIGNATURE, each as 32 bytes. */
function plainSignature(bytes: Uint8Array): Uint8Array {
  const reader = new Reader(bytes, refused)
  if (reader.uint16('the algorithm of the signature') !== ECDSA) throw refused('its signature is not ECDSA')
  if (reader.uint16('the hash of the signature') !== SHA256)
    throw refused('its signature is not over SHA-256')
  const parts = [reader.sized('r'), reader.sized('s')].map(number => {
    if (number.length > 32) throw refused('its signature is not one of P-256')
    const padded = new Uint8Array(32)
    padded.set(number, 32 - number.length)
    return padded
  })
  reader.end()
  return Buffer.concat(parts)
}

/** @throws {UnfitTpmKey} when the point is not on the curve */
function publicKeyOf(x: Uint8Array, y: Uint8Array): KeyObject {
  const jwk = { kty: 'EC', crv: 'P-256', x: coordinate(x), y: coordinate(y) }
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch (cause) {
    throw new UnfitTpmKey('its point is not on the curve P-256', { cause })
  }
}

/** A coordinate of a point, as JSON web keys have it. */
function coordinate(bytes: Uint8Array): string {
  if (bytes.length > 32) throw unfit('its point has too many bytes')
  return Buffer.concat([new Uint8Array(32 - bytes.length), bytes]).toString('base64url')
}

type Refuse = (reason: string) => UnfitTpmKey | QuoteRefused

function unfit(reason: string): UnfitTpmKey {
  return new UnfitTpmKey(reason)
}

function refused(reason: string): QuoteRefused {
  return new QuoteRefused(reason)
}

/** Reads a TPM's structures; refuses bytes that are missing or left over. */
class Reader {
  readonly #bytes: Uint8Array
  readonly #refuse: Refuse
  #at = 0

  constructor(bytes: Uint8Array, refuse: Refuse) {
    this.#bytes = bytes
    this.#refuse = refuse
  }

  bytes(count: number, what: string): Uint8Array {
    const value = this.#bytes.subarray(this.#at, this.#at + count)
    if (value.length < count) throw this.#refuse(`it ends within ${what}, at byte ${this.#bytes.length}`)
    this.#at += count
    return value
  }

  uint8(what: string): number {
    return this.bytes(1, what)[0]! // it has one
  }

  uint16(what: string): number {
    const value = this.bytes(2, what)
    return new DataView(value.buffer, value.byteOffset).getUint16(0)
  }

  uint32(what: string): number {
    const value = this.bytes(4, what)
    return new DataView(value.buffer, value.byteOffset).getUint32(0)
  }

  /** A TPM2B: two bytes of size, then as many. */
  sized(what: string): Uint8Array {
    return this.bytes(this.uint16(`the size of ${what}`), what)
  }

  end(): void {
    const left = this.#bytes.length - this.#at
    if (left > 0) throw this.#refuse(`${left} bytes follow its end`)
  }
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff)
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** Not in constant time: nothing that is compared is secret. */
function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}
