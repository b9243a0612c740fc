// The command line: knows the verbs by name, and loads a verb's code only when that verb is meant.

import { Command } from 'commander'
import { EXIT } from './exit.ts'
import { ROOT } from './root.ts'
import { addVerb, VERBS } from './verbs.ts'

const [node = '', script = '', ...words] = process.argv

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.done) // `| head` has seen enough
  process.exitCode = EXIT.failed
  void import('./error-report.ts').then(({ describeError }) => {
    process.stderr.write(`standard output cannot be written:\n${describeError(error)}\n`)
    process.exit(EXIT.failed)
  })
})

try {
  const program = await programFor(verbIn(words))
  await program.parseAsync([node, script, ...(await withoutForeignFlags(words))])
} catch (error) {
  await printError(error)
}

/** Prints what failed on standard error for people, and with --json also as JSON on standard output, where no result is yet. */
async function printError(error: unknown): Promise<void> {
  const { describeError, reportOf } = await import('./error-report.ts')
  const { asksForJson } = await import('./usage.ts')
  const { hasPrintedJson, jsonText, versioned } = await import('./terminal/show.ts')
  const report = reportOf(error)
  if (asksForJson(words) && !hasPrintedJson())
    process.stdout.write(`${jsonText(versioned({ error: report }), words.includes('jsonl') ? 0 : 2)}\n`)
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = report.exitStatus
}

/** The program with all verbs by their names, and the one that is meant in full. */
async function programFor(meant: string | undefined): Promise<Command> {
  const { usageFailure } = await import('./usage.ts')
  const program = new Command('pilotlight')
    .description('Turns a rack of bare machines into a running cloud.')
    .configureHelp({ sortSubcommands: false })
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .configureOutput({ outputError: () => {} }) // said by printError
    .exitOverride(error => {
      if (error.exitCode === 0) process.exit(EXIT.done)
      if (error.code === 'commander.help') process.exit(EXIT.usage) // the help was printed: a verb alone
      throw usageFailure(error, program, words)
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
  if (words[0] === '-V' || words[0] === '--version') {
    const { versionInfo } = await import('./about/version.ts')
    program.version(versionInfo(ROOT).version)
  } else program.option('-V, --version', 'output the version number')
  for (const verb of VERBS) {
    if (verb.name === meant) await addVerb(program, verb)
    else program.command(verb.name).description(verb.summary)
  }
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .action(async (typed: string[]) => {
      const { completions } = await import('./about/completion.ts')
      const found = await completions(program, typed)
      if (found.length > 0) process.stdout.write(`${found.join('\n')}\n`)
    })
  program
    .command('help')
    .description('explains a command, an error code such as PL-1002, or "exit-codes"')
    .argument('[topic...]', 'a command with its subcommand, a code, or exit-codes')
    .option('--json', 'the text as JSON')
    .action(async (topic: string[], { json = false }: { readonly json?: boolean }) => {
      const command = commandAt(program, topic)
      if (command !== undefined && !json) return command.outputHelp()
      const { printTopic } = await import('./about/help.ts')
      await printTopic(topic, json, command?.helpInformation())
    })
  return program
}

/** The verb that the words are about: also where they ask for its help, or for what may follow it. */
function verbIn([first, ...rest]: readonly string[]): string | undefined {
  if (first !== 'help' && first !== '__complete') return first
  return rest.find(word => word !== '--' && word !== 'help')
}

/** The command that a help topic names, such as `charts rotate`. */
function commandAt(program: Command, topic: readonly string[]): Command | undefined {
  return topic.reduce<Command | undefined>(
    (above, word) => above?.commands.find(sub => sub.name() === word || sub.aliases().includes(word)),
    program,
  )
}

/** The words without flags of Matchbox that `serve` takes in their stead from the environment or as they are. */
async function withoutForeignFlags([verb, ...rest]: readonly string[]): Promise<string[]> {
  if (verb !== 'serve') return [...(verb === undefined ? [] : [verb]), ...rest]
  const { withoutMatchboxFlags } = await import('#server/flags.ts')
  return [verb, ...withoutMatchboxFlags(rest, process.env)]
}
