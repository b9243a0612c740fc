// The command line: parses flags, and loads a verb's code only when that verb runs.

import { join, resolve } from 'node:path'
import { Argument, Command, Option } from 'commander'
import { nearest } from '#model/nearest.ts'
import { withoutMatchboxFlags } from '#server/flags.ts'
import { addChartsCommand } from './charts.ts'
import { completions, completionScript, SHELLS } from './completion.ts'
import { addApplyCommands } from './apply.ts'
import { addAssetsCommand } from './assets.ts'
import { addBackupCommands } from './backup.ts'
import { addDescribeCommand } from './describe.ts'
import { addEditCommand } from './edit.ts'
import { addGetCommand } from './get.ts'
import { addHistoryCommand } from './history.ts'
import { addImportCommands } from './import.ts'
import { CommandError, describeError, EXIT, statusOf } from './exit.ts'
import { addLabCommand } from './lab.ts'
import { addImagesCommand } from './images.ts'
import { addKubeconfigCommand } from './kubeconfig.ts'
import { addInitCommand } from './init.ts'
import { addExplainCommand } from './explain.ts'
import { addLintCommand } from './lint.ts'
import { addMachinesCommand } from './machines.ts'
import { addOpenstackCommand } from './openstack.ts'
import { serverOption, stateOption } from './options.ts'
import { addSbomCommand } from './sbom.ts'
import { addServeCommand } from './serve.ts'
import { print, printJson } from './show.ts'
import { addTokensCommand } from './tokens.ts'
import { addVerifyCommand } from './verify.ts'
import { addVersionCommand, versionInfo } from './version.ts'
import { withProgress } from './with-progress.ts'

const ROOT = resolve(import.meta.dirname, '..')
const DAY_SECONDS = 86_400

const program = new Command('pilotlight')
  .description('Turns a rack of bare machines into a running cloud.')
  .version(versionInfo(ROOT).version)
  .configureHelp({ sortSubcommands: false })
  .enablePositionalOptions()
  .showSuggestionAfterError()
  .exitOverride(error => {
    process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage)
  })
  .addHelpText(
    'after',
    `
Examples:
  pilotlight lab                     a virtual rack on this machine, from power-on to OpenStack
  pilotlight plan site.yaml          what would be done, nothing touched
  pilotlight up site.yaml            make it true; run it again after any failure
  pilotlight get machines            who is there and how far
  pilotlight help PL-1002            what an error means`,
  )

const dataPath = () =>
  new Option('--data-path <dir>', 'data directory: profiles, ignition, ipxe')
    .env('PILOTLIGHT_DATA_PATH')
    .default(ROOT)

addServeCommand(program, ROOT)
addInitCommand(program)

program
  .command('plan')
  .description('says what `up` would do, touching nothing')
  .argument('<site>', 'site file')
  .addOption(serverOption())
  .addOption(dataPath())
  .addOption(stateOption())
  .option('--json', 'as JSON')
  .addHelpText(
    'after',
    "\nExamples:\n  pilotlight plan site.yaml\n  pilotlight plan site.yaml --json | jq '.steps[]'",
  )
  .action(async (site: string, options: PlanFlags) => {
    const { planSite, planTable } = await import('./plan.ts')
    const steps = await planSite(site, options.dataPath, options)
    if (options.json) printJson({ apiVersion: 'pilotlight/v1', steps })
    else print(planTable(steps))
  })

program
  .command('up')
  .description('makes a site true: boot, Kubernetes, OpenStack')
  .argument('<site>', 'site file')
  .addOption(serverOption())
  .addOption(dataPath())
  .addOption(stateOption())
  .option(
    '--power-on <command>',
    'switches on machine {name}, for example "ipmitool -H bmc-{name} … chassis power on"',
  )
  .option('--tools <dir>', 'where kubectl and helm lie (PATH otherwise)')
  .option('--boot-limit <seconds>', 'a machine must be ready after so long', seconds, 900)
  .addOption(
    new Option(
      '--approve <who>',
      'trust the first key of each machine, and pin it, whatever the site file says; while up runs',
    ).choices(['first-boot']),
  )
  .addOption(
    new Option('--until <stage>', 'end after this stage')
      .choices(['cluster', 'openstack'])
      .default('openstack'),
  )
  .addHelpText(
    'after',
    `
Examples:
  pilotlight up site.yaml --power-on 'ipmitool -H bmc-{name} -U admin -f pass chassis power on'
  pilotlight up site.yaml --until cluster`,
  )
  .action(async (site: string, options: UpFlags) => {
    const { up } = await import('./up.ts')
    const { askYes, tellLines } = await import('./ask.ts')
    const { describeUp } = await import('./up-report.ts')
    const { bootLimit, ...rest } = options
    await withProgress(async ({ stage, signal, summary, drawing }) => {
      const asking = process.stdin.isTTY && process.stderr.isTTY
      const ask = asking ? (text: string) => askYes(text, drawing, signal) : undefined
      const given = {
        ...rest,
        site,
        bootLimitSeconds: bootLimit,
        ...(ask && { ask }),
        tell: (text: string) => tellLines(text, drawing),
      }
      const result = await up(given, stage, signal)
      summary()
      print(describeUp(result).join('\n'))
    })
  })

