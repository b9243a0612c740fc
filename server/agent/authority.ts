// The server's own certificate authority: made once, kept with the state, it signs the certificate under which
// machines fetch their bundles. Machines get the authority's certificate in their Ignition config.

import 'reflect-metadata'
import { createPrivateKey, webcrypto, X509Certificate as Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { PublicKeyType, X509Certificate } from '@peculiar/x509'
import { makeDirectory } from '#host/make-directory.ts'
import { textIfThere } from '#host/read-if-there.ts'
import { replaceFile } from '#host/replace-file.ts'
import { BrokenState } from '../errors.ts'

/** What the HTTPS server shows, and what machines check it with; all PEM. */
export type ServerIdentity = { readonly ca: string; readonly certificate: string; readonly key: string }

/** Valid since before any of our clocks was set, and without an end (RFC 5280 §4.1.2.5): no clock makes it invalid. */
const LONG_AGO = new Date('2000-01-01T00:00:00Z')
const NEVER = new Date('9999-12-31T23:59:59Z')
/** No right clock is before this; what a certificate's end is counted from when the host's clock is. */
const EARLIEST = Date.parse('2026-11-01T00:00:00Z')
const LEAF_DAYS = 365
const DAY_MS = 86_400_000
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/**
 * Gives the identity for `address` (or a host name), kept under `name`. The authority is made when it is not there; the certificate is made again when it is
 * for another address, signed by another authority, not valid now, or has less than a third of its time left. Keys are readable to us
 * only, and every file is replaced as a whole.
 *
 * @throws {BrokenState} when what is kept of the authority cannot be read; {CannotMakeDirectory}
 * @param now milliseconds since 1970; a clock that is wrong by years, now or when something was made, does no harm
 * @param tell gets a sentence for what was made again because a clock was wrong
 */
export async function serverIdentity(
  statePath: string,
  address: string,
  now: number,
  name = 'agent',
  tell: (text: string) => void = () => {},
): Promise<ServerIdentity> {
  // Loaded here: the package takes a tenth of a second, which a command that only prints its help must not wait for.
  const x509 = await import('@peculiar/x509')
  makeDirectory(statePath, { mode: 0o700 })
  const reckoned = Math.max(now, EARLIEST)
  const kind = isIP(address) === 0 ? 'dns' : 'ip'
  const files = {
    ca: join(statePath, 'ca.crt'),
    caKey: join(statePath, 'ca.key'),
    certificate: join(statePath, `${name}.crt`),
    key: join(statePath, `${name}.key`),
  }
  const kept = {
    ca: await textIfThere(files.ca),
    caKey: await textIfThere(files.caKey),
    certificate: await textIfThere(files.certificate),
    key: await textIfThere(files.key),
  }
  const authority =
    kept.ca !== undefined && kept.caKey !== undefined
      ? await keptAuthority(kept.ca, kept.caKey)
      : await newAuthority()
  const ca = authority.certificate.toString('pem')
  if (kept.certificate !== undefined && kept.key !== undefined) {
    const leaf = certificateIn(kept.certificate)
    if (leaf && isPair(kept.certificate, kept.key) && (await isGood(leaf, authority.certificate)))
      return { ca, certificate: kept.certificate, key: kept.key }
    if (
      leaf &&
      (leaf.notBefore.getTime() > reckoned || leaf.notAfter.getTime() > reckoned + (LEAF_DAYS + 1) * DAY_MS)
    ) {
      tell(`${files.certificate} was made by a clock that was ahead: it is made again.`)
    }
  }
  return await newLeaf()

  async function keptAuthority(ca: string, caKey: string) {
    const certificate = certificateIn(ca)
    const key = await importKey(caKey).catch(() => undefined)
    if (certificate !== undefined && key !== undefined) {
      const { notBefore, notAfter } = certificate
      const isValid = notBefore.getTime() <= reckoned && notAfter.getTime() > reckoned + LEAF_DAYS * DAY_MS
      if (isValid) return { certificate, key }
      // With its key and name: what was signed before, and machines that know the old certificate, go on.
      const again = await authorityCertificate(certificate.publicKey, key, certificate.subject)
      replaceFile(files.ca, again.toString('pem'), { mode: 0o644 })
      const was = `${notBefore.toISOString()} to ${notAfter.toISOString()}`
      tell(
        `${files.ca} was valid from ${was}, which the clock does not fit: it was made again with the same key.`,
      )
      return { certificate: again, key }
    }
    const [file, what] = certificate === undefined ? [files.ca, 'certificate'] : [files.caKey, 'private key']
    const remedy =
      'Restore it, or move ca.crt and ca.key away: a new authority is made, which machines learn at their next boot.'
    throw new BrokenState(file, `holds no ${what}`, remedy)
  }

  function certificateIn(pem: string): X509Certificate | undefined {
    try {
      return new x509.X509Certificate(pem)
    } catch {
      return undefined
    }
  }

  async function newAuthority() {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
    const name = `CN=Pilotlight provisioning ${serial().slice(0, 8)}`
    const certificate = await authorityCertificate(keys.publicKey, keys.privateKey, name)
    replaceFile(files.caKey, await exportKey(keys.privateKey), { mode: 0o600 })
    replaceFile(files.ca, certificate.toString('pem'), { mode: 0o644 })
    return { certificate, key: keys.privateKey }
  }

  async function authorityCertificate(publicKey: PublicKeyType, key: webcrypto.CryptoKey, name: string) {
    return await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: name,
      issuer: name,
      notBefore: LONG_AGO,
      notAfter: NEVER,
      signingAlgorithm: ALGORITHM,
      publicKey,
      signingKey: key,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
      ],
    })
  }

  async function newLeaf(): Promise<ServerIdentity> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: `CN=${address}`,
      issuer: authority.certificate.subject,
      notBefore: LONG_AGO,
      notAfter: new Date(reckoned + LEAF_DAYS * DAY_MS),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: authority.key,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: kind, value: address }]),
        await x509.AuthorityKeyIdentifierExtension.create(authority.certificate),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    })
    const identity = { ca, certificate: certificate.toString('pem'), key: await exportKey(keys.privateKey) }
    replaceFile(files.key, identity.key, { mode: 0o600 })
    replaceFile(files.certificate, identity.certificate, { mode: 0o644 })
    return identity
  }

  async function isGood(leaf: X509Certificate, by: X509Certificate): Promise<boolean> {
    const left = leaf.notAfter.getTime() - reckoned
    const names = leaf.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? []
    return (
      leaf.notBefore.getTime() <= reckoned &&
      left > (LEAF_DAYS * DAY_MS) / 3 &&
      left < (LEAF_DAYS + 1) * DAY_MS && // else it was made by a clock that was ahead
      names.some(({ type, value }) => type === kind && value === address) &&
      (await leaf.verify({ publicKey: by, signatureOnly: true }))
    )
  }
}

/** Says whether the key is the certificate's: a disk that filled up between the two files leaves others. */
function isPair(certificate: string, key: string): boolean {
  try {
    return new Certificate(certificate).checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}

/** 16 random bytes, positive, in hex. */
function serial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16))
  bytes[0] = (bytes[0]! & 0x3f) | 0x40 // it has sixteen
  return Buffer.from(bytes).toString('hex')
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  return `-----BEGIN PRIVATE KEY-----\n${bytes.toString('base64').replaceAll(/.{1,64}/g, '$&\n')}-----END PRIVATE KEY-----\n`
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const bytes = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  return await webcrypto.subtle.importKey('pkcs8', bytes, ALGORITHM, true, ['sign'])
}
