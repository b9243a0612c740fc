// `pilotlight apply`, `diff` and `delete`: what files ask for, in one transaction.

import type { Command } from 'commander'
import type { InventoryClient, SentChange, ChangeOutcome } from '#client/inventory.ts'
import { cleanText } from '#model/clean.ts'
import { Failure } from '#model/error.ts'
import type { Kind } from '#model/kinds.ts'
import type { WrittenObject } from './documents.ts'
import { EXIT } from '../exit.ts'
import { kindArgument } from './kinds.ts'
import { serverOption } from '../options.ts'
import { print, printJson, show } from '../terminal/show.ts'

type Flags = {
  readonly server: string
  readonly filename?: readonly string[]
  readonly dryRun?: boolean
  readonly exitCode?: boolean
  readonly json?: boolean
}

export function defineApply(command: Command): void {
  command
    .argument('[file...]', FILES)
    .option('-f, --filename <file>', 'the same; may be given again', oneMore, [])
    .option('--dry-run', 'only say what would happen')
    .option('--json', 'say it as JSON')
    .addOption(serverOption())
    .addHelpText(
      'after',
      `
Each document has a kind (group, profile, template, machine) beside its own fields; one file may have several.

Examples:
  pilotlight apply rack.yaml
  pilotlight apply -f groups.yaml -f profiles.yaml
  pilotlight get groups -o yaml --server http://10.20.0.1:8080 | pilotlight apply -f -
  echo '{kind: group, id: spare, profile: live}' | pilotlight apply -f - --dry-run`,
    )
    .action(async (files: readonly string[], { server, filename, dryRun = false, json = false }: Flags) => {
      const outcomes = await send(await clientOf(server), await objectsIn(files, filename, 'apply'), dryRun)
      printAll(outcomes, { dryRun, json })
    })
}

export function defineDiff(command: Command): void {
  command
    .argument('[file...]', FILES)
    .option('-f, --filename <file>', 'the same; may be given again', oneMore, [])
    .option('--json', 'as JSON: each object with its result and its diff')
    .option('--exit-code', `end with ${EXIT.differs} when there are differences`)
    .addOption(serverOption())
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight diff -f rack.yaml\n  pilotlight diff -f rack.yaml --exit-code >/dev/null || echo it differs',
    )
    .action(async (files: readonly string[], { server, filename, exitCode = false, json = false }: Flags) => {
      const outcomes = await send(await clientOf(server), await objectsIn(files, filename, 'diff'), true)
      if (json) printJson(outcomes)
      else show(outcomes.map(({ diff = '' }) => diff).join(''))
      if (exitCode && outcomes.some(({ result }) => result !== 'unchanged')) process.exitCode = EXIT.differs
    })
}

export function defineDelete(command: Command): void {
  command
    .addArgument(kindArgument().argOptional())
    .argument('[ids...]', 'the ones to remove')
    .option('-f, --filename <file>', 'remove what a file names; may be given again', oneMore, [])
    .option('--dry-run', 'only say what would happen')
    .option('--json', 'say it as JSON')
    .addOption(serverOption())
    .addHelpText(
      'after',
      `
Examples:
  pilotlight delete group spare-1 spare-2
  pilotlight delete -f rack.yaml`,
    )
    .action(async (kind: Kind | undefined, ids: readonly string[], flags: Flags) => {
      const { server, filename, dryRun = false, json = false } = flags
      const named = kind === undefined ? [] : ids.map(id => ({ kind, id }))
      const wanted = [
        ...named,
        ...(filename === undefined || filename.length === 0 ? [] : await objectsIn(filename)),
      ]
      if (wanted.length === 0) {
        throw new Failure(
          'BAD_INPUT',
          'nothing to delete was named',
          'pilotlight delete group ID, or -f FILE',
        )
      }
      const client = await clientOf(server)
      const changes = wanted.map(it => ({ action: 'delete', kind: it.kind, id: it.id }) as const)
      const { outcomes } = await client.transaction(changes, { dryRun })
      printAll(outcomes, { dryRun, json })
    })
}

const FILES = 'YAML or JSON, a directory of such files, or - for the input'

function oneMore(file: string, before: readonly string[]): string[] {
  return [...before, file]
}

/** The objects of all files that were named, with or without -f. */
async function objectsIn(
  files: readonly string[],
  flagged: readonly string[] = [],
  verb = 'delete',
): Promise<WrittenObject[]> {
  const sources = [...files, ...flagged]
  if (sources.length === 0)
    throw new Failure(
      'BAD_OPTION',
      `no file was named`,
      `pilotlight ${verb} objects.yaml   or, from the input:  pilotlight ${verb} -`,
    )
  const { readObjects } = await import('./documents.ts')
  return sources.flatMap(readObjects)
}

async function clientOf(server: string): Promise<InventoryClient> {
  const { InventoryClient: Client } = await import('#client/inventory.ts')
  return new Client(server)
}

/** Sends all objects as one transaction; a fault is reported with its place in the file. */
async function send(
  client: InventoryClient,
  objects: readonly WrittenObject[],
  dryRun: boolean,
): Promise<readonly ChangeOutcome[]> {
  refuseTwice(objects)
  const changes: SentChange[] = objects.map(({ kind, object }) => ({ action: 'put', kind, object }))
  try {
    const { outcomes, lints = [] } = await client.transaction(changes, { dryRun })
    const { lintText } = await import('#server/boot/lint/findings.ts')
    for (const lint of lints) process.stderr.write(`${lintText(lint)}\n`)
    return outcomes
  } catch (error) {
    const { Refusal } = await import('#client/refusal.ts')
    if (!(error instanceof Refusal) || error.faults.length === 0) throw error
    const places = error.faults.map(({ pointer, detail }) => {
      const [, index = '0', rest = ''] = /^\/changes\/(\d+)\/object(.*)$/s.exec(pointer) ?? [
        undefined,
        '0',
        pointer,
      ]
      return `${objects[Number(index)]?.place(rest) ?? ''}: ${detail}`
    })
    const remedy = 'nothing was written; fix what is named, and run the same again'
    throw new Failure('BAD_INPUT', places.join('\n      '), remedy)
  }
}

function refuseTwice(objects: readonly WrittenObject[]): void {
  const places = new Map<string, string>()
  for (const object of objects) {
    const { kind, id } = object
    const place = object.place('')
    const before = places.get(`${kind} ${id}`)
    if (before !== undefined) {
      throw new Failure('BAD_INPUT', `${place}: ${kind} "${id}" is at ${before} already`, 'keep one of them')
    }
    places.set(`${kind} ${id}`, place)
  }
}

function printAll(
  outcomes: readonly ChangeOutcome[],
  { dryRun, json }: { dryRun: boolean; json: boolean },
): void {
  if (json) return printJson(outcomes)
  for (const outcome of outcomes) printOutcome(outcome, dryRun)
}

/** What became of one object, as JSON or as a line. */
export function printOne(outcome: ChangeOutcome, json: boolean): void {
  if (json) printJson(outcome)
  else printOutcome(outcome)
}

/** A line an object on the standard output; what is odd about it goes to people. */
function printOutcome({ kind, id, result, warnings }: ChangeOutcome, dryRun = false): void {
  print(`${kind} ${id} ${result}${dryRun ? ' (dry run)' : ''}`)
  for (const { detail } of warnings)
    process.stderr.write(`${cleanText(`warning ${kind} ${id}: ${detail}`, Infinity)}\n`)
}
