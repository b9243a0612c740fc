// `pilotlight import` and `export`: a data directory in Matchbox's layout into a server, and out of it again.

import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { Option, type Command } from 'commander'
import { CHANGES_AT_ONCE, type InventoryClient } from '#client/inventory.ts'
import { makeDirectory } from '#host/make-directory.ts'
import { replaceFile } from '#host/replace-file.ts'
import { pathWord } from '#host/shell.ts'
import { idOf, KINDS, type Kind, type KindedObject } from '#model/kinds.ts'
import { bytesOf } from '#model/text.ts'
import { fileTextOf, LAYOUT_FOLDERS, pathOf } from '#server/inventory/matchbox-text.ts'
import { Failure, PilotlightError } from '#model/error.ts'
import { serverOption } from '../options.ts'
import { print, printJson } from '../terminal/show.ts'

export function defineImport(command: Command): void {
  command
    .argument('<dir>', 'groups/, profiles/, ignition/, generic/, cloud/, and ours')
    .option('--dry-run', 'only say what would happen')
    .option('--skip-broken', 'leave out files that cannot be used, instead of importing nothing')
    .option('--hide', 'put also what hides another object of a file of the server, with the same id')
    .option('--replace', 'put also what replaces another object of the store, with the same id')
    .option('--json', 'say how many of each kind as JSON')
    .addOption(serverOption())
    .addHelpText(
      'after',
      `
Objects are written in transactions of at most ${CHANGES_AT_ONCE}, what is named before what names it; run it again after a failure.
What someone else changes on the server meanwhile is not replaced: the import ends (PRECONDITION_FAILED), and names it.

Examples:
  pilotlight import /var/lib/matchbox
  pilotlight import backup --dry-run`,
    )
    .action(importDirectory)
}

export function defineExport(command: Command): void {
  command
    .argument('<dir>', 'made when it is not there')
    .addOption(
      new Option('--source <layer>', 'only what was put, or only files').choices(['store', 'directory']),
    )
    .option('--force', 'write into a directory that holds such files already')
    .option('--json', 'say how many of each kind as JSON')
    .addOption(serverOption())
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight export backup\n  pilotlight export backup --source store',
    )
    .action(exportDirectory)
}

type Flags = { readonly server: string; readonly json?: boolean }
type ImportFlags = Flags & {
  readonly dryRun?: boolean
  readonly skipBroken?: boolean
  readonly hide?: boolean
  readonly replace?: boolean
}
type ExportFlags = Flags & { readonly source?: string; readonly force?: boolean }

async function importDirectory(folder: string, flags: ImportFlags): Promise<void> {
  const { batchesOf, InventoryClient: Client } = await import('#client/inventory.ts')
  const { dryRun = false, skipBroken = false, json = false, hide = false, replace = false } = flags
  const objects = await objectsBelow(folder, skipBroken)
  const client = new Client(flags.server)
  const { others, versions } = await compare(objects, client)
  const hidden = others.filter(({ source }) => source === 'directory').map(nameOf)
  if (hidden.length > 0 && !hide) throw wouldHide(folder, hidden)
  if (!replace) {
    const kept = others.filter(({ source }) => source === 'store')
    const replaced = kept.length === 0 ? [] : await changedBy(kept, client)
    if (replaced.length > 0) throw wouldReplace(folder, replaced, hide)
  }
  const counts = new Map<string, Count>()
  const changed: string[] = []
  const conditional = objects.map(one => ({ ...one, expect: versions.get(nameOf(one)) ?? 'absent' }))
  for (const changes of batchesOf(conditional)) {
    const { outcomes } = await client.transaction(changes, { dryRun }).catch((error: unknown) => {
      throw changedMeanwhile(error, counts.size > 0 && !dryRun)
    })
    for (const { kind, id, result } of outcomes) {
      if (result === 'changed') changed.push(`${kind} ${id}`)
      const { count = 0 } = counts.get(`${kind} ${result}`) ?? {}
      counts.set(`${kind} ${result}`, { kind, result, count: count + 1 })
    }
  }
  const sorted = [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count)
  for (const name of hidden) process.stderr.write(`${name} hides the file of the server with that id\n`)
  if (json) return printResult({ dryRun, counts: sorted, changed, hidden })
  const lines = sorted.map(count => `${countText(count)}${dryRun ? ' (dry run)' : ''}\n`)
  process.stdout.write(lines.join('') || 'nothing to import\n')
  if (changed.length > 0) print(`changed: ${namesOf(changed)}`)
}

