// The server's own certificate authority: made once, kept with the state, it signs the certificate under which
// machines fetch their bundles. Machines get the authority's certificate in their Ignition config.

import { createPrivateKey, randomBytes, X509Certificate, type KeyObject } from 'node:crypto'
import { existsSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { makeDirectory } from '#host/make-directory.ts'
import { textIfThere } from '#host/read-if-there.ts'
import { replaceFile } from '#host/replace-file.ts'
import type { KeyPair } from '#host/x509.ts'
import { DAY_MS } from '#model/time.ts'
import { BrokenState } from '../errors.ts'
import { isEveryAddress, ownAddresses } from '../process/own-addresses.ts'
import { CertificateMaker } from './certificate-maker.ts'

/** What the HTTPS server shows, and what machines check it with; all PEM. */
export type ServerIdentity = { readonly ca: string; readonly certificate: string; readonly key: string }

/** Valid since before any of our clocks was set, and without an end (RFC 5280 §4.1.2.5): no clock makes it invalid. */
const ALWAYS = { notBefore: Date.parse('2000-01-01T00:00:00Z'), notAfter: Date.parse('9999-12-31T23:59:59Z') }
/** No right clock is before this; what a certificate's end is counted from when the host's clock is. */
const EARLIEST = Date.parse('2026-11-01T00:00:00Z')
const LEAF_DAYS = 365

/** Addresses that one certificate names: a host with containers has many. */
const MOST_ADDRESSES = 64

/**
 * Returns the identity for `address` (or a host name), kept under `name`. For `0.0.0.0` and `::` it is for every address that this
 * host has now: no one reaches it by those two. The authority is made when it is not there. The
 * certificate is made again when it is for another address, signed by another authority, not valid now, or has less than a
 * third of its time left. Only we can read the keys, and every file is replaced as a whole.
 *
 * @param now milliseconds since 1970; a clock that is wrong by years, now or when something was made, does no harm
 * @param report gets a sentence for what was made again because a clock was wrong
 * @throws {BrokenState} when what is kept of the authority cannot be read; {CannotMakeDirectory}
 */
export async function serverIdentity(
  statePath: string,
  address: string,
  now: number,
  name = 'agent',
  report: (text: string) => void = () => {},
): Promise<ServerIdentity> {
  makeDirectory(statePath, { mode: 0o700 })
  const maker = new CertificateMaker()
  if (!existsSync(join(statePath, 'ca.key'))) maker.begin() // before anything is read, since the caller may do much meanwhile
  const at = { reckoned: Math.max(now, EARLIEST), report, maker }
  try {
    const authority = await authorityIn(statePath, at)
    const leaf = await leafIn(join(statePath, name), namesOf(address), authority, at)
    return { ca: authority.certificate, ...leaf }
  } finally {
    maker.close()
  }
}

/**
 * The time that is reckoned with, in milliseconds since 1970; what gets a sentence for what a wrong clock made; and what makes
 * certificates.
 */
type At = {
  readonly reckoned: number
  readonly report: (text: string) => void
  readonly maker: CertificateMaker
}

/** The authority of the state directory: as it is kept, with the same key where its times do not fit the clock, or new. */
async function authorityIn(statePath: string, { reckoned, report, maker }: At): Promise<KeyPair> {
  const files = { certificate: join(statePath, 'ca.crt'), key: join(statePath, 'ca.key') }
  const kept = {
    certificate: await textIfThere(files.certificate),
    key: await textIfThere(files.key),
  }
  if (kept.certificate === undefined || kept.key === undefined) {
    const commonName = `Pilotlight provisioning ${randomBytes(4).toString('hex')}`
    const made = await maker.make({ make: 'authority', subject: { commonName }, validity: ALWAYS })
    replaceFile(files.key, made.key, { mode: 0o600 })
    replaceFile(files.certificate, made.certificate, { mode: 0o644 })
    return made
  }
  const pair = { certificate: kept.certificate, key: kept.key }
  const certificate = certificateIn(pair.certificate)
  if (certificate === undefined || keyIn(pair.key) === undefined) {
    const [file, what] =
      certificate === undefined ? [files.certificate, 'certificate'] : [files.key, 'private key']
    const remedy =
      'Restore it, or move ca.crt and ca.key away: a new authority is made, which machines learn at their next boot.'
    throw new BrokenState(file, `holds no ${what}`, remedy)
  }
  const { validFromDate, validToDate } = certificate
  const isValid = validFromDate.getTime() <= reckoned && validToDate.getTime() > reckoned + LEAF_DAYS * DAY_MS
  if (isValid) return pair
  // With its key and name: what was signed before, and machines that know the old certificate, go on.
  const again = await maker.make({ make: 'authority again', authority: pair, validity: ALWAYS })
  replaceFile(files.certificate, again.certificate, { mode: 0o644 })
  const was = `${validFromDate.toISOString()} to ${validToDate.toISOString()}`
  report(
    `${files.certificate} was valid from ${was}, which the clock does not fit: it was made again with the same key.`,
  )
  return again
}

function namesOf(address: string): readonly string[] {
  if (!isEveryAddress(address)) return [address]
  return [...new Set([...ownAddresses([address]), '127.0.0.1'])].slice(0, MOST_ADDRESSES)
}

/** The certificate for `hosts` at `path` (without `.crt` and `.key`): as it is kept while it is good, or new. */
async function leafIn(
  path: string,
  hosts: readonly string[],
  authority: KeyPair,
  { reckoned, report, maker }: At,
): Promise<KeyPair> {
  const files = { certificate: `${path}.crt`, key: `${path}.key` }
  const certificate = await textIfThere(files.certificate)
  const key = await textIfThere(files.key)
  if (certificate !== undefined && key !== undefined) {
    const leaf = certificateIn(certificate)
    const by = new X509Certificate(authority.certificate)
    if (leaf && isPair(leaf, key) && isGood(leaf, { hosts, by, reckoned })) return { certificate, key }
    if (leaf && isAhead(leaf, reckoned)) {
      report(`${files.certificate} was made by a clock that was ahead: it is made again.`)
    }
  }
  const names = {
    dns: hosts.filter(host => isIP(host) === 0),
    addresses: hosts.filter(host => isIP(host) !== 0),
  }
  const wanted = { commonName: hosts[0] ?? '', purposes: ['server' as const], ...names }
  const validity = { notBefore: ALWAYS.notBefore, notAfter: reckoned + LEAF_DAYS * DAY_MS }
  const made = await maker.make({ make: 'leaf', leaf: wanted, validity, authority })
  replaceFile(files.key, made.key, { mode: 0o600 })
  replaceFile(files.certificate, made.certificate, { mode: 0o644 })
  return made
}

/** Says whether a certificate is for all of the hosts, signed by the authority, valid, and has a third of its time left. */
function isGood(
  leaf: X509Certificate,
  {
    hosts,
    by,
    reckoned,
  }: { readonly hosts: readonly string[]; readonly by: X509Certificate; readonly reckoned: number },
): boolean {
  const left = leaf.validToDate.getTime() - reckoned
  const isNamed = (host: string) =>
    (isIP(host) === 0 ? leaf.checkHost(host, { subject: 'never' }) : leaf.checkIP(host)) !== undefined
  return (
    !isAhead(leaf, reckoned) &&
    left > (LEAF_DAYS * DAY_MS) / 3 &&
    hosts.every(isNamed) &&
    leaf.verify(by.publicKey)
  )
}

/** Says whether a certificate was made by a clock that was ahead: it begins later, or ends later than one made now. */
function isAhead({ validFromDate, validToDate }: X509Certificate, reckoned: number): boolean {
  return validFromDate.getTime() > reckoned || validToDate.getTime() > reckoned + (LEAF_DAYS + 1) * DAY_MS
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
