// What the chart stage keeps of a site, in one SQLite file of its state directory: sealed secrets and the steps. Every
// commit is on disk before the next thing happens, and two processes never make different secrets.

import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type Sqlite from 'better-sqlite3'
import { openDatabase } from '#host/sqlite.ts'
import { ChartPlanError } from './errors.ts'

/** A secret as it is stored. */
export type SealedSecret = { readonly name: string; readonly version: number; readonly sealed: Uint8Array }

/** The progress of a release. */
export type StepState = 'planned' | 'applying' | 'gated' | 'done' | 'failed' | 'removed'

/** One step of one release. */
export type StepRecord = {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly release: string
  readonly phase: StepState
  /** The cluster that this was done to: the UID of its kube-system namespace. */
  readonly cluster: string
  /** Of the chart and its values. */
  readonly hash: string
  /** Helm's revision, from `gated` on. */
  readonly revision?: number
  /** Why it failed. */
  readonly cause?: string
}

/** The path of a state directory's store. */
export function storePath(stateDirectory: string): string {
  return join(stateDirectory, 'openstack.sqlite')
}

/** How many steps of a release are kept. */
const keptSteps = 200

const schema = [
  `CREATE TABLE secrets (
     name TEXT PRIMARY KEY,
     version INTEGER NOT NULL,
     sealed BLOB NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE steps (
     id INTEGER PRIMARY KEY,
     at INTEGER NOT NULL,
     release TEXT NOT NULL,
     phase TEXT NOT NULL,
     cluster TEXT NOT NULL,
     hash TEXT NOT NULL,
     revision INTEGER,
     cause TEXT
   ) STRICT;
   CREATE INDEX steps_of_release ON steps (release, id);`,
]

/** The store of one state directory. */
export class ChartStore {
  readonly #sqlite: Sqlite.Database

  /**
   * Opens it, and makes it when it is not there.
   *
   * @throws {ChartPlanError} when a newer Pilotlight wrote it
   */
  constructor(stateDirectory: string) {
    const path = storePath(stateDirectory)
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 })
    this.#sqlite = openDatabase(path, 10_000)
    this.atOnce(() => this.#migrate(path))
  }

  /** Whether a state directory has one. */
  static exists(stateDirectory: string): boolean {
    return existsSync(storePath(stateDirectory))
  }

  /** Does `work` in one transaction, in which no other process writes. */
  atOnce<T>(work: () => T): T {
    return this.#sqlite.transaction(work).immediate()
  }

  secrets(): SealedSecret[] {
    return this.#sqlite
      .prepare('SELECT name, version, sealed FROM secrets ORDER BY name')
      .all() as SealedSecret[]
  }

  putSecret({ name, version, sealed }: SealedSecret): void {
    this.#sqlite.prepare('REPLACE INTO secrets VALUES (?, ?, ?)').run(name, version, sealed)
  }

  /** Writes a step; it is on disk when this returns. */
  addStep({ at, release, phase, cluster, hash, revision, cause }: StepRecord): void {
    this.atOnce(() => {
      const insert = `INSERT INTO steps (at, release, phase, cluster, hash, revision, cause) VALUES (?, ?, ?, ?, ?, ?, ?)`
      this.#sqlite.prepare(insert).run(at, release, phase, cluster, hash, revision ?? null, cause ?? null)
      const old = `DELETE FROM steps WHERE release = ? AND id NOT IN (SELECT id FROM steps WHERE release = ? ORDER BY id DESC LIMIT ?)`
      this.#sqlite.prepare(old).run(release, release, keptSteps)
    })
  }

  /** The last step of a release. */
  lastStep(release: string): StepRecord | undefined {
    return this.steps(1, release)[0]
  }

  /** The last steps, newest first; of one release, or of all. */
  steps(limit: number, release?: string): StepRecord[] {
    const where = release === undefined ? '' : 'WHERE release = ?'
    const rows = this.#sqlite
      .prepare(
        `SELECT at, release, phase, cluster, hash, revision, cause FROM steps ${where} ORDER BY id DESC LIMIT ?`,
      )
      .all(...(release === undefined ? [] : [release]), limit) as StepRow[]
    return rows.map(({ revision, cause, ...step }) => ({
      ...step,
      ...(revision === null ? {} : { revision }),
      ...(cause === null ? {} : { cause }),
    }))
  }

  close(): void {
    this.#sqlite.close()
  }

  #migrate(path: string): void {
    const version = this.#sqlite.pragma('user_version', { simple: true }) as number
    if (version > schema.length)
      throw new ChartPlanError(`${path} was written by a newer Pilotlight. Use that one for this site.`)
    for (const statements of schema.slice(version)) this.#sqlite.exec(statements)
    this.#sqlite.pragma(`user_version = ${schema.length}`)
  }
}

/**
 * Whether a release need not be installed again: its last installation, of this very chart and these values, in this
 * cluster, got through, and Helm still has that revision as the deployed one.
 */
export function isApplied(
  entry: StepRecord | undefined,
  wanted: { readonly cluster: string; readonly hash: string },
  deployedRevision: number | undefined,
): boolean {
  return (
    entry !== undefined &&
    entry.cluster === wanted.cluster &&
    entry.hash === wanted.hash &&
    entry.revision !== undefined &&
    entry.revision === deployedRevision
  )
}

type StepRow = Omit<StepRecord, 'revision' | 'cause'> & {
  readonly revision: number | null
  readonly cause: string | null
}