/** An object that is imported where the server has another one of the same id, and where the server has it. */
type Other = KindedObject & { readonly source: 'store' | 'directory' }

/** What the server has under the ids of these objects. Of the server, objects of the store go before files. */
type Comparison = {
  /** Those of which the server has another text. */
  readonly others: readonly Other[]
  /** The version of each that the server has, by kind and id. */
  readonly versions: ReadonlyMap<string, string>
}

async function compare(objects: readonly KindedObject[], client: InventoryClient): Promise<Comparison> {
  const others: Other[] = []
  const versions = new Map<string, string>()
  for (const kind of KINDS) {
    const own = new Map(objects.flatMap(one => (one.kind === kind ? [[idOf(one), one]] : [])))
    if (own.size === 0) continue
    for await (const listed of client.list(kind)) {
      const object = own.get(listed.id)
      if (object === undefined) continue
      versions.set(nameOf(object), listed.version)
      const bytes = await bytesIn(client, kind, listed)
      if (!bytes.equals(bytesOf(fileTextOf(object)))) others.push({ ...object, source: listed.source })
    }
  }
  return { others, versions }
}

function nameOf(object: KindedObject): string {
  return `${object.kind} ${idOf(object)}`
}

/** The names of those objects that the server would change: it knows more texts of one object than this program. */
async function changedBy(objects: readonly Other[], client: InventoryClient): Promise<string[]> {
  const { batchesOf } = await import('#client/inventory.ts')
  const names: string[] = []
  for (const changes of batchesOf(objects)) {
    const { outcomes } = await client.transaction(changes, { dryRun: true })
    for (const { kind, id, result } of outcomes) if (result === 'changed') names.push(`${kind} ${id}`)
  }
  return names
}

function wouldReplace(folder: string, names: readonly string[], hide: boolean): Failure {
  const what =
    `${namesOf(names)} of ${folder} would replace ${names.length === 1 ? 'another object' : 'other objects'} of the server's store with the same id: ` +
    'machines whose groups name it would boot what is imported. Nothing was written'
  const flags = `${hide ? ' --hide' : ''} --replace`
  const remedy = `rename it in ${folder}, or, if that is meant:  pilotlight import ${pathWord(folder)}${flags}`
  return new Failure('IN_THE_WAY', what, remedy)
}

function wouldHide(folder: string, hidden: readonly string[]): Failure {
  const what =
    `${namesOf(hidden)} of ${folder} would hide ${hidden.length === 1 ? 'a file' : 'files'} of the server's data directory with the same id: ` +
    'machines whose groups name it would boot what is imported. Nothing was written'
  const remedy = `rename it in ${folder}, or, if that is meant:  pilotlight import ${pathWord(folder)} --hide`
  return new Failure('IN_THE_WAY', what, remedy)
}

/** Says of a write that was refused since someone else wrote the same object meanwhile which one that is; any other error stays as it is. */
function changedMeanwhile(error: unknown, isBegun: boolean): unknown {
  if (!(error instanceof PilotlightError) || error.code !== 'PRECONDITION_FAILED') return error
  const [, kind, id] = /^(\w+) "([^"]*)"/.exec(error.message) ?? [] // as the server names it
  const named = kind === undefined || id === undefined ? 'an object of the server' : `${kind} ${id}`
  const rest = isBegun
    ? 'What was imported before it is written; it and the rest are not'
    : 'Nothing was written'
  const look =
    kind === undefined || id === undefined
      ? ''
      : `look at it:  pilotlight history ${kind} ${pathWord(id)}   and `
  const what = `someone else changed ${named} while this import looked at the server. ${rest}`
  return new Failure('PRECONDITION_FAILED', what, `${look}run the same again`, { cause: error })
}

/** Some names, and how many more. */
function namesOf(names: readonly string[]): string {
  const more = names.length > 10 ? `, and ${names.length - 10} more` : ''
  return `${names.slice(0, 10).join(', ')}${more}`
}

