// A directory in Matchbox's layout as a layer that is only read: groups, profiles and templates, read at the start and
// again, file by file, when they change. A file that breaks keeps its last good version and is listed as a problem.

import { hash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Kind, Objects } from '#model/kinds.ts'
import type { Machine } from '#model/machine.ts'
import { TEMPLATE_FOLDERS } from '#model/template.ts'
import { textOf } from '#model/text.ts'
import { messageOf } from '#progress/wait.ts'
import { CLOCK_STEP_MS, DirectoryTree, isNowhere } from './directory-tree.ts'
import { BrokenFile, membersOf, parseGroup, parseProfile, placeOf } from './matchbox-files.ts'
import { checkObject } from './object-check.ts'
import { templateFindings } from './template-check.ts'

/** An object of the directory. */
export type FileObject = {
  readonly object: Objects[Kind]
  /** Names this content: two files of one version hold the same bytes. */
  readonly version: string
  /** Below the directory. */
  readonly path: string
}

/** A file that cannot be used, and why. Where it has a last good version, that one serves on. */
export type Problem = {
  readonly file: string
  readonly reason: string
  readonly line?: number
  readonly column?: number
}

/** A problem on one line, with its place. */
export function problemText({ file, line, column, reason }: Problem): string {
  const place = line === undefined ? file : `${file}:${line}:${column}`
  return `${place}: ${reason}`
}

/** What is there now under an id; no file when there is none any more. */
export type FileChange = { readonly kind: Kind; readonly id: string; readonly file: FileObject | undefined }

/** Bytes that a file may have; a larger file is not a configuration. */
const LARGEST_FILE = 16 << 20

/** The directory as it is kept in memory. */
export class DataDirectory {
  readonly path: string
  readonly #files = new Map<string, Kept>()
  readonly #tree: DirectoryTree

  /**
   * Reads the directory, and reports to `onChange` what changes from then on.
   *
   * @param onChange gets the objects that changed, which may be none where only a problem did
   */
  constructor(path: string, onChange: (changes: readonly FileChange[]) => void) {
    this.path = path
    this.#tree = new DirectoryTree(path, FOLDERS, files => {
      const changes = this.#refresh(files)
      if (changes !== undefined) onChange(changes)
    })
    this.#refresh(this.#tree.files())
  }

  /** All objects. */
  *objects(): Iterable<FileChange> {
    for (const [path, { file }] of this.#files) if (file !== undefined) yield { ...placed(path), file }
  }

  /** The files that cannot be used, by name. */
  get problems(): readonly Problem[] {
    const unlisted = [...this.#tree.unlisted].map(([file, reason]) => ({ file, reason }))
    const problems = [...unlisted, ...[...this.#files.values()].flatMap(({ problem }) => problem ?? [])]
    return problems.toSorted((a, b) => (a.file < b.file ? -1 : 1))
  }

  /**
   * Resolves once what is on disk by now was reported. What is being written is waited for, some tenths of a second at
   * most.
   */
  caughtUp(): Promise<void> {
    return this.#tree.caughtUp()
  }

  close(): void {
    this.#tree.close()
  }

  /** Reads files again; gives the objects that changed, or undefined when not even a problem did. */
  #refresh(paths: Iterable<string>): FileChange[] | undefined {
    const changes: FileChange[] = []
    let isNews = false
    for (const path of paths) {
      if (!isObject(path)) continue
      const before = this.#files.get(path)
      const after = this.#read(path, before)
      if (after === before) continue
      if (after?.file !== before?.file || !isSame(after?.problem, before?.problem)) isNews = true
      if (after === undefined) this.#files.delete(path)
      else this.#files.set(path, after)
      if (after?.file !== before?.file) changes.push({ ...placed(path), file: after?.file })
    }
    return isNews ? changes : undefined
  }

  #read(path: string, before: Kept | undefined): Kept | undefined {
    let stamp = ''
    try {
      const { mtimeMs, ctimeMs, size, ino } = statSync(join(this.path, path))
      // Just after a change the next one may leave a file its time and its size: then these say nothing.
      const isFresh = [mtimeMs, ctimeMs].some(ms => Math.abs(Date.now() - ms) <= CLOCK_STEP_MS)
      // Joined, because V8 keeps what a text was added up or cut from: tens of megabytes with 100,000 files.
      if (!isFresh) stamp = [mtimeMs, ctimeMs, size, ino].join(' ')
      if (!isFresh && before?.stamp === stamp) return before
      if (size > LARGEST_FILE) throw new BrokenFile(`has ${size} bytes; at most ${LARGEST_FILE} are read`)
      const bytes = readFileSync(join(this.path, path))
      const version = ['f', hash('sha256', bytes, 'hex').slice(0, 16)].join('')
      if (before?.version === version) return { ...before, stamp }
      const { file, problem } = this.#parsed(path, textOf(bytes), version, before)
      const kept = file?.version === before?.file?.version ? before?.file : file
      return { stamp, version, ...(kept && { file: kept }), ...(problem && { problem }) }
    } catch (error) {
      if (isNowhere(error)) return undefined
      const problem = { file: path, reason: messageOf(error) }
      return { stamp, problem, ...(before?.file && { file: before.file }) }
    }
  }

  #parsed(
    path: string,
    text: string,
    version: string,
    before: Kept | undefined,
  ): Pick<Kept, 'file' | 'problem'> {
    const { kind, id } = placed(path)
    if (kind === 'template') {
      const object = { id, content: text }
      const [wrong] = templateFindings(object).filter(({ severity }) => severity === 'error')
      if (wrong === undefined || isHidden(path)) return { file: { object, version, path } }
      // Without a good version this one is served: a request for it gets the reason.
      const { message: reason, line, column } = wrong
      return {
        problem: { file: path, reason, line, column },
        file: before?.file ?? { object, version, path },
      }
    }
    try {
      return { file: { object: PARSERS[kind](text, id), version, path } }
    } catch (error) {
      if (!(error instanceof BrokenFile)) throw error
      const problem = { file: path, reason: error.message, ...placeOf(text, error) }
      return { problem, ...(before?.file && { file: before.file }) }
    }
  }
}

