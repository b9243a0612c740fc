// Mistakes on the command line, in our own sentences: what is wrong with which word, and a command that helps.

import type { Command, CommanderError } from 'commander'
import { Failure } from '#model/error.ts'

/**
 * The mistake that commander found in the command line, as one of our errors.
 *
 * @param words what was typed, without the program
 */
export function usageFailure(error: CommanderError, program: Command, words: readonly string[]): Failure {
  const command = commandIn(program, words)
  const name = nameOf(command)
  const [said = '', hint = ''] = error.message.replace(/^error: /, '').split('\n')
  const meant = /Did you mean (?:one of )?(.+?)\?\)$/.exec(hint)?.[1]
  const help = name === 'pilotlight' ? 'pilotlight --help' : `${name} --help`
  const what = SENTENCES[error.code]?.(said, command, name) ?? `${name}: ${said}`
  const [first] = meant?.split(', ') ?? []
  if (first === undefined) return new Failure('BAD_OPTION', what, help)
  const isVerb = error.code === 'commander.unknownCommand'
  return new Failure(
    'BAD_OPTION',
    `${what}; did you mean ${meant}?`,
    isVerb ? `${name} ${first} --help` : help,
  )
}

type Sentence = (said: string, command: Command, name: string) => string

const SENTENCES: Readonly<Record<string, Sentence>> = {
  'commander.unknownOption': (said, _, name) => `${name} has no flag ${quoted(said)}`,
  'commander.unknownCommand': (said, command, name) =>
    command.commands.length === 0 || name === 'pilotlight'
      ? `there is no command ${quoted(said)}`
      : `${name} has no command ${quoted(said)}: it has ${namesBelow(command)}`,
  'commander.missingArgument': (said, command, name) =>
    `${name} takes ${argumentsOf(command)}, and ${quoted(said)} is missing`,
  'commander.excessArguments': (_, command, name) => {
    const taken = command.registeredArguments.length
    const extra = command.args[taken]
    const takes = taken === 0 ? 'no argument' : `${argumentsOf(command)} and no more`
    return `${name} takes ${takes}${extra === undefined ? '' : `: "${extra}" is too much`}`
  },
  'commander.optionMissingArgument': (said, _, name) => `${name}: the flag ${quoted(said)} needs a value`,
  'commander.missingMandatoryOptionValue': (said, _, name) => `${name} needs the flag ${quoted(said)}`,
  'commander.invalidArgument': (said, _, name) => {
    const [, flag, value = '', reason = ''] =
      /^option '([^']+)' (?:value '.*' from env '.*' is invalid\.|argument '(.*?)' is invalid\.) ?(.*)$/s.exec(
        said,
      ) ?? []
    if (flag !== undefined) return `${name}: ${flag.split(/[ ,]/)[0]} cannot be "${value}"${after(reason)}`
    const [, word = '', argument = '', why = ''] =
      /^command-argument value '(.*?)' is invalid for argument '([^']+)'\. ?(.*)$/s.exec(said) ?? []
    return `${name}: ${argument} cannot be "${word}"${after(why)}`
  },
}

function after(reason: string): string {
  const text = reason.replace(/^Allowed choices are /, 'it is one of ').replace(/\.$/, '')
  return text === '' ? '' : `: ${text}`
}

/** The last quoted word of commander's sentence. */
function quoted(said: string): string {
  return `"${/'([^']*)'[^']*$/.exec(said)?.[1] ?? said}"`
}

function argumentsOf(command: Command): string {
  return command.registeredArguments
    .map(argument => {
      const name = `${argument.name()}${argument.variadic ? '...' : ''}`
      return argument.required ? `<${name}>` : `[${name}]`
    })
    .join(' ')
}

function namesBelow(command: Command): string {
  return command.commands
    .map(one => one.name())
    .filter(name => name !== 'help')
    .join(', ')
}

/** The command that the words are about: the deepest one that they name in order, with flags between them. */
export function commandIn(program: Command, words: readonly string[]): Command {
  let command = program
  for (const word of words) {
    if (word === '--') break
    const below = command.commands.find(one => one.name() === word || one.aliases().includes(word))
    if (below !== undefined) command = below
    else if (!word.startsWith('-')) break
  }
  return command
}

/** `pilotlight lab power`. */
export function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`
}

/** Says whether the words ask for JSON: by `--json`, or by `-o json` and `-o jsonl`. */
export function asksForJson(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  const own = end < 0 ? words : words.slice(0, end)
  if (own[0] === 'lab' && own[1] === 'exec') return false // what follows is another program's
  return own.some(
    (word, at) =>
      word === '--json' ||
      /^(?:-o=?|--output=)jsonl?$/.test(word) ||
      (/^(?:-o|--output)$/.test(word) && /^jsonl?$/.test(own[at + 1] ?? '')),
  )
}
