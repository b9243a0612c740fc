// `pilotlight kubeconfig`: an administrator of a site's cluster, minted for some hours. Nothing that opens the cluster lasts
// longer than that in a file.

import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { Administrator } from '#rack/cluster/certificates.ts'
import type { Site } from '#rack/site/site.ts'
import { Failure } from '#model/error.ts'
import { stateOption } from '../options.ts'

type Flags = { readonly state: string; readonly out?: string; readonly breakGlass?: boolean }

/** Defines `kubeconfig`. */
export function defineKubeconfig(command: Command): void {
  command
    .argument('<site>', 'site file')
    .addOption(stateOption())
    .option('--out <file>', 'where it is written; in the state directory unless told')
    .option('--break-glass', 'a member of system:masters, for when the cluster refuses its administrators')
    .addHelpText(
      'after',
      `
Examples:
  pilotlight kubeconfig site.yaml                 writes pilotlight-state/kubeconfig
  pilotlight kubeconfig site.yaml --break-glass   writes pilotlight-state/kubeconfig-break-glass`,
    )
    .action(async (siteFile: string, flags: Flags) => {
      const { readSiteFile } = await import('#rack/site/read.ts')
      const who: Administrator = flags.breakGlass === true ? 'break-glass' : 'admin'
      const name = who === 'admin' ? 'kubeconfig' : `kubeconfig-${who}`
      const path = resolve(flags.out ?? join(flags.state, name))
      const until = await mintKubeconfig(await readSiteFile(siteFile), resolve(flags.state), who, path)
      process.stdout.write(`kubeconfig  ${path}\ngood until  ${until.toISOString()}\n`)
    })
}

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
  const { readAuthority, mintAdministrator } = await import('#rack/cluster/pki.ts')
  const { keepKubeconfig, renderKubeconfig } = await import('#rack/cluster/kubeconfig.ts')
  const { siteKey } = await import('#rack/up/site-key.ts')
  const { apiUrl } = await import('#rack/cluster/network.ts')
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

/** Less of its life than this, and a kubeconfig is made anew before a long verb uses it. */
const enoughMs = 2 * 60 * 60 * 1000

/**
 * Sees to it that the kubeconfig of the state directory outlives a verb that uses it: mints an administrator where
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
    if (!(error instanceof Failure)) throw error // it is another directory's, as told by --state
  })
}
