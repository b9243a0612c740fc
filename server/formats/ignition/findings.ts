// What is wrong with a config, where, and how a person reads it.

import type { Place } from '#model/fault.ts'
import { pathText, type Path } from './tree.ts'

/** One thing that a rule has to say. An error makes the config useless to a machine, a warning does not. */
export type Finding = {
  readonly severity: 'error' | 'warning'
  readonly path: Path
  readonly message: string
}

/** Takes what rules find; no message means nothing was found. */
export type Report = {
  readonly error: (path: Path, message: string | undefined) => void
  readonly warning: (path: Path, message: string | undefined) => void
}

/** A report that adds to `findings`. */
export function reportTo(findings: Finding[]): Report {
  const add = (severity: Finding['severity']) => (path: Path, message: string | undefined) => {
    if (message !== undefined) findings.push({ severity, path, message })
  }
  return { error: add('error'), warning: add('warning') }
}

/** A finding with its position in the text. */
export type PlacedFinding = Finding & Place

/** For example `line 8, column 17: storage.files[0].path: the path is relative`. */
export function findingText({ line, column, path, message }: PlacedFinding): string {
  const where = path.length === 0 ? '' : `${pathText(path)}: `
  return `line ${line}, column ${column}: ${where}${message}`
}

/** The errors of a list as one sentence, the first few in full. */
export function errorsText(findings: readonly PlacedFinding[]): string {
  const errors = findings.filter(({ severity }) => severity === 'error').map(findingText)
  const shown = errors.slice(0, SHOWN).join('; ')
  return errors.length > SHOWN ? `${shown}; and ${errors.length - SHOWN} more` : shown
}

const SHOWN = 5
