// What is compared with Go: for each kind, how questions are made from chance, and what both sides answer, in one form.

import { bytesOf, textOf } from '#model/text.ts'
import { httpDateMs } from '#server/assets/http-date.ts'
import { planOf } from '#server/assets/range.ts'
import { GoTemplateError } from '#server/formats/gotemplate/failure.ts'
import { goTemplate } from '#server/formats/gotemplate/template.ts'
import { TextMap } from '#server/formats/gotemplate/values.ts'
import { BrokenFile, parseGroup, parseProfile } from '#server/inventory/matchbox-files.ts'
import { fileTextOf } from '#server/inventory/matchbox-text.ts'
import { contentRange } from '#server/protocols/http/wire/content.ts'
import type { Random } from '../../bench/random.ts'
import type { GoAnswer, Question } from './go.ts'
import { groupFile, profileFile } from './json.ts'
import { contentCase, dateText, type ContentCase } from './requests.ts'
import { METADATA, QUERY, templateText } from './templates.ts'

/** One comparison: the question to Go, what it is about for a person, and our answer. */
export type Comparison = {
  readonly question: Question
  readonly shown: string
  readonly ours: string
  /** Go's answer in the form of ours. */
  readonly go: (answer: GoAnswer) => string
}

/** The kinds by their names. */
export const KINDS: Readonly<Record<string, (random: Random) => Comparison>> = {
  date,
  content,
  template,
  group,
  profile,
}

function date(random: Random): Comparison {
  const text = dateText(random)
  const ours = httpDateMs(text)
  return {
    question: { ask: 'date', text: base64(text) },
    shown: text,
    ours: ours === undefined ? 'no date' : String(ours / 1000),
    go: answer => (answer.error === undefined ? textIn(answer) : 'no date'),
  }
}

function content(random: Random): Comparison {
  const it = contentCase(random)
  const { method, headers, size, mtime, etag } = it
  return {
    question: { ask: 'content', method, headers, size, mtime, query: { etag } },
    shown: JSON.stringify(it),
    ours: planText(it),
    go: answer => {
      const { 'content-type': type, 'content-range': range = '' } = answer.headers ?? {}
      const inner = [...textIn(answer).matchAll(/^Content-Range: (.*)\r$/gm)].map(([, part]) => part)
      const isMultipart = type?.startsWith('multipart/') === true
      const parts = isMultipart ? (method === 'HEAD' ? ['several'] : inner) : [range]
      return [answer.status, ...parts].join(' | ')
    },
  }
}

function planText({ method, headers, size, mtime, etag }: ContentCase): string {
  const first: Record<string, string> = {}
  for (const [name, value] of headers) first[name.toLowerCase()] ??= value
  const dated = mtime < 0 ? {} : { mtimeMs: Math.floor(mtime * 1000) }
  const plan = planOf(method, first, { size, ...dated, ...(etag === '' ? {} : { etag }) })
  if (plan.status === 416) return `416 | ${plan.reason === 'invalid range' ? '' : `bytes */${size}`}`
  if (plan.status !== 206) return `${plan.status} | `
  const ranges = plan.parts.map(part => contentRange(part, size))
  return ['206', ...(ranges.length > 1 && method === 'HEAD' ? ['several'] : ranges)].join(' | ')
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

function textIn({ text }: GoAnswer): string {
  return Buffer.from(text, 'base64').toString()
}

/** A template over the same metadata, and what it gives. */
function template(random: Random): Comparison {
  const source = templateText(random)
  let ours = 'error'
  try {
    ours = goTemplate(source).render({ ...METADATA, request: { query: new TextMap(QUERY), raw_query: '' } })
  } catch (error) {
    if (!(error instanceof GoTemplateError)) throw error
  }
  return {
    question: { ask: 'template', text: base64(source), data: base64(JSON.stringify(METADATA)), query: QUERY },
    shown: source,
    ours: bytesOf(ours).toString('latin1'),
    go: answer =>
      answer.error === undefined ? Buffer.from(answer.text, 'base64').toString('latin1') : 'error',
  }
}

function group(random: Random): Comparison {
  return parsed('group', groupFile(random), text => {
    const { metadata = {}, ...object } = parseGroup(text)
    const isEmpty = Object.keys(metadata).length === 0 // Go leaves it out
    return fileTextOf({ kind: 'group', object: { ...object, ...(isEmpty ? {} : { metadata }) } })
  })
}

function profile(random: Random): Comparison {
  return parsed('profile', profileFile(random), text =>
    fileTextOf({ kind: 'profile', object: parseProfile(text) }),
  )
}

/** A file, and the object in it as both write it; a file that cannot be used is an error. */
function parsed(ask: 'group' | 'profile', bytes: Buffer, written: (text: string) => string): Comparison {
  let ours = 'error'
  try {
    ours = written(textOf(bytes))
  } catch (error) {
    if (!(error instanceof BrokenFile)) throw error
  }
  return {
    question: { ask, text: bytes.toString('base64') },
    shown: bytes.toString('latin1'),
    ours,
    go: answer => (answer.error === undefined ? textIn(answer) : 'error'),
  }
}
