// Holds what we say of a config against what the real tool says: accepted or not, and each error and warning by its
// severity, kind and place.

import { gunzipSync } from 'node:zlib'
import type { Place } from '#model/fault.ts'
import type { LocalFiles } from '#server/formats/butane/local-files.ts'
import { transpile } from '#server/formats/butane/transpile.ts'
import { checkIgnition } from '#server/formats/ignition/config.ts'
import type { PlacedFinding } from '#server/formats/ignition/findings.ts'
import { NEWEST_SPEC } from '#server/formats/ignition/schema.ts'
import { matchboxJson, writeIgnition } from '#server/formats/ignition/write.ts'
import type { Question, Verdict } from './judge.ts'
import { kindOfOurs, kindOfReal } from './kinds.ts'

/** A config that was asked of both, with what they said where it differs. */
export type Difference = {
  readonly question: Question
  /** For example `real: warning decimal-mode 4:13`, `ours: accepted`. */
  readonly said: readonly string[]
}

/** Kinds whose place differs by nature: it is compared without. */
const WITHOUT_PLACE: ReadonlySet<string> = new Set(['unreadable'])

/** What differs; undefined where nothing does. */
export function difference(question: Question, verdict: Verdict, files: LocalFiles): Difference | undefined {
  const { accepted, findings, output } = ours(question, files)
  const own = new Set(
    findings.map(finding =>
      lineOf(question, finding.severity, kindOfOurs(finding), columnInGo(question, finding)),
    ),
  )
  const real = new Set(
    verdict.entries.map(entry => lineOf(question, entry.severity, kindOfReal(entry), entry)),
  )
  // Where the library gives up without a report, it says why in its error.
  if (!verdict.accepted && ![...real].some(line => line.startsWith('error'))) {
    const kind = kindOfReal({ message: verdict.error, path: [] })
    real.add(lineOf(question, 'error', kind, { line: 0, column: 0 }))
  }
  const said = [
    ...(accepted === verdict.accepted ? [] : [verdict.accepted ? 'real: accepted' : 'ours: accepted']),
    ...[...real].filter(line => !own.has(line)).map(line => `real: ${line}`),
    ...[...own].filter(line => !real.has(line)).map(line => `ours: ${line}`),
    ...(accepted && verdict.accepted && plain(output) !== plain(opened(verdict.output))
      ? ['output: another']
      : []),
  ]
  return said.length === 0 ? undefined : { question, said }
}

function ours(
  { butane, text }: Question,
  files: LocalFiles,
): { readonly accepted: boolean; readonly findings: readonly PlacedFinding[]; readonly output: string } {
  if (!butane) {
    const { good, findings } = checkIgnition(text)
    const output = good === undefined ? '' : opened(matchboxJson(good.config, good.spec, NEWEST_SPEC))
    return { accepted: good !== undefined, findings, output: raised(output, good?.spec ?? 0) }
  }
  const { good, findings } = transpile(text, files)
  const output =
    good === undefined ? '' : opened(writeIgnition(good.config, good.spec, { emptyObjects: false }))
  return { accepted: good !== undefined, findings, output }
}

function lineOf({ butane, text }: Question, severity: string, kind: string, { line, column }: Place): string {
  if (WITHOUT_PLACE.has(kind)) return `${severity} ${kind}`
  return `${severity} ${kind} ${line}:${butane ? column : columnBefore(text, line, column)}`
}

/** Butane counts characters, Ignition bytes, and we UTF-16 units. */
function columnInGo({ butane, text }: Question, { line, column }: PlacedFinding): Place {
  const before = (text.split('\n')[line - 1] ?? '').slice(0, column - 1)
  return { line, column: 1 + (butane ? Array.from(before).length : Buffer.byteLength(before)) }
}

/** Ignition's reader of JSON places what is in brackets after them: both sides are moved to before. */
function columnBefore(text: string, line: number, column: number): number {
  const row = Buffer.from(text.split('\n')[line - 1] ?? '').toString('latin1') // a character a byte
  let at = column
  while (at > 1 && /[[{]/.test(row[at - 2] ?? '')) at -= 1
  return at
}

/**
 * An Ignition config with the contents that Butane may compress in the open: no two gzips agree on the bytes, nor on whether
 * they are worth it where it is a matter of one or two.
 */
export function opened(json: string): string {
  return json.replaceAll(
    /"compression":"(gzip|)","source":"data:(;base64)?,([^"]*)"/g,
    (whole, compression, isBase64, data) => {
      try {
        const bytes = isBase64
          ? Buffer.from(String(data), 'base64')
          : Buffer.from(unescaped(String(data)), 'latin1')
        return `"content":${JSON.stringify((compression === 'gzip' ? gunzipSync(bytes) : bytes).toString())}`
      } catch {
        return whole
      }
    },
  )
}

/** Without what could not be absent before spec 3.3, and is written empty; what is served is raised to 3.4. */
function plain(json: string): string {
  return json.replaceAll(/"(?:target|level|config|pin)":"",?|"clevis":\{\},?/g, '').replaceAll(',}', '}')
}

/**
 * A config without what Ignition drops when it raises one of spec 3.`spec` to 3.6: the bits of modes that older specs ignore,
 * and from 3.4 to 3.5 the advertisement of a Tang server.
 */
function raised(json: string, spec: number): string {
  if (spec >= NEWEST_SPEC) return json
  const plain = json.replaceAll(/(?<="mode":)\d+/g, mode => String(Number(mode) & 0o777))
  return spec >= 5 ? plain : plain.replaceAll(/"advertisement":"(?:[^"\\]|\\.)*",?/g, '')
}

function unescaped(text: string): string {
  return text.replaceAll(/%([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(String(hex), 16)))
}
