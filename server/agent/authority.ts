// The server's own certificate authority: made once, kept with the state, it signs the certificate under which
// machines fetch their bundles. Machines get the authority's certificate in their Ignition config.

import { createPrivateKey, randomBytes, X509Certificate, type KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { makeDirectory } from '#host/make-directory.ts'
import { textIfThere } from '#host/read-if-there.ts'
import { replaceFile } from '#host/replace-file.ts'
import { makeAuthority, makeLeaf, remakeAuthority, type KeyPair } from '#host/x509.ts'
import { BrokenState } from '../errors.ts'

/** What the HTTPS server shows, and what machines check it with; all PEM. */
export type ServerIdentity = { readonly ca: string; readonly certificate: string; readonly key: string }

/** Valid since before any of our clocks was set, and without an end (RFC 5280 §4.1.2.5): no clock makes it invalid. */
const ALWAYS = { notBefore: Date.parse('2000-01-01T00:00:00Z'), notAfter: Date.parse('9999-12-31T23:59:59Z') }
/** No right clock is before this; what a certificate's end is counted from when the host's clock is. */
const EARLIEST = Date.parse('2026-11-01T00:00:00Z')
const LEAF_DAYS = 365
const DAY_MS = 86_400_000

/**
 * Gives the identity for `address` (or a host name), kept under `name`. The authority is made when it is not there; the certificate is made again when it is
 * for another address, signed by another authority, not valid now, or has less than a third of its time left. Keys are readable to us
 * only, and every file is replaced as a whole.
 *
 * @throws {BrokenState} when what is kept of the authority cannot be read; {CannotMakeDirectory}
 * @param now milliseconds since 1970; a clock that is wrong by years, now or when something was made, does no harm
 * @param report gets a sentence for what was made again because a clock was wrong
 */
export async function serverIdentity(
  statePath: string,
  address: string,
  now: number,
  name = 'agent',
  report: (text: string) => void = () => {},
): Promise<ServerIdentity> {
  makeDirectory(statePath, { mode: 0o700 })
  const reckoned = Math.max(now, EARLIEST)
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
  const ca = authority.certificate
  if (kept.certificate !== undefined && kept.key !== undefined) {
    const leaf = certificateIn(kept.certificate)
    if (leaf && isPair(leaf, kept.key) && isGood(leaf, new X509Certificate(ca)))
      return { ca, certificate: kept.certificate, key: kept.key }
    if (
      leaf &&
      (leaf.validFromDate.getTime() > reckoned ||
        leaf.validToDate.getTime() > reckoned + (LEAF_DAYS + 1) * DAY_MS)
    ) {
      report(`${files.certificate} was made by a clock that was ahead: it is made again.`)
    }
  }
  const made = await newLeaf()
  replaceFile(files.key, made.key, { mode: 0o600 })
  replaceFile(files.certificate, made.certificate, { mode: 0o644 })
  return { ca, ...made }

  async function keptAuthority(ca: string, caKey: string): Promise<KeyPair> {
    const certificate = certificateIn(ca)
    if (certificate !== undefined && keyIn(caKey) !== undefined) {
      const { validFromDate, validToDate } = certificate
      const isValid =
        validFromDate.getTime() <= reckoned && validToDate.getTime() > reckoned + LEAF_DAYS * DAY_MS
      if (isValid) return { certificate: ca, key: caKey }
      // With its key and name: what was signed before, and machines that know the old certificate, go on.
      const again = await remakeAuthority({ certificate: ca, key: caKey }, ALWAYS)
      replaceFile(files.ca, again.certificate, { mode: 0o644 })
      const was = `${validFromDate.toISOString()} to ${validToDate.toISOString()}`
      report(
        `${files.ca} was valid from ${was}, which the clock does not fit: it was made again with the same key.`,
      )
      return again
    }
    const [file, what] = certificate === undefined ? [files.ca, 'certificate'] : [files.caKey, 'private key']
    const remedy =
      'Restore it, or move ca.crt and ca.key away: a new authority is made, which machines learn at their next boot.'
    throw new BrokenState(file, `holds no ${what}`, remedy)
  }

  async function newAuthority(): Promise<KeyPair> {
    const commonName = `Pilotlight provisioning ${randomBytes(4).toString('hex')}`
    const made = await makeAuthority({ commonName }, ALWAYS)
    replaceFile(files.caKey, made.key, { mode: 0o600 })
    replaceFile(files.ca, made.certificate, { mode: 0o644 })
    return made
  }

  function newLeaf(): Promise<KeyPair> {
    const names = isIP(address) === 0 ? { dns: [address], addresses: [] } : { dns: [], addresses: [address] }
    const leaf = { commonName: address, purposes: ['server' as const], ...names }
    const validity = { notBefore: ALWAYS.notBefore, notAfter: reckoned + LEAF_DAYS * DAY_MS }
    return makeLeaf(leaf, validity, authority)
  }

  function isGood(leaf: X509Certificate, by: X509Certificate): boolean {
    const left = leaf.validToDate.getTime() - reckoned
    const named = isIP(address) === 0 ? leaf.checkHost(address, { subject: 'never' }) : leaf.checkIP(address)
    return (
      leaf.validFromDate.getTime() <= reckoned &&
      left > (LEAF_DAYS * DAY_MS) / 3 &&
      left < (LEAF_DAYS + 1) * DAY_MS && // else it was made by a clock that was ahead
      named !== undefined &&
      leaf.verify(by.publicKey)
    )
  }
}

function certificateIn(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

/** The private key in a text, if it is one on P-256. */
function keyIn(pem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(pem)
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined
  } catch {
    return undefined
  }
}

/** Says whether the key is the certificate's: a disk that filled up between the two files leaves others. */
function isPair(certificate: X509Certificate, key: string): boolean {
  const found = keyIn(key)
  return found !== undefined && certificate.checkPrivateKey(found)
}
