// The record of a command that goes on after an interruption: a file with a line of JSON an attempt. The command reads what it has done, and adds
// each line as soon as it has it.

import { execFileSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { textIfThereSync } from '#host/read-if-there.ts'

/** Lines that were written before, and those that were added since; `Line` is trusted to be what the same command wrote. */
export type LineRecord<Line> = {
  /** In the order in which they were written. */
  readonly lines: () => readonly Line[]
  /** Writes a line to the file before it returns. */
  readonly add: (line: Line) => void
}

/**
 * Opens the record at `path`, which need not be there yet; without a path it is in memory alone.
 *
 * @throws {Error} which names file and line, when a line is not a JSON object: one that a full disk cut off, for example
 */
export function openRecord<Line extends object>(path: string | undefined): LineRecord<Line> {
  const text = path === undefined ? '' : (textIfThereSync(path) ?? '')
  const lines = linesIn<Line>(path ?? '', text)
  let before = text === '' || text.endsWith('\n') ? '' : '\n' // an editor may have left it out
  return {
    lines: () => lines,
    add: line => {
      if (path !== undefined) appendFileSync(path, `${before}${JSON.stringify(line)}\n`)
      before = ''
      lines.push(line)
    },
  }
}

/** The path of the record among the words that a command was given. */
export function recordPath([path]: readonly string[], name: string): string {
  if (path === undefined) throw new Error(`give the record: docs/runs/DATE-${name}.jsonl`)
  return path
}

/** What a line of a record says of where it was made: the time (UTC, to the minute), the commit of this checkout, the load of the last minute. */
export type Circumstances = { readonly date: string; readonly commit: string; readonly load: number }

/** Those of now. */
export function circumstances(): Circumstances {
  const words = ['rev-parse', '--short', 'HEAD']
  return {
    date: new Date().toISOString().slice(0, 16),
    commit: execFileSync('git', words, { cwd: import.meta.dirname, encoding: 'utf8' }).trim(),
    load: loadNow(),
  }
}

/** The load average of the last minute, to a tenth. */
export function loadNow(): number {
  return Number((loadavg()[0] ?? 0).toFixed(1))
}

function linesIn<Line>(path: string, text: string): Line[] {
  return text.split('\n').flatMap((line, at) => {
    if (line === '') return []
    const unfit = `${path}:${at + 1} is not a line of a record: ${line.slice(0, 60)}. Remove it:  sed -i ${at + 1}d ${path}`
    let read: unknown
    try {
      read = JSON.parse(line)
    } catch {
      throw new Error(unfit)
    }
    if (typeof read !== 'object' || read === null || Array.isArray(read)) throw new Error(unfit)
    return [read as Line]
  })
}
