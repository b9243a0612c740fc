// What the linter reports: one finding for each mistake, with its place, and how to fix it.

import type { LintCode, LintFinding } from '#model/finding.ts'
import { cleanText } from '#model/clean.ts'
import type { Place } from '#model/fault.ts'

/** A place in a file. */
export type FilePlace = Place & { readonly file: string }

/** Collects findings. */
export class Findings {
  readonly all: LintFinding[] = []

  error(code: LintCode, place: FilePlace, what: string, remedy: string): void {
    this.#add('error', code, place, what, remedy)
  }

  warning(code: LintCode, place: FilePlace, what: string, remedy: string): void {
    this.#add('warning', code, place, what, remedy)
  }

  #add(
    severity: LintFinding['severity'],
    code: LintCode,
    { file, line, column }: FilePlace,
    what: string,
    remedy: string,
  ): void {
    this.all.push({ code, severity, file, line, column, what, remedy })
  }
}

/** In the order of the files and their lines; what was found twice is listed once. */
export function inReadingOrder(findings: readonly LintFinding[]): LintFinding[] {
  const unique = new Map(findings.map(finding => [JSON.stringify(finding), finding]))
  return [...unique.values()].toSorted(
    (a, b) => compare(a.file, b.file) || a.line - b.line || a.column - b.column || compare(a.code, b.code),
  )
}

/** Two lines for a person: code, place and mistake, then the remedy. */
export function lintText({ code, severity, file, line, column, what, remedy }: LintFinding): string {
  return `${code} ${oneLine(file)}:${line}:${column} ${severity}: ${oneLine(what)}\n  ${oneLine(remedy)}`
}

/** A text as it may be shown: a file's name may hold anything. */
function oneLine(text: string): string {
  return cleanText(text, Infinity)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
