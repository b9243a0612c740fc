// The PKI of a test's site, and what a machine of it ends up with: its bundle, and the keys that it made itself.

import { assembleBundle } from '#server/agent/assemble.ts'
import { withSigners } from '#server/agent/signers.ts'
import type { BundleFile, CertificateRequest, SiteAuthority } from '#model/bundle.ts'
import type { Machine } from '#model/machine.ts'
import { machineBundle, siteAuthority } from '#rack/cluster/bundle.ts'
import { ensurePki, type Pki } from '#rack/cluster/pki.ts'
import { run } from '#host/command.ts'
import { passingKey } from '#host/seal.ts'
import type { Site } from '#rack/site/site.ts'

/** Seals every PKI of this process. */
export const testKey = passingKey()

/** The PKI in `directory`, sealed with `testKey`. */
export function testPki(directory: string, now?: number): Promise<Pki> {
  return ensurePki(directory, testKey, now)
}

const authorities = new WeakMap<Pki['serviceAccount'], Promise<SiteAuthority>>()

/** The authority of a PKI as the server keeps it, with signers of kubelets: the same at every call. */
export function siteAuthorityOf(pki: Pki): Promise<SiteAuthority> {
  const known = authorities.get(pki.serviceAccount)
  const authority = known ?? withSigners(siteAuthority(pki), undefined, Date.now())
  authorities.set(pki.serviceAccount, authority)
  return authority
}

/** Every file of `machine` once its bundle is unpacked. */
export async function machineFiles(
  site: Site,
  pki: Pki,
  machine: Machine,
  now = Date.now(),
): Promise<BundleFile[]> {
  const description = machineBundle(site, pki, machine)
  const keys = await Promise.all(description.requests.map(makeKey))
  const csrs = Object.fromEntries(keys.map(({ name, csr }) => [name, csr]))
  const files = await assembleBundle(description, await siteAuthorityOf(pki), csrs, now)
  return [...files, ...keys.map(({ path, key }) => ({ path, mode: 0o600, content: key }))]
}

/** A key and its signing request, made by openssl as on a machine. */
export async function makeKey({ name, key: path }: Pick<CertificateRequest, 'name' | 'key'>) {
  return { name, path, ...(await makeRequest(['-subj', '/'])) }
}

/** A key on P-256 and a signing request for it that asks for what `args` say. */
export async function makeRequest(args: readonly string[]): Promise<{ key: string; csr: string }> {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const all = ['req', '-new', '-batch', ...args, ...curve, '-keyout', '-']
  const { stdout } = await run('openssl', all, { limitSeconds: 10 })
  const part = (what: string) =>
    new RegExp(`-----BEGIN ${what}-----[^-]+-----END ${what}-----\n`).exec(stdout)?.[0] ?? ''
  return { key: part('PRIVATE KEY'), csr: part('CERTIFICATE REQUEST') }
}
