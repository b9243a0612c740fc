// `pilotlight charts rollback`: an earlier revision of a release.

import type { Command } from 'commander'
import { inStage } from '#progress/stage.ts'
import { withProgress } from '../terminal/with-progress.ts'
import { numberOf, ofSite, print, sessionOf, type ChartsFlags } from './site-flags.ts'

export function defineRollback(command: Command): void {
  ofSite(command)
    .argument('<release>', 'which')
    .argument('[revision]', 'the one before the last by default', numberOf)
    .addHelpText(
      'after',
      `
Objects and values come back; what a newer version did to the database stays. The next apply installs the plan again.

Examples:
  pilotlight charts history site.yaml nova
  pilotlight charts rollback site.yaml nova 3`,
    )
    .action(async (site: string, release: string, revision: number | undefined, flags: ChartsFlags) => {
      const options = await sessionOf(site, flags)
      const { rollbackRelease } = await import('#rack/charts/verbs/rollback.ts')
      await withProgress(async ({ stage, signal, summary }) => {
        const result = await inStage(stage, release, work =>
          rollbackRelease({ ...options, stage: work, signal }, release, revision),
        )
        summary()
        print(flags, result, [`${release} is as in revision ${result.to}, now revision ${result.revision}`])
      })
    })
}
