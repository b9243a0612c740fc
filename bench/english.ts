// How much of the English is odd: words and phrases that house rules replace (CONTRIBUTING.md), counted for each top folder in comments,
// strings and documents. Code is not counted, so an identifier is found only where text speaks of it. The figures depend on the files alone.
//
//   node_modules/.bin/node bench/english.ts [CHECKOUT]            counts
//   node_modules/.bin/node bench/english.ts --list PATTERN [CHECKOUT]   each hit in the files whose path begins with PATTERN

import { execFileSync } from 'node:child_process'
import { lstatSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

/** One row of the table: what is seen, and what is written instead. `allowed` is taken out before counting. */
interface Oddity {
  readonly name: string
  readonly seen: RegExp
  readonly allowed?: RegExp
  readonly write: string
}

const ODD: readonly Oddity[] = [
  {
    name: 'tell',
    seen: /\b(?:tells?|told|telling)\b/gi,
    allowed: /\b(?:tell|tells|told|telling)\b[^.;]{0,60}\bapart\b/gi,
    write: 'say, report, print, show, return',
  },
  { name: 'mend', seen: /\bmend(?:s|ed|ing)?\b/gi, write: 'fix, remedy' },
  {
    name: 'nobody',
    seen: /\b(?:nobody|somebody|everybody|anybody|whoever|whomever)\b/gi,
    allowed: /[`'"/=]nobody\b/g, // the name of a client without credentials, in logs and in the API
    write: 'no one, someone, "a client that"',
  },
  {
    name: 'is no X',
    seen: /\b(?:is|are|was|were|be) no (?!longer\b|one\b|more\b|less\b|matter\b|faster\b|slower\b|better\b|worse\b)/gi,
    allowed: /\bthere (?:is|are|was|were|will be) no\b/gi,
    write: 'is not an X',
  },
  {
    name: 'stands',
    seen: /\b(?:stands?|stood|standing)\b/gi,
    allowed: /\bstand(?:s|ing)? (?:for|in for|by|alone)\b|\bstand-(?:ins?|by|alone)\b/gi,
    write: 'is, is stored, is listed',
  },
  { name: 'lies', seen: /\b(?:lie|lies|lain|lying)\b/gi, write: 'is, is stored, is in' },
  {
    name: 'of ours, of its own',
    // "of its own boot" is plain; "a boot of its own" is not.
    seen: /\bof (?:ours|yours|theirs)\b|\bof (?:its|their|his|our|your) own(?= ?[.,;:)'`|]| (?:and|or|for|which|that|made|in|with|without|on|to|by|when|so|is|are|as|below|before|at|from|has|have|over)\b|$)/gi,
    write: 'our, its own X',
  },
  {
    name: 'goes away, lets go',
    seen: /\b(?:go|goes|going|gone|went) away\b|\b(?:let|lets|letting) (?:\w+ )?go\b/gi,
    write: 'is removed, is released, is closed',
  },
  { name: 'is believed', seen: /\bbeliev(?:e|es|ed|ing)\b/gi, write: 'trust' },
  { name: 'came, went', seen: /\b(?:came(?! from\b)|went)\b/gi, write: 'starts, stopped, arrived' },
  {
    name: 'as ever, as there',
    seen: /\bas ever\b|\bas there\b(?! (?:is|are|was|were)\b)/gi,
    write: 'as before',
  },
  {
    name: 'words for a message',
    seen: /\b(?:in|its|their|our|own|same|with|these|those|other|plain) words\b/gi,
    write: 'message, text',
  },
  {
    name: 'metaphor',
    seen: /\bsent home\b|\bat the door\b|\bfirst word\b|\bhas better things\b|\bcrowds?\b|\btrails?\b|\bin mind\b/gi,
    write: 'closed, before the routes, bucket, index key',
  },
  { name: 'moment, for good', seen: /\bmoments?\b|\bfor good\b/gi, write: 'batch, instant, permanently' },
  {
    name: 'empty comment',
    seen: /\badds the verb\b|^\/\*\* Defines `[^*]*\*\/$|\bwhat came of it\b|\bthe folder of one of them\b|\bwhom the pages are for\b/gi,
    write: 'what a caller needs',
  },
]

/** Texts that are not ours, or that the wire, an upstream project or a record fixes. */
const NOT_OURS =
  /(^|\/)(golden|fixtures?|captures?|vendor|migrations)\/|^docs\/runs\/|^test\/lint\/mistakes\/|\.lock$|package-lock|^LICENSE|^bench\/english\.ts|go\.(mod|sum)$/

const TEXTS =
  /\.(?:ts|js|mjs|md|sh|njk|yaml|yml|tpl|html|css|proto|sql|service|json|butane|py)$|(?:^|\/)[a-zA-Z-]+$/

const { values, positionals } = parseArgs({ options: { list: { type: 'string' } }, allowPositionals: true })
const root = resolve(positionals[0] ?? join(import.meta.dirname, '..'))
const files = execFileSync('git', ['-C', root, 'ls-files'], { encoding: 'utf8' })
  .split('\n')
  .filter(file => TEXTS.test(file) && !NOT_OURS.test(file) && lstatSync(join(root, file)).isFile())

if (values.list === undefined) count()
else list(values.list)

function count(): void {
  const folders = new Map<string, Map<string, number>>()
  let lines = 0
  for (const file of files) {
    const folder = file.includes('/') ? file.slice(0, file.indexOf('/')) : '*.md'
    const row = folders.get(folder) ?? new Map<string, number>()
    folders.set(folder, row)
    for (const { text } of prose(file)) {
      lines += 1
      for (const odd of ODD) row.set(odd.name, (row.get(odd.name) ?? 0) + hits(odd, text))
    }
  }
  for (const [folder, row] of [...folders].toSorted(([, a], [, b]) => sum(b) - sum(a))) {
    console.log(`${String(sum(row)).padStart(6)}  ${folder}`)
  }
  console.log()
  for (const odd of ODD) {
    const total = [...folders.values()].reduce((a, row) => a + (row.get(odd.name) ?? 0), 0)
    console.log(`${String(total).padStart(6)}  ${odd.name.padEnd(22)} write: ${odd.write}`)
  }
  const total = [...folders.values()].reduce((a, row) => a + sum(row), 0)
  console.log(`\n${String(total).padStart(6)}  in ${lines} lines of text, ${files.length} files`)
}

function list(prefix: string): void {
  for (const file of files.filter(name => name.startsWith(prefix))) {
    for (const { line, text } of prose(file)) {
      const found = ODD.filter(odd => hits(odd, text) > 0).map(odd => odd.name)
      if (found.length > 0) console.log(`${file}:${line}: [${found.join(', ')}] ${text.trim()}`)
    }
  }
}

function sum(row: Map<string, number>): number {
  return [...row.values()].reduce((a, b) => a + b, 0)
}

function hits(odd: Oddity, text: string): number {
  const counted = odd.allowed === undefined ? text : text.replace(odd.allowed, '')
  return counted.match(odd.seen)?.length ?? 0
}

/** The lines of a file that people read: all of a document or script, the comments and strings of a program. */
function prose(file: string): { line: number; text: string }[] {
  const source = readFileSync(join(root, file), 'utf8')
  const isPage = file.endsWith('.md')
  const text = isPage
    ? source.replace(/`[^`\n]*`/g, '`')
    : /\.(?:ts|js|mjs)$/.test(file)
      ? withoutCode(source)
      : source
  return text
    .split('\n')
    .map((line, at) => ({ line: at + 1, text: line }))
    .filter(({ text: words }) => /[a-z]/i.test(words))
}

/** The source with everything but comments and strings left out, line for line. */
function withoutCode(source: string): string {
  const token = /\/\/[^\n]*|\/\*[^]*?\*\/|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[^])*`|[^]/g
  return source.replace(token, found => (found.length > 1 || found === '\n' ? found : ' '))
}
