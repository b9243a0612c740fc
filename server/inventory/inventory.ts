// What the server knows and how it is changed: the store over the data directory, checked, committed, then in effect.

import type { Fault } from '#model/fault.ts'
import { idOf, type Kind } from '#model/kinds.ts'
import type { SiteObjects } from '#model/site.ts'
import {
  InvalidObject,
  NotStored,
  PreconditionFailed,
  ReadOnlyObject,
  UnknownRevision,
} from '../store/errors.ts'
import type { Auditing } from '../store/audit.ts'
import type { Log } from '../log.ts'
import { Catalog } from './catalog.ts'
import type { Change, Entry, Outcome } from './changes.ts'
import { problemText, type DataDirectory, type FileChange } from './data-directory.ts'
import { checkObject } from './object-check.ts'
import type { ObjectStore, Revision, RowChange, RowOutcome, StoredNetwork } from '../store/objects.ts'
import { referenceWarnings } from './references.ts'
import { templateFiles, type TemplateFiles } from './template-files.ts'

/** How a write is made. */
export type WriteOptions = {
  /** Who writes. */
  readonly who: string
  /** The start of its entry in the audit log, which is committed with it. */
  readonly audit?: Auditing | undefined
  /** Only say what would happen. */
  readonly dryRun?: boolean
  /** Called by a dry run while what it tries is in the catalog. */
  readonly look?: () => void
  /**
   * As Matchbox's own API, for programs that were written for it: what is wrong in the text of a template is a warning,
   * and the deletion of a file hides it, as it is now.
   */
  readonly lenient?: boolean
}

/** The two layers and what is in effect. */
export class Inventory {
  /** What decides, always as of now. */
  readonly catalog = new Catalog()
  /** The templates in effect. */
  readonly files: TemplateFiles = templateFiles(this.catalog)
  readonly #store: ObjectStore
  readonly #now: () => number
  readonly #log: Log
  #directory: DataDirectory | undefined
  #directoryChanges = 0
  #directoryVersion = 0
  #tried = 0

  /** Use `Inventory.open`. */
  private constructor(store: ObjectStore, now: () => number, log: Log) {
    this.#store = store
    this.#now = now
    this.#log = log
  }

  /**
   * Takes what the store has, and follows it from there.
   *
   * @param now milliseconds since 1970
   */
  static async open(store: ObjectStore, now: () => number, log: Log): Promise<Inventory> {
    const inventory = new Inventory(store, now, log)
    const { catalog } = inventory
    const setNetworks = (networks: readonly StoredNetwork[]) => {
      catalog.networks = networks.map(({ network }) => network)
    }
    await store.follow({
      begin: ({ objects, networks }) => {
        for (const stored of objects) catalog.setStored(stored.kind, stored.id, stored)
        setNetworks(networks)
      },
      objects: outcomes => {
        for (const { kind, id, before, after } of outcomes) {
          if (before !== after) catalog.setStored(kind, id, after)
        }
      },
      networks: setNetworks,
    })
    return inventory
  }

  /** Puts a data directory below the store; `directoryChanged` must be called for its changes. */
  addDirectory(directory: DataDirectory): void {
    this.#directory = directory
    this.directoryChanged(directory.objects())
  }

  /** Waits until the catalog has what is in the data directory by now; says whether that changed anything. */
  async caughtUp(): Promise<boolean> {
    const before = this.#directoryChanges
    await this.#directory?.caughtUp()
    return this.#directoryChanges > before
  }

  /** Changes whenever a file of the data directory, or what is wrong with one, does. */
  get directoryVersion(): number {
    return this.#directoryVersion
  }

  /** Takes what changed in the data directory, and logs the problems that are new. */
  directoryChanged(changes: Iterable<FileChange>): void {
    for (const { kind, id, file } of changes) {
      this.catalog.setFile(kind, id, file)
      this.#directoryChanges += 1
    }
    this.#directoryVersion += 1
    const known = new Set(this.catalog.problems.map(problemText))
    this.catalog.problems = this.#directory?.problems ?? []
    for (const problem of this.catalog.problems) {
      const text = problemText(problem)
      if (!known.has(text)) this.#log('warn', `${text} (its last good version, if it had one, serves on)`)
    }
  }

  /** The object in effect. */
  get<K extends Kind>(kind: K, id: string): Entry<K> | undefined {
    return this.catalog.entry(kind, id)
  }

  /** All objects in effect, in the byte order of their file names. */
  list<K extends Kind>(kind: K): readonly Entry<K>[] {
    return this.catalog.entries(kind)
  }

