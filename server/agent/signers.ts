// The signers of kubelet certificates: the only ones that machines hold. A cluster's controller manager renews its
// kubelets' certificates with them while we are away, for 90 days at most; while we are not, each gets a successor after
// 30 days, and the controllers fetch it with their next renewal.

import { X509Certificate } from 'node:crypto'
import { makeAuthority, type Purpose } from '#host/x509.ts'
import type { BundleDescription, KubeletSigner, SiteAuthority } from '#model/bundle.ts'
import { DAY_MS } from '#model/time.ts'
import type { Signing } from '../store/machine-records.ts'

const LIFE_DAYS = 90 // one of them is before it was made: clocks differ
const SUCCESSOR_DAYS = 30

const names: Readonly<Record<Purpose, string>> = {
  client: 'kubelet-client-signer',
  server: 'kubelet-serving-signer',
}

/**
 * The authority with signers of kubelet certificates: those of `before` while they are young enough, else successors.
 * Their certificates, keys and what trusts them are among its secrets: `kubelet-client-signer.crt` and `.key`,
 * `kubelet-serving-signer.crt` and `.key`, `client-ca.crt` (for the API server: the cluster's CA, and the signers of clients
 * whose time is not over) and `kubelet-ca.crt` (the same for servers).
 *
 * @param before the authority as it was kept, if it was
 * @param now milliseconds since 1970
 */
export async function withSigners(
  authority: SiteAuthority,
  before: SiteAuthority | undefined,
  now: number,
): Promise<SiteAuthority> {
  const client = await currentSigner('client', before?.kubelets?.client, now)
  const server = await currentSigner('server', before?.kubelets?.server, now)
  const ca = authority.signers['ca']?.certificate ?? ''
  const trusted = ({ certificate, earlier }: KubeletSigner) => [ca, certificate, ...earlier].join('')
  return {
    signers: authority.signers,
    secrets: {
      ...authority.secrets,
      [`${names.client}.crt`]: client.certificate,
      [`${names.client}.key`]: client.key,
      [`${names.server}.crt`]: server.certificate,
      [`${names.server}.key`]: server.key,
      'client-ca.crt': trusted(client),
      'kubelet-ca.crt': trusted(server),
    },
    kubelets: { client, server },
  }
}

/** The end of what an authority's signers can sign, in milliseconds since 1970; undefined when it has none. */
export function signsUntil({ kubelets }: SiteAuthority): number | undefined {
  if (kubelets === undefined) return undefined
  return Math.min(...[kubelets.client, kubelets.server].map(({ certificate }) => endOf(certificate)))
}

/**
 * Until when a machine can renew certificates of its cluster, once it was given what it needs for that: the end of the
 * signers in its bundle. Undefined for a machine without signers.
 */
export function signingOf(
  { site, secrets }: BundleDescription,
  authority: SiteAuthority | undefined,
): Signing | undefined {
  if (site === undefined || !secrets.some(({ renews }) => renews === true)) return undefined
  const until = authority && signsUntil(authority)
  return until === undefined ? undefined : { site, until }
}

async function currentSigner(
  purpose: Purpose,
  before: KubeletSigner | undefined,
  now: number,
): Promise<KubeletSigner> {
  if (before !== undefined && isYoung(before.certificate, now)) {
    return { ...before, earlier: before.earlier.filter(certificate => endOf(certificate) > now) }
  }
  const notAfter = now + (LIFE_DAYS - 1) * DAY_MS
  // The name distinguishes it from its predecessor, which is trusted beside it: a chain is built by names.
  const commonName = `pilotlight-${names[purpose]}-${new Date(notAfter).toISOString().slice(0, 10)}`
  const made = await makeAuthority({ commonName }, { notBefore: now - DAY_MS, notAfter }, [purpose])
  const predecessors = before === undefined ? [] : [before.certificate, ...before.earlier]
  return { ...made, earlier: predecessors.filter(certificate => endOf(certificate) > now) }
}

/** Whether a signer is young enough to stay. One from a clock far ahead is not: it would not be valid yet, then too long. */
function isYoung(certificate: string, now: number): boolean {
  const made = new X509Certificate(certificate).validFromDate.getTime() + DAY_MS
  return made <= now + DAY_MS / 24 && now < made + SUCCESSOR_DAYS * DAY_MS
}

function endOf(certificate: string): number {
  return new X509Certificate(certificate).validToDate.getTime()
}
