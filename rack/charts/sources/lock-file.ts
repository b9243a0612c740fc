// charts.lock: which version of each chart a site installs, and the digest that says that it is this very one. Written by
// `pilotlight charts lock`, kept beside the site file, read before any chart is used.

import { parseDocument } from 'yaml'
import { textIfThere } from '#host/read-if-there.ts'
import { replaceFile } from '#host/replace-file.ts'
import { reasonOf } from '#model/reason.ts'
import { isRecord } from '#model/record.ts'
import { yamlFault } from '#model/yaml-fault.ts'
import { ChartLockError } from '../errors.ts'

/** One chart, pinned. */
export type ChartPin = {
  readonly version: string
  /** Of the archive as it was fetched; of a chart that is a folder, over the names and bytes of its files. */
  readonly sha256: string
}

/** The whole file. */
export type ChartLock = {
  /** Where the charts were fetched from. */
  readonly source: string
  readonly charts: Readonly<Record<string, ChartPin>>
}

/**
 * Reads the lock file at `path`; undefined when there is none.
 *
 * @throws {ChartLockError} when it is there and cannot be used
 */
export async function readLock(path: string): Promise<ChartLock | undefined> {
  const text = await textIfThere(path).catch((error: Error) => {
    throw new ChartLockError(`${path} cannot be read: ${reasonOf(error)}`)
  })
  return text === undefined ? undefined : parseLock(path, text)
}

/** Checks the text of a lock file. @throws {ChartLockError} with what is wrong */
export function parseLock(path: string, text: string): ChartLock {
  const document = parseDocument(text)
  const [syntax] = document.errors
  if (syntax !== undefined) throw new ChartLockError(`${path}: ${yamlFault(syntax)}. ${REMAKE}`)
  const read: unknown = document.toJS()
  if (!isRecord(read) || typeof read['source'] !== 'string' || !isRecord(read['charts']))
    throw new ChartLockError(`${path} has no source, or no charts. ${REMAKE}`)
  for (const [name, pin] of Object.entries(read['charts'])) {
    const { version, sha256 } = isRecord(pin) ? pin : {}
    if (typeof version === 'string' && typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256)) continue
    throw new ChartLockError(`${path}: chart ${name} has no version, or no SHA-256 of 64 digits. ${REMAKE}`)
  }
  return { source: read['source'], charts: read['charts'] as ChartLock['charts'] } // just checked
}

/** Writes the file whole, or leaves the one that is there. */
export function writeLock(path: string, { source, charts }: ChartLock): void {
  const names = Object.keys(charts).toSorted()
  const lines = names.map(name => {
    const { version, sha256 } = charts[name]! // its own key
    return `  ${name}: { version: ${JSON.stringify(version)}, sha256: ${sha256} }`
  })
  const text = [
    '# The charts of this site, pinned. Renew it with:  pilotlight charts lock SITE --update',
    `source: ${JSON.stringify(source)}`,
    'charts:',
    ...lines,
    '',
  ].join('\n')
  replaceFile(path, text, { mode: 'umask' })
}

const REMAKE = 'Remove it and make it again: pilotlight charts lock SITE.'
