// What a machine gets for the Ignition file of its profile: checked, and never an empty config in place of a bad one.

import { InvalidIgnition } from './errors.ts'
import { checkIgnition } from '../../formats/ignition/config.ts'
import { errorsText, type PlacedFinding } from '../../formats/ignition/findings.ts'
import { MATCHBOX_SPEC, matchboxJson } from '../../formats/ignition/write.ts'
import { remembered } from './remembered.ts'

/** A text that can be served, or what is wrong with it. */
export type Served = { readonly text: string } | { readonly problem: string }

/**
 * What is served for one of our templates, rendered: the same config, without spaces. What its files contain is
 * taken out before it is checked, because configs of many machines hardly differ in anything else; so the check of one
 * is valid for all.
 *
 * @throws {InvalidIgnition} 503, with line and column, when it is not JSON or breaks a rule of its spec
 */
export function renderedIgnition(name: string, text: string): string {
  const { frame, contents, count } = framed(text)
  const pieces = piecesOf(frame)
  // Two for each content, and one; else a string of the config looks like one of our marks.
  if (pieces?.length !== 2 * count + 1) return textOr(name, asRendered(text))
  return pieces.map((piece, at) => (at % 2 === 0 ? piece : contents.get(piece))).join('')
}

const asRendered = remembered<Served>(text => {
  const { good, findings } = checkIgnition(text)
  if (good === undefined) return kept({ problem: errorsText(findings) })
  return kept({ text: compact(text, findings) })
})

/** What is before and after the marks of a config, and the marks; undefined when there is something wrong with it. */
const piecesOf = remembered<readonly string[] | undefined>(frame => {
  const { good, findings } = checkIgnition(frame)
  if (good === undefined) return { value: undefined, size: 0 }
  return { value: compact(frame, findings).split(MARKED), size: frame.length }
})

/** A JSON text without spaces. JSON.parse would drop a key that is there twice, which Ignition merges, and round a long integer. */
function compact(text: string, findings: readonly PlacedFinding[]): string {
  const isRepeated = findings.some(it => it.severity === 'warning' && it.kind === 'repeated-key')
  if (!isRepeated && !/[\s:]-?\d{16}/.test(text)) return JSON.stringify(JSON.parse(text))
  const parts: string[] = []
  let done = 0
  while (done < text.length) {
    const opens = text.indexOf('"', done)
    const start = opens < 0 ? text.length : opens
    parts.push(text.slice(done, start).replaceAll(/\s+/g, ''))
    done = opens < 0 ? start : endOfString(text, start)
    parts.push(text.slice(start, done))
  }
  return parts.join('')
}

/** Where the JSON string that begins at `start` ends. A pattern would need the stack for one of many megabytes. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

const OPENING = '"data:;base64,'
const MARKED = /(?<="data:;base64,)([A-Za-z0-9+/]{4})(?=")/

/**
 * A text whose base64 `data:` URLs, as our templates write them, have marks of four characters in place of their content:
 * the same one where the content is the same. And the contents by mark; `count` says how many were replaced.
 */
function framed(text: string): {
  readonly frame: string
  readonly contents: ReadonlyMap<string, string>
  readonly count: number
} {
  const marks = new Map<string, string>()
  let frame = ''
  let count = 0
  let done = 0
  for (let at = text.indexOf(OPENING); at >= 0; at = text.indexOf(OPENING, done)) {
    const start = at + OPENING.length
    const end = text.indexOf('"', start)
    if (end < 0) break
    const content = text.slice(start, end)
    // Any other base64, and what is not base64, is left for the check.
    const isCanonical = Buffer.from(content, 'base64').toString('base64') === content
    if (isCanonical && content !== '') {
      const mark = marks.get(content) ?? markOf(marks.size)
      marks.set(content, mark)
      frame += text.slice(done, start) + mark
      count += 1
    } else frame += text.slice(done, end)
    done = end
  }
  return {
    frame: frame + text.slice(done),
    contents: new Map([...marks].map(([content, mark]) => [mark, content])),
    count,
  }
}

/** Four characters of base64 for a number below 2^24. */
function markOf(number: number): string {
  return Buffer.from([number >> 16, number >> 8, number]).toString('base64')
}

/** Says whether a file is plain Ignition, neither template nor Butane. As in Matchbox, its ending decides. */
export function isPlainIgnition(name: string): boolean {
  return name.endsWith('.ign') || name.endsWith('.ignition')
}

/**
 * What is served for a file of a Matchbox data directory. Specs 3.0 to 3.4 become Matchbox's 3.4.0, byte for byte;
 * later ones, which Matchbox empties, are given unchanged.
 *
 * @throws {InvalidIgnition} 503, with line and column, where Matchbox would serve an empty config
 */
export function plainIgnition(name: string, text: string): string {
  return textOr(name, asMatchbox(text))
}

const asMatchbox = remembered<Served>(text => {
  const { good, findings } = checkIgnition(text)
  if (good === undefined) return kept({ problem: errorsText(findings) })
  return kept({ text: good.spec > MATCHBOX_SPEC ? text : matchboxJson(good.config, good.spec) })
})

function textOr(name: string, served: Served): string {
  if ('problem' in served) throw new InvalidIgnition(name, served.problem)
  return served.text
}

/** A result with its size. */
export function kept(value: Served): { value: Served; size: number } {
  return { value, size: ('text' in value ? value.text : value.problem).length }
}
