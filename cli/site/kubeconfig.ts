// `pilotlight kubeconfig`: an administrator of a site's cluster, valid for some hours. Nothing that opens the cluster lasts
// longer than that in a file.

import { printJson } from '../terminal/show.ts'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { Administrator } from '#rack/cluster/certificates.ts'
import { stateOption } from '../options.ts'

type Flags = {
  readonly state: string
  readonly out?: string
  readonly breakGlass?: boolean
  readonly json?: boolean
}

export function defineKubeconfig(command: Command): void {
  command
    .argument('<site>', 'site file')
    .addOption(stateOption())
    .option('--out <file>', 'where it is written; in the state directory by default')
    .option('--json', 'as JSON')
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
      const { mintKubeconfig } = await import('#rack/up/kubeconfig.ts')
      const who: Administrator = flags.breakGlass === true ? 'break-glass' : 'admin'
      const name = who === 'admin' ? 'kubeconfig' : `kubeconfig-${who}`
      const path = resolve(flags.out ?? join(flags.state, name))
      const until = await mintKubeconfig(
        await readSiteFile(siteFile, flags.state),
        resolve(flags.state),
        who,
        path,
      )
      if (flags.json) return printJson({ kubeconfig: path, until: until.toISOString() })
      process.stdout.write(`kubeconfig  ${path}\ngood until  ${until.toISOString()}\n`)
    })
}
