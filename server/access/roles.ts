// Who asks, and what each may do: a token, a client certificate, this very host, or no one in particular (`nobody`).

import type { PeerCertificate } from 'node:tls'
import { cleanLabel } from '#model/clean.ts'
import { ACCESS_ROLE_NAMES, type AccessRoleName, type CredentialRole } from '#model/role.ts'

/** What a route takes: nothing (`open`), or an access role at least. */
export type Access = 'open' | AccessRoleName

/** Who asks. The name is what the history of an object keeps. */
export type Identity = {
  /** A token's name, a certificate's common name, `loopback`, `this-host` or `nobody`. */
  readonly name: string
  /** `objects` is what the place of a request gives, never a token or a certificate. */
  readonly role: AccessRoleName | 'none'
  readonly by: 'token' | 'certificate' | 'place' | 'nobody'
}

/** A request that shows nothing. */
export const NOBODY: Identity = { name: 'nobody', role: 'none', by: 'nobody' }

/** A request on a listener that only this host reaches. */
export const LOOPBACK: Identity = { name: 'loopback', role: 'objects', by: 'place' }

/** A request from this host on a listener that others reach as well. */
export const THIS_HOST: Identity = { name: 'this-host', role: 'read-only', by: 'place' }

/** What a certificate that names no role may do; `none` refuses it. */
export type CertificateRole = CredentialRole | 'none'

/** Says whether `identity` may do what takes `access`. */
export function mayAct({ role }: Identity, access: Access): boolean {
  return access === 'open' || levelOf(role) >= levelOf(access)
}

/** The place of a role among those that may do ever more; of `none` -1. */
function levelOf(role: Identity['role']): number {
  return (ACCESS_ROLE_NAMES as readonly string[]).indexOf(role)
}

/**
 * Who shows a client certificate, which the listener has verified. Its name is the first common name, else the serial
 * number. An organisation (O) `pilotlight:read-only` or `pilotlight:admin` gives the role, the lesser of the two if it has both;
 * any other certificate has the role `otherwise`. Matchbox lets every verified certificate do everything.
 */
export function identityOfCertificate(
  { subject, serialNumber }: Pick<PeerCertificate, 'subject' | 'serialNumber'>,
  otherwise: CertificateRole,
): Identity {
  const [commonName] = valuesOf(subject?.CN) // a subject may be empty: names can be in the extensions alone
  const organisations = valuesOf(subject?.O)
  const role = ROLES.find(one => organisations.includes(`pilotlight:${one}`)) ?? otherwise
  return { name: cleanLabel(commonName ?? `certificate ${serialNumber}`), role, by: 'certificate' }
}

const ROLES: readonly CredentialRole[] = ['read-only', 'admin']

/** The texts of a field that may occur once, several times, or not at all. */
function valuesOf(field: string | readonly string[] | undefined): readonly string[] {
  if (field === undefined) return []
  return typeof field === 'string' ? [field] : field
}