type PlanFlags = { server: string; dataPath: string; state: string; json?: boolean }

type UpFlags = {
  server: string
  dataPath: string
  state: string
  powerOn?: string
  tools?: string
  approve?: 'first-boot'
  bootLimit: number
  until: 'cluster' | 'openstack'
}

addKubeconfigCommand(program)
addGetCommand(program)
addDescribeCommand(program)
addApplyCommands(program)
addEditCommand(program)
addHistoryCommand(program)
addImportCommands(program)

program
  .command('journal')
  .description('tells the last boot of a machine, packet by packet')
  .argument('<machine>', 'name of the machine')
  .addOption(serverOption())
  .option('--boot <id>', 'an earlier boot')
  .option('--json', 'as JSON')
  .addHelpText(
    'after',
    '\nExamples:\n  pilotlight journal cmp-1\n  pilotlight journal cmp-1 --boot b-0007 --json',
  )
  .action(async (machine: string, options: { server: string; boot?: string; json?: boolean }) => {
    const { ServerClient } = await import('./server-client.ts')
    const accept = options.json ? 'application/json' : 'text/plain'
    const text = (await new ServerClient(options.server).journal(machine, accept, options.boot)).trimEnd()
    if (options.json) printJson(JSON.parse(text))
    else print(text)
  })

addChartsCommand(program)
addVerifyCommand(program)
addOpenstackCommand(program)
addLabCommand(program, ROOT)
addImagesCommand(program)
addSbomCommand(program, ROOT)
addAssetsCommand(program)
addExplainCommand(program)
addLintCommand(program, ROOT)
addTokensCommand(program)
addBackupCommands(program, ROOT)
addMachinesCommand(program)
addVersionCommand(program, ROOT)

program
  .command('completion')
  .description('prints a completion script:  source <(pilotlight completion bash)')
  .addArgument(new Argument('<shell>').choices(SHELLS))
  .addHelpText(
    'after',
    `
Verbs, flags, their values, and the ids that the server of PILOTLIGHT_SERVER knows.

Examples:
  source <(pilotlight completion bash)
  pilotlight completion zsh > "\${fpath[1]}/_pilotlight"
  pilotlight completion fish > ~/.config/fish/completions/pilotlight.fish`,
  )
  .action((shell: (typeof SHELLS)[number]) => print(completionScript(shell).trimEnd()))

program
  .command('__complete', { hidden: true })
  .argument('[words...]')
  .allowUnknownOption()
  .action(async (words: string[]) => print((await completions(program, words)).join('\n')))

program
  .command('help')
  .description('explains a command, an error code such as PL-1002, or "exit-codes"')
  .argument('[topic...]', 'a command with its subcommand, a code, or exit-codes')
  .action(async (words: string[]) => {
    const command = words.reduce<Command | undefined>(
      (above, word) => above?.commands.find(sub => sub.name() === word || sub.aliases().includes(word)),
      program,
    )
    if (command !== undefined) return command.outputHelp()
    const { helpTopic } = await import('./help.ts')
    const topic = words.join(' ')
    const text = await helpTopic(topic, join(ROOT, 'docs', 'errors.md'))
    if (text === undefined) {
      const meant = nearest(
        words[0] ?? '',
        program.commands.map(sub => sub.name()),
      )
      const mend = meant === undefined ? 'pilotlight help' : `did you mean  pilotlight help ${meant}`
      throw new CommandError(EXIT.notFound, `nothing is known of "${topic}"`, mend)
    }
    print(text)
  })

function seconds(text: string): number {
  const number = Number(text)
  if (number > 0 && number <= DAY_SECONDS) return number
  const mend = `give a number greater than 0, and at most ${DAY_SECONDS}: a day`
  throw new CommandError(EXIT.usage, `"${text}" is not a usable number of seconds`, mend)
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.failed) // `| head` has seen enough
})

try {
  const [node = '', script = '', verb, ...rest] = process.argv
  const given = verb === 'serve' ? withoutMatchboxFlags(rest, process.env) : rest
  await program.parseAsync([node, script, ...(verb === undefined ? [] : [verb]), ...given])
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = statusOf(error)
}
