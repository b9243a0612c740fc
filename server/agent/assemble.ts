// A machine's bundle, made when the machine asks: its plain files, the certificates that the site's
// authority signs for the machine's own keys, and the secrets that its role needs.

import { keyOfRequest, signLeaf, UnfitRequest } from '#host/x509.ts'
import type { BundleDescription, BundleFile, CertificateRequest, SiteAuthority } from '#model/bundle.ts'
import { DAY_MS } from '#model/time.ts'
import { BadRequest } from '../errors.ts'
import { NoAuthority } from './errors.ts'

/** Signing requests of a machine (PKCS #10, PEM), by the name of the certificate request. */
export type SigningRequests = Readonly<Record<string, string>>

/**
 * The files of a bundle. Subject, names and usages of each certificate are those of the description; of a signing request
 * only the public key is taken, after its own signature was checked.
 *
 * A certificate is valid from as long ago as it is still to live: the clock of this server may have been ahead when it
 * signed, and the machine's may be behind.
 *
 * @param now milliseconds since 1970
 * @throws {BadRequest} 400, when a signing request is missing or unfit; {NoAuthority} 503, when the server was not given
 *   what signs for the site
 */
export async function assembleBundle(
  description: BundleDescription,
  authority: SiteAuthority | undefined,
  csrs: SigningRequests,
  now: number,
): Promise<BundleFile[]> {
  const { site = '', files, requests, secrets } = description
  if (authority === undefined && requests.length + secrets.length > 0) throw new NoAuthority(site)
  const certificates = await Promise.all(
    requests.map(async (request): Promise<BundleFile> => {
      const signer = authority?.signers[request.signer]
      if (signer === undefined) throw new NoAuthority(site, `signer ${request.signer}`)
      const validity = { notBefore: now - request.days * DAY_MS, notAfter: now + request.days * DAY_MS }
      const content = await signLeaf(request, validity, signer, await keyFor(request, csrs))
      return { path: request.certificate, mode: 0o644, content }
    }),
  )
  const opened = secrets.map(({ path, secret }): BundleFile => {
    const content = authority?.secrets[secret]
    if (content === undefined) throw new NoAuthority(site, `secret ${secret}`)
    return { path, mode: 0o600, content }
  })
  return [...files, ...certificates, ...opened]
}

async function keyFor({ name }: CertificateRequest, csrs: SigningRequests) {
  const csr = csrs[name]
  if (csr === undefined)
    throw new BadRequest(
      `The signing request "${name}" is missing. Send one for each name that was asked for.`,
    )
  try {
    return await keyOfRequest(csr)
  } catch (error) {
    if (!(error instanceof UnfitRequest)) throw error
    throw new BadRequest(
      `The signing request "${name}" cannot be signed: ${error.message}. Make a new one.`,
      {
        cause: error,
      },
    )
  }
}
