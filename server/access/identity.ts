// Who asks, and what each may do: a token, a client certificate, this very host, or nobody in particular.

import type { PeerCertificate } from 'node:tls'
import { cleanLabel } from '../match/clean.ts'

/** `read-only` sees everything but secrets; `admin` changes it too. */
export type AccessRole = 'admin' | 'read-only'

/** Whoever stands behind a request. The name is what the history of an object keeps. */
export type Identity = {
  /** A token's name, a certificate's common name, `loopback` or `nobody`. */
  readonly name: string
  readonly role: AccessRole | 'none'
  readonly by: 'token' | 'certificate' | 'loopback' | 'nobody'
}

/** A request that shows nothing. */
export const NOBODY: Identity = { name: 'nobody', role: 'none', by: 'nobody' }

/** A request on a listener that only this host reaches: whoever is here already may do everything. */
export const LOOPBACK: Identity = { name: 'loopback', role: 'admin', by: 'loopback' }

/** What a certificate without a role of its own may do; `none` refuses it. */
export type CertificateRole = AccessRole | 'none'

/** Says whether `identity` may do what takes `role`. */
export function mayAct(identity: Identity, role: AccessRole): boolean {
  return identity.role === 'admin' || identity.role === role
}

/**
 * Who shows a client certificate, which the listener has verified. Its name is the first common name, else the serial
 * number. An organisation (O) `pilotlight:read-only` or `pilotlight:admin` gives the role, the lesser where both stand;
 * any other certificate has the role `otherwise`. Matchbox lets every verified certificate do everything.
 */
export function identityOfCertificate(
  { subject, serialNumber }: Pick<PeerCertificate, 'subject' | 'serialNumber'>,
  otherwise: CertificateRole,
): Identity {
  const [commonName] = valuesOf(subject?.CN) // a subject may be empty: names can stand in the extensions alone
  const organisations = valuesOf(subject?.O)
  const role = ROLES.find(one => organisations.includes(`pilotlight:${one}`)) ?? otherwise
  return { name: cleanLabel(commonName ?? `certificate ${serialNumber}`), role, by: 'certificate' }
}

const ROLES: readonly AccessRole[] = ['read-only', 'admin']

/** The texts of a field that may occur once, several times, or not at all. */
function valuesOf(field: string | readonly string[] | undefined): readonly string[] {
  if (field === undefined) return []
  return typeof field === 'string' ? [field] : field
}

/** Says whether only this host can reach a listener that is bound to `address` (an IP address, no name). */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/i.test(address)
}