  /**
   * Makes all changes or none; they are on disk and in effect when it resolves. A dry run says what they would do.
   *
   * @throws {InvalidObject} 400 {NotStored} 404 {PreconditionFailed} 412 {OwnedBySite} {SiteConflict} {ReadOnlyObject} 409
   */
  async write(
    changes: readonly Change[],
    { who, audit, dryRun = false, look = () => {}, lenient = false }: WriteOptions,
  ): Promise<Outcome[]> {
    const checked = this.#checked(changes, lenient)
    const rows = checked.map(({ change }) => this.#rowOf(change, lenient))
    const author = { who, at: this.#now(), audit }
    const before = checked.map(({ change }) => this.get(change.kind, changedId(change)))
    const outcomes = await (dryRun ? this.#store.dryRun(rows, author) : this.#store.write(rows, author))
    if (dryRun) this.#during(outcomes, look)
    const brought = checked.flatMap(({ change }) => (change.action === 'put' ? [change] : []))
    return outcomes.map((outcome, at) => {
      const { change, warnings } = checked[at]! // one outcome a change
      const references = change.action === 'put' ? referenceWarnings(change, this.catalog, brought) : []
      return this.#outcomeOf(outcome, before[at], [...warnings, ...references])
    })
  }

  /** What was written to an object through the store, newest first; empty for what was never there. */
  async history<K extends Kind>(kind: K, id: string, limit = 100): Promise<Revision<K>[]> {
    return (await this.#store.history(kind, id, limit)) as Revision<K>[] // of that kind
  }

  /**
   * Makes an object again what it was at a revision; one that removed it removes it.
   *
   * @throws {UnknownRevision} 404, and what `write` throws
   */
  async revert(
    kind: Kind,
    id: string,
    number: number,
    options: WriteOptions & { expect?: string },
  ): Promise<Outcome[]> {
    const revision = (await this.history(kind, id)).find(it => it.revision === number)
    if (revision === undefined) throw new UnknownRevision(kind, id, number)
    const expect = options.expect === undefined ? {} : { expect: options.expect }
    const change =
      revision.object === undefined
        ? { action: 'delete' as const, kind, id, ...expect }
        : ({ action: 'put', kind, object: revision.object, ...expect } as Change) // kept as an object of that kind
    return this.write([change], options)
  }

  /**
   * Replaces all that a site declares, and says whether that changed anything.
   *
   * @throws {SiteConflict} 409
   */
  putSite(
    name: string,
    objects: SiteObjects,
    { who, audit }: Pick<WriteOptions, 'who' | 'audit'>,
  ): Promise<boolean> {
    return this.#store.putSite(name, objects, { who, at: this.#now(), audit })
  }

  /** Checks all objects, and reports everything that is wrong with any of them. */
  #checked(
    changes: readonly Change[],
    lenient: boolean,
  ): { readonly change: Change; readonly warnings: readonly Fault[] }[] {
    const faults: Fault[] = []
    const checked = changes.map((change, at) => {
      if (change.action === 'delete') return { change, warnings: [] }
      const { good, faults: found, warnings } = checkObject(change.kind, change.object, { lenient })
      const prefix = changes.length === 1 ? '' : `/changes/${at}/object`
      const named = changes.length === 1 ? '' : `${change.kind} ${JSON.stringify(idOf(change))}: `
      for (const fault of found) {
        faults.push({ ...fault, pointer: prefix + fault.pointer, detail: named + fault.detail })
      }
      return { change: { ...change, ...good }, warnings }
    })
    if (faults.length > 0) throw new InvalidObject(faults)
    return checked
  }

  #rowOf(change: Change, lenient: boolean): RowChange {
    const { kind, expect } = change
    const id = changedId(change)
    const entry = this.get(kind, id)
    const isMet =
      expect === undefined ||
      (expect === 'absent'
        ? entry === undefined
        : entry !== undefined && ['present', entry.version].includes(expect))
    if (!isMet) throw new PreconditionFailed(kind, id, entry?.version, expect === 'absent')
    if (change.action === 'delete') {
      if (entry === undefined) throw new NotStored(kind, id)
      if (entry.source === 'directory' && !lenient) {
        throw new ReadOnlyObject(kind, id, this.catalog.file(kind, id)?.path ?? id)
      }
    }
    // The transaction asks again, since others may commit before it.
    const hidden = change.action === 'delete' && lenient ? this.catalog.file(kind, id) : undefined
    return {
      kind,
      id,
      ...(expect === undefined || expect === 'present' ? {} : { expect: this.catalog.revision(kind, id) }),
      ...(change.action === 'put' ? { object: change.object } : {}),
      ...(hidden && { hides: hidden.version }),
    }
  }

  /** Lets `look` see the catalog as it would be. Nothing else does: it is put back before anything is awaited. */
  #during(outcomes: readonly RowOutcome[], look: () => void): void {
    const { catalog } = this
    // As it is now, which another write may have changed since the dry run.
    const kept = outcomes.map(({ kind, id }) => ({ kind, id, stored: catalog.stored(kind, id) }))
    for (const { kind, id, after } of outcomes) {
      // A version that no write will ever have, since what is made of a template is remembered by it.
      this.#tried -= 1
      catalog.setStored(kind, id, after && { ...after, revision: this.#tried })
    }
    try {
      look()
    } finally {
      for (const { kind, id, stored } of kept) catalog.setStored(kind, id, stored)
    }
  }

  #outcomeOf(row: RowOutcome, before: Entry | undefined, warnings: readonly Fault[]): Outcome {
    const { kind, id } = row
    const file = this.catalog.file(kind, id)
    const shown = row.after?.hides === file?.version ? undefined : file
    const after = row.after?.object ?? shown?.object
    const version = row.after?.object === undefined ? shown?.version : String(row.after.revision)
    const hiding =
      row.before === undefined && row.after?.object !== undefined && file !== undefined
        ? [{ pointer: '', detail: hidingText(file.path) }]
        : []
    return {
      kind,
      id,
      result: resultOf(row),
      ...(version === undefined ? {} : { version }),
      ...(before && { before: before.object }),
      ...(after && { after }),
      warnings: [...warnings, ...hiding],
    }
  }
}

function hidingText(path: string): string {
  return `hides the file ${path} of the data directory: edits there have no effect until this is deleted`
}

function changedId(change: Change): string {
  return change.action === 'delete' ? change.id : idOf(change)
}

function resultOf({ before, after }: RowOutcome): Outcome['result'] {
  if (after?.object === undefined) return 'deleted'
  if (before?.object === undefined) return 'created'
  return before.revision === after.revision ? 'unchanged' : 'changed'
}
