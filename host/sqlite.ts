// Database files of SQLite that only their owner reads.

import { chmodSync } from 'node:fs'
import Sqlite from 'better-sqlite3'

/** No file at all: a database that ends with its process, for tests. */
const IN_MEMORY = ':memory:'

/**
 * Opens the database at `path`, or makes it (mode 0600; its folder must be there). What was committed survives a power
 * failure, who finds it locked waits at most `busyMs` milliseconds, and foreign keys are enforced. The path `:memory:`
 * makes one without a file. With `readonly` the file must be there, and neither its content nor its mode is changed.
 *
 * @throws what SQLite and node:fs throw
 */
export function openDatabase(
  path: string,
  busyMs: number,
  { readonly = false }: { readonly readonly?: boolean } = {},
): Sqlite.Database {
  if (readonly) return new Sqlite(path, { readonly, fileMustExist: true, timeout: busyMs })
  const sqlite = new Sqlite(path)
  if (path !== IN_MEMORY) chmodSync(path, 0o600)
  sqlite.pragma(`busy_timeout = ${busyMs}`)
  sqlite.pragma('journal_mode = WAL')
  sqlite.pragma('synchronous = FULL')
  sqlite.pragma('foreign_keys = ON')
  return sqlite
}
