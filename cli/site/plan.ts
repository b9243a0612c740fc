// `pilotlight plan`: what `up` would do.

import type { Command } from 'commander'
import { dataPathOption, serverOption, stateOption } from '../options.ts'
import { print, printJson } from '../terminal/show.ts'

type PlanFlags = {
  readonly server: string
  readonly dataPath: string
  readonly state: string
  readonly json?: boolean
}

export function definePlan(command: Command): void {
  command
    .argument('<site>', 'site file')
    .addOption(serverOption())
    .addOption(dataPathOption())
    .addOption(stateOption())
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      "\nExamples:\n  pilotlight plan site.yaml\n  pilotlight plan site.yaml --json | jq '.steps[]'",
    )
    .action(async (site: string, options: PlanFlags) => {
      const { planSite, planTable } = await import('#rack/up/plan.ts')
      const steps = await planSite(site, options.dataPath, options)
      if (options.json) printJson({ steps })
      else print(planTable(steps))
    })
}
