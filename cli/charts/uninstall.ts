// `pilotlight charts uninstall`: removes releases.

import type { Command } from 'commander'
import { Failure } from '#model/error.ts'
import { withProgress } from '../terminal/with-progress.ts'
import { ofSite, print, sessionOf, type ChartsFlags } from './site-flags.ts'

export function defineUninstall(command: Command): void {
  ofSite(command)
    .argument('[releases...]', 'only these')
    .option('--force', 'although servers exist: they end, and with --purge their disks go')
    .option('--purge', 'cleans the machines too: guests, networks, data; removes namespace and Secrets')
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight charts uninstall site.yaml heat\n  pilotlight charts uninstall site.yaml --purge',
    )
    .action(
      async (site: string, releases: string[], flags: ChartsFlags & { force?: boolean; purge?: boolean }) => {
        const options = await sessionOf(site, flags)
        const { removeCharts } = await import('#rack/charts/verbs/uninstall.ts')
        const { force = false, purge = false } = flags
        if (purge && releases.length > 0)
          throw new Failure('BAD_OPTION', '--purge cleans up after everything', 'name no release with it')
        await withProgress(async ({ stage, signal, summary }) => {
          const only = releases.length === 0 ? {} : { only: releases }
          const result = await removeCharts({ ...options, ...only, force, purge, stage, signal })
          summary()
          print(flags, result, [
            `removed: ${result.removed.join(' ') || 'nothing was there'}${purge ? '; the machines are clean' : ''}`,
          ])
        })
      },
    )
}
