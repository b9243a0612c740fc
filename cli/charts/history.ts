// `pilotlight charts history`: the steps that were taken.

import type { Command } from 'commander'
import { numberOf, ofSite, print, sessionOf, type ChartsFlags } from './site-flags.ts'

export function defineHistory(command: Command): void {
  ofSite(command)
    .argument('[release]', 'only of this one')
    .option('--limit <steps>', 'how many', numberOf, 40)
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight charts history site.yaml\n  pilotlight charts history site.yaml nova',
    )
    .action(async (site: string, release: string | undefined, flags: ChartsFlags & { limit: number }) => {
      const options = await sessionOf(site, flags)
      const { readHistory, describeHistory } = await import('#rack/charts/verbs/history.ts')
      const history = await readHistory(options, flags.limit, release)
      print(flags, history, describeHistory(history))
    })
}