/** A file: when it was last changed and which content it had then, the object of its last good content, and what is wrong. */
type Kept = {
  readonly stamp: string
  readonly version?: string
  readonly file?: FileObject
  readonly problem?: Problem
}

function isSame(a: Problem | undefined, b: Problem | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && problemText(a) === problemText(b))
}

/** The folders that hold objects, and whether folders in them do too. */
const FOLDERS = new Map<string, { readonly deep: boolean }>([
  ['groups', { deep: false }],
  ['profiles', { deep: true }],
  ['machines', { deep: false }],
  ...TEMPLATE_FOLDERS.map(folder => [folder, { deep: true }] as const),
])

const PARSERS = { group: parseGroup, profile: parseProfile, machine: parseMachine } as const

/** Parses a machine strictly: the format is ours, so no file of Matchbox's has to be accepted. @throws {BrokenFile} */
function parseMachine(text: string): Machine {
  const fields = membersOf(text)
  const { good, faults } = checkObject('machine', Object.fromEntries(fields))
  if (good?.kind === 'machine') return good.object
  const [{ detail, pointer } = { detail: 'it is not a machine', pointer: '' }] = faults
  throw new BrokenFile(detail, pointer.split('/').slice(1))
}

/** Groups, profiles and machines are JSON files; in the other folders every file counts, since a profile may name it. */
function isObject(path: string): boolean {
  if (!path.includes('/')) return false
  if (/^(?:groups|profiles|machines)\//.test(path)) return path.endsWith('.json')
  return true
}

/** Says whether a file looks like an editor's: what is wrong with it is no problem as long as nothing is served from it. */
function isHidden(path: string): boolean {
  return /(?:^|\/)\.[^/]*$|~$/.test(path)
}

/** Which object a path holds. Its name counts, not the id inside, as for Matchbox's gRPC. */
function placed(path: string): { readonly kind: Kind; readonly id: string } {
  const [, folder, rest = ''] = /^([^/]+)\/(.*?)(?:\.json)?$/s.exec(path) ?? []
  if (folder === 'groups') return { kind: 'group', id: rest }
  if (folder === 'profiles') return { kind: 'profile', id: rest }
  if (folder === 'machines') return { kind: 'machine', id: rest }
  return { kind: 'template', id: path }
}
