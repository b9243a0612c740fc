// Makes X.509 certificates with ECDSA P-256 keys. The library is loaded on first use: most commands make none.

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  webcrypto,
  type KeyObject,
} from 'node:crypto'
import type * as Library from '@peculiar/x509'

/** What a certificate may be shown for. */
export type Purpose = 'server' | 'client'

/** A certificate and its private key, both PEM. */
export type KeyPair = { readonly certificate: string; readonly key: string }

/** What a certificate says, apart from its key. */
export type Subject = { readonly commonName: string; readonly organization?: string }

/** Validity in milliseconds since 1970. */
export type Validity = { readonly notBefore: number; readonly notAfter: number }

/** A leaf's contents. */
export type Leaf = Subject & {
  readonly purposes: readonly Purpose[]
  readonly dns: readonly string[]
  readonly addresses: readonly string[]
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A request for a certificate cannot be signed: the message says why. */
export class UnfitRequest extends Error {
  readonly code = 'UNFIT_REQUEST'
}

/**
 * Makes a certificate authority that signs leaves only (path length 0). With `purposes` it signs leaves of these alone:
 * Go, and so Kubernetes, holds an authority's extended key usages against every certificate below it.
 */
export async function makeAuthority(
  subject: Subject,
  validity: Validity,
  purposes: readonly Purpose[] = [],
): Promise<KeyPair> {
  const { privateKey } = newKeys()
  const certificate = await selfSigned(nameOf(subject), validity, privateKey, purposes)
  return { certificate, key: privatePem(privateKey) }
}

/** The same authority for another time: its name and key are kept, so what it signed stays good. */
export async function remakeAuthority(authority: KeyPair, validity: Validity): Promise<KeyPair> {
  const { X509Certificate } = await library()
  const { subject } = new X509Certificate(authority.certificate)
  const certificate = await selfSigned(subject, validity, createPrivateKey(authority.key), [])
  return { certificate, key: authority.key }
}

async function selfSigned(
  name: Library.JsonName | string,
  validity: Validity,
  key: KeyObject,
  purposes: readonly Purpose[],
): Promise<string> {
  const x509 = await library()
  const publicKey = await forSigning(createPublicKey(key), ['verify'])
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: name,
    issuer: name,
    notBefore: new Date(validity.notBefore),
    notAfter: new Date(validity.notAfter),
    signingAlgorithm: algorithm,
    publicKey,
    signingKey: await forSigning(key, ['sign']),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      ...usagesOf(x509, purposes),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  })
  return pem(certificate)
}

/** Makes a leaf with a new key, signed by `authority`, good for exactly its purposes. */
export async function makeLeaf(leaf: Leaf, validity: Validity, authority: KeyPair): Promise<KeyPair> {
  const keys = newKeys()
  const certificate = await signLeaf(leaf, validity, authority, keys.publicKey)
  return { certificate, key: privatePem(keys.privateKey) }
}

/** Signs a leaf for a key that someone else holds; gives the certificate, PEM. */
export async function signLeaf(
  leaf: Leaf,
  validity: Validity,
  authority: KeyPair,
  key: KeyObject,
): Promise<string> {
  const x509 = await library()
  const publicKey = await forSigning(key, ['verify'])
  const issuer = new x509.X509Certificate(authority.certificate)
  const names = [
    ...leaf.dns.map(value => ({ type: 'dns', value }) as const),
    ...leaf.addresses.map(value => ({ type: 'ip', value }) as const),
  ]
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: nameOf(leaf),
    issuer: issuer.subject,
    notBefore: new Date(validity.notBefore),
    notAfter: new Date(validity.notAfter),
    signingAlgorithm: algorithm,
    publicKey,
    signingKey: await forSigning(createPrivateKey(authority.key), ['sign']),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      ...usagesOf(x509, leaf.purposes),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  })
  return pem(certificate)
}

/**
 * The public key of a certificate request (PKCS #10, PEM), once its own signature proves that the sender holds the
 * private half. Nothing else of the request is read: the signer decides what the certificate says.
 *
 * @throws {UnfitRequest} when it is not a request, its key is not on P-256, or the signature is not of that key
 */
export async function keyOfRequest(request: string): Promise<KeyObject> {
  const x509 = await library()
  let parsed: Library.Pkcs10CertificateRequest
  let key: KeyObject
  try {
    parsed = new x509.Pkcs10CertificateRequest(request)
    key = createPublicKey({ key: Buffer.from(parsed.publicKey.rawData), format: 'der', type: 'spki' })
  } catch (cause) {
    throw new UnfitRequest('it is not a certificate request in PEM', { cause })
  }
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new UnfitRequest('its key is not an ECDSA key on P-256')
  if (!(await parsed.verify().catch(() => false)))
    throw new UnfitRequest('its signature is not of the key inside it')
  return key
}

function usagesOf(x509: typeof Library, purposes: readonly Purpose[]): Library.Extension[] {
  if (purposes.length === 0) return []
  const usages = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth }
  return [new x509.ExtendedKeyUsageExtension(purposes.map(purpose => usages[purpose]))]
}

/** Makes the pair that signs and checks service account tokens, both PEM. */
export function makeSigningPair(): { readonly publicKey: string; readonly privateKey: string } {
  const keys = newKeys()
  return {
    publicKey: keys.publicKey.export({ type: 'spki', format: 'pem' }) as string, // PEM is text
    privateKey: privatePem(keys.privateKey),
  }
}

function newKeys(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

function forSigning(key: KeyObject, usages: readonly ('sign' | 'verify')[]): Promise<webcrypto.CryptoKey> {
  return Promise.resolve(key.toCryptoKey(algorithm, true, [...usages]))
}

function privatePem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string // PEM is text
}

function pem(certificate: Library.X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`
}

/** 127 random bits, positive and without a leading zero byte (RFC 5280 §4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x3f) | 0x40 // 16 bytes were asked for
  return bytes.toString('hex')
}

function nameOf(subject: Subject): Library.JsonName {
  const organization = subject.organization === undefined ? [] : [{ O: [subject.organization] }]
  return [...organization, { CN: [subject.commonName] }]
}

let loaded: Promise<typeof Library> | undefined

function library(): Promise<typeof Library> {
  loaded ??= load()
  return loaded
}

async function load(): Promise<typeof Library> {
  await import('reflect-metadata') // before the library, which looks for it as it loads
  const x509 = await import('@peculiar/x509')
  // The same interface: only the declarations of Node and of the browser differ.
  x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0])
  return x509
}
