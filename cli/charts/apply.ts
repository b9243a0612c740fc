// `pilotlight charts apply`: installs what is not as planned.

import type { Command } from 'commander'
import { withProgress } from '../terminal/with-progress.ts'
import { ofSite, print, sessionOf, type ChartsFlags } from './site-flags.ts'

export function defineApply(command: Command): void {
  ofSite(command)
    .argument('[releases...]', 'only these')
    .addHelpText(
      'after',
      `
Run again after any failure or kill: what is done is only looked at.

Examples:
  pilotlight charts apply site.yaml
  pilotlight charts apply site.yaml nova neutron`,
    )
    .action(async (site: string, releases: string[], flags: ChartsFlags) => {
      const options = await sessionOf(site, flags)
      const { applyCharts } = await import('#rack/charts/verbs/apply.ts')
      await withProgress(async ({ stage, signal, summary }) => {
        const only = releases.length === 0 ? {} : { only: releases }
        const result = await applyCharts({ ...options, ...only, stage, signal })
        summary()
        const lines = result.releases.map(
          ({ name, revision, applied }) =>
            `${name.padEnd(12)} revision ${revision}${applied ? '' : ', was there already'}`,
        )
        print(flags, { releases: result.releases }, lines)
      })
    })
}
