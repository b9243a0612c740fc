// The kubeconfig of a site's administrator, issued for some hours by the authority in the state directory of `up`.

import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '#model/error.ts'
import type { Administrator } from '../cluster/certificates.ts'
import { keepKubeconfig, renderKubeconfig } from '../cluster/kubeconfig.ts'
import { apiUrl } from '../cluster/network.ts'
import { mintAdministrator, readAuthority } from '../cluster/pki.ts'
import type { Site } from '../site/site.ts'
import { siteKey } from './site-key.ts'

/**
 * Mints an administrator and writes its kubeconfig to `path`; gives the end of its certificate.
 *
 * @throws {Failure} NOT_FOUND when the state directory has no PKI
 */
export async function mintKubeconfig(
  site: Site,
  stateDirectory: string,
  who: Administrator,
  path: string,
): Promise<Date> {
  const directory = join(stateDirectory, 'pki')
  const ca = await readAuthority(directory, 'ca', () => siteKey(stateDirectory, directory))
  if (ca === undefined) {
    const remedy = 'name the directory that `up` used (--state DIR), or run `pilotlight up` first'
    throw new Failure('NOT_FOUND', `there is no authority in ${directory}`, remedy)
  }
  const pair = await mintAdministrator(ca, who)
  await keepKubeconfig(path, renderKubeconfig(apiUrl(site), ca.certificate, `pilotlight-${who}`, pair))
  return new X509Certificate(pair.certificate).validToDate
}

/** Less of its life than this, and a kubeconfig is renewed before a long verb uses it. */
const enoughMs = 2 * 60 * 60 * 1000

/**
 * Sees to it that the kubeconfig of the state directory outlives a verb that uses it: issues a certificate for an administrator where
 * the last one's time is nearly over, and the state directory has the authority to.
 */
export async function freshenKubeconfig(site: Site, stateDirectory: string): Promise<void> {
  const path = join(stateDirectory, 'kubeconfig')
  const text = await readFile(path, 'utf8').catch(() => undefined)
  const [, base64 = ''] = /client-certificate-data: (\S+)/.exec(text ?? '') ?? []
  if (base64 === '') return // there is none, or it is not ours: the verb says so
  const until = new X509Certificate(Buffer.from(base64, 'base64')).validToDate.getTime()
  if (until - Date.now() > enoughMs) return
  await mintKubeconfig(site, stateDirectory, 'admin', path).catch((error: unknown) => {
    if (!(error instanceof Failure)) throw error // it is another directory's, given by --state
  })
}