/** How many objects of a kind had the same result. */
type Count = { readonly kind: Kind; readonly result: string; readonly count: number }

function printResult(result: object): void {
  printJson(result)
}

/** `1 group created`, `2 groups created`. */
function countText({ kind, result, count }: Count): string {
  return `${count} ${kind}${count === 1 ? '' : 's'} ${result}`
}

/** What a directory holds, templates first: nothing names what comes after it. */
async function objectsBelow(folder: string, skipBroken: boolean): Promise<KindedObject[]> {
  const remedy = 'name one that holds groups/ and profiles/'
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new Failure('BAD_INPUT', `${folder} is not a directory`, remedy)
  }
  if (!LAYOUT_FOLDERS.some(name => existsSync(join(folder, name)))) {
    const none = `${folder} is not a data directory: it has none of ${LAYOUT_FOLDERS.join(' ')}`
    throw new Failure('BAD_INPUT', none, remedy)
  }
  const { DataDirectory } = await import('#server/inventory/data-directory.ts')
  const directory = new DataDirectory(folder, () => {})
  directory.close() // it is read once
  const problems = directory.problems.map(
    ({ file, line, column, reason }) =>
      `${join(folder, file)}${line === undefined ? '' : `:${line}:${column}`}: ${reason}`,
  )
  if (problems.length > 0 && !skipBroken) {
    const nothing = 'nothing was written; fix them, or leave them out with --skip-broken'
    throw new Failure('BAD_INPUT', problems.join('\n      '), nothing)
  }
  for (const problem of problems) process.stderr.write(`skipped ${problem}\n`)
  const broken = new Set(directory.problems.map(({ file }) => file))
  const objects = [...directory.objects()].flatMap(({ kind, id, file }) => {
    if (file === undefined || broken.has(file.path)) return []
    // The name of a file is what it is known by.
    const object = kind === 'machine' ? file.object : { ...file.object, id }
    return [{ kind, object } as KindedObject] // a file's object is of its kind
  })
  return objects.toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind))
}

const ORDER: readonly Kind[] = ['template', 'profile', 'group', 'machine']

async function exportDirectory(
  folder: string,
  { server, source, force = false, json = false }: ExportFlags,
): Promise<void> {
  const { InventoryClient: Client } = await import('#client/inventory.ts')
  if (!force) refuseFilled(folder)
  const client = new Client(server)
  const counts: Count[] = []
  for (const kind of KINDS) {
    let count = 0
    for await (const listed of client.list(kind)) {
      if (source !== undefined && listed.source !== source) continue
      writeWhole(folder, pathOf(kind, listed.id), await bytesIn(client, kind, listed))
      count += 1
    }
    if (count > 0) counts.push({ kind, result: 'written', count })
  }
  if (json) return printResult({ counts })
  process.stdout.write(counts.map(count => `${countText(count)}\n`).join(''))
}

async function bytesIn(
  client: InventoryClient,
  kind: Kind,
  { id, object }: { readonly id: string; readonly object?: object },
): Promise<Buffer> {
  if (kind === 'template') return (await client.text(kind, id)).bytes
  return bytesOf(fileTextOf({ kind, object } as KindedObject)) // the list gives objects of its kind
}

function refuseFilled(folder: string): void {
  const filled = LAYOUT_FOLDERS.find(
    name => existsSync(join(folder, name)) && readdirSync(join(folder, name)).length > 0,
  )
  if (filled === undefined) return
  const remedy = 'choose another directory, or write over it with --force'
  throw new Failure('IN_THE_WAY', `${join(folder, filled)} holds files already`, remedy)
}

/** Writes a file whole or not at all, and never outside of the folder. */
function writeWhole(folder: string, name: string, bytes: Buffer): void {
  if (normalize(name) !== name || name.startsWith('/') || name.startsWith('..')) {
    throw new Failure(
      'BAD_ANSWER',
      `the server names an object ${name}`,
      'remove it there: no file could be called so',
    )
  }
  const path = join(folder, name)
  makeDirectory(dirname(path))
  replaceFile(path, bytes, { mode: 'umask', flush: false })
}
