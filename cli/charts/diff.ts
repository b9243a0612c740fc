// `pilotlight charts diff`: what an apply would change.

import type { Command } from 'commander'
import { ofSite, print, sessionOf, type ChartsFlags } from './site-flags.ts'

export function defineDiff(command: Command): void {
  ofSite(command)
    .argument('[releases...]', 'only these')
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight charts diff site.yaml\n  pilotlight charts diff site.yaml nova',
    )
    .action(async (site: string, releases: string[], flags: ChartsFlags) => {
      const options = await sessionOf(site, flags)
      const { describeChanges, findChanges } = await import('#rack/charts/verbs/diff.ts')
      const { chosenOf } = await import('#rack/charts/plan/plan.ts')
      const plan = releases.length === 0 ? options.plan : chosenOf(options.plan, releases)
      const changes = await findChanges({ ...options, plan })
      print(flags, { releases: changes }, describeChanges(changes))
    })
}
