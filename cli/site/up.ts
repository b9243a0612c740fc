// `pilotlight up`: makes a site true.

import { InvalidArgumentError, Option, type Command } from 'commander'
import type { PendingKeys } from '#rack/up/approvals.ts'
import type { Until } from '#rack/up/steps.ts'
import { dataPathOption, serverOption, stateOption } from '../options.ts'
import { print, printJson } from '../terminal/show.ts'
import { withProgress } from '../terminal/with-progress.ts'

const DAY_SECONDS = 86_400

export function defineUp(command: Command): void {
  command
    .argument('<site>', 'site file')
    .addOption(serverOption())
    .addOption(dataPathOption())
    .addOption(stateOption())
    .option(
      '--power-on <command>',
      'switches on machine {name}, for example "ipmitool -H bmc-{name} … chassis power on"',
    )
    .option('--tools <dir>', 'the folder of kubectl and helm (PATH is searched otherwise)')
    .option('--boot-limit <seconds>', 'a machine must be ready after so long', seconds, 900)
    .addOption(
      new Option(
        '--approve <who>',
        'trust the first key of each machine, and pin it, whatever the site file says; while up runs',
      ).choices(['first-boot']),
    )
    .option(
      '--replace-authority',
      'replace every certificate of the site, where the server has it with those of another --state',
    )
    .option(
      '--boot-anyway',
      'switch machines on although the server finds that they would not boot (pilotlight doctor)',
    )
    .addOption(
      new Option('--until <stage>', 'end after this stage')
        .choices(['boot', 'cluster', 'openstack'])
        .default('openstack'),
    )
    .option('--json', 'the result as JSON on standard output; progress stays on standard error')
    .addHelpText(
      'after',
      `
Examples:
  pilotlight up site.yaml --power-on 'ipmitool -H bmc-{name} -U admin -f pass chassis power on'
  pilotlight up site.yaml --until cluster`,
    )
    .action(async (site: string, options: UpFlags) => {
      const { up } = await import('#rack/up/up.ts')
      const { askYes, printLines } = await import('../terminal/ask.ts')
      const { askAboutKeys } = await import('./ask-about-keys.ts')
      const { describeUp, upJson } = await import('./up-report.ts')
      const { bootLimit, json, ...rest } = options
      await withProgress(async ({ stage, signal, summary, drawing }) => {
        const show = (text: string) => printLines(text, drawing)
        const ask = (text: string) => askYes(text, drawing, signal)
        const isAtTerminal = process.stdin.isTTY && process.stderr.isTTY
        const given = {
          ...rest,
          site,
          bootLimitSeconds: bootLimit,
          ...(isAtTerminal && { approves: (keys: PendingKeys) => askAboutKeys(keys, { ask, show }) }),
          show,
        }
        const result = await up(given, stage, signal)
        summary()
        if (json) printJson(upJson(result))
        else print(describeUp(result).join('\n'))
      }, 'Machines that were switched on go on booting.')
    })
}

type UpFlags = {
  server: string
  dataPath: string
  state: string
  powerOn?: string
  tools?: string
  approve?: 'first-boot'
  replaceAuthority?: boolean
  bootAnyway?: boolean
  bootLimit: number
  json?: boolean
  until: Until
}

/** A flag's text as a number of seconds. */
function seconds(text: string): number {
  const number = Number(text)
  if (number > 0 && number <= DAY_SECONDS) return number
  throw new InvalidArgumentError(`it is a number of seconds greater than 0, at most ${DAY_SECONDS}: a day`)
}
