// Templates of Go, made up from a seed: expressions of all kinds of values, statements, formats, and pieces torn out.

import type { Random } from '../../bench/random.ts'
import { pick } from './requests.ts'

/** The metadata that made-up templates see. Whole numbers stay below a million: ours prints greater ones in full. */
export const METADATA = {
  text: 'pear',
  empty: '',
  wide: 'über\u{1f350}<&\'"\u2028',
  count: 3,
  minus: -7,
  big: 999999,
  ratio: 2.5,
  tiny: 0.00000123,
  huge: 1.5e300,
  odd: 123456789.125,
  third: 0.3333333333333333,
  zero: 0,
  yes: true,
  no: false,
  none: null,
  list: ['x', 'y', 'z'],
  numbers: [3, 1.5, -2, 0],
  mixed: ['a', null, { k: null }, [1, [true]], 2],
  nothing: [],
  map: { b: 2, a: 1, c: 'three', 'd-e': false },
  bare: {},
  deep: { x: { y: 'v', n: 4 }, all: [{ n: 1 }, { n: 2 }] },
} as const

/** The labels of the request that made-up templates see. */
export const QUERY = { q: '1', mac: '52:54:00:20:00:01', '': 'no name' } as const

/** A template of a few pieces, most of them whole. */
export function templateText(random: Random): string {
  const text = pieces(random, 3)
  return random() < 0.12 ? torn(random, text) : text
}

function pieces(random: Random, depth: number): string {
  return Array.from({ length: 1 + Math.floor(random() * 2) }, () => piece(random, depth)).join('')
}

function piece(random: Random, depth: number): string {
  const [open, close] = [pick(random, OPENS), pick(random, CLOSES)]
  const act = (inner: string) => `${open}${inner}${close}`
  const chance = random()
  if (chance < 0.1) return pick(random, ['text', ' ', '\n\t', 'a {b} }', '"', 'x\r\ny'])
  if (chance < 0.65 || depth === 0) return act(pipe(random, 2))
  const inner = () => pieces(random, depth - 1)
  const otherwise = () =>
    random() < 0.4
      ? `{{else${random() < 0.2 ? ` ${pick(random, ['if', 'with'])} ${pipe(random, 1)}` : ''}}}${inner()}`
      : ''
  if (chance < 0.73) return `${act(`if ${condition(random)}`)}${inner()}${otherwise()}{{end}}`
  if (chance < 0.79) return `${act(`with ${condition(random)}`)}${inner()}${otherwise()}{{end}}`
  if (chance < 0.9) {
    const over = pick(random, [() => pipe(random, 1), () => pick(random, RANGES)])()
    const turn = pick(random, ['', '', '$i := ', '$i, $e := ', '$v = '])
    const stop =
      random() < 0.2 ? `{{if ${condition(random)}}}{{${pick(random, ['break', 'continue'])}}}{{end}}` : ''
    return `${act(`range ${turn}${over}`)}${turn.includes('$i') ? '{{$i}}' : ''}${stop}${inner()}${otherwise()}{{end}}`
  }
  if (chance < 0.93) return `${act(`$v := ${pipe(random, 1)}`)}${inner()}{{$v}}`
  if (chance < 0.96)
    return `${act(`define "${pick(random, ['t', 'u', ''])}"`)}${inner()}{{end}}{{template "${pick(random, ['t', 'u'])}"${random() < 0.5 ? ` ${pipe(random, 1)}` : ''}}}`
  if (chance < 0.98) return `${act(`block "b" ${pipe(random, 1)}`)}${inner()}{{end}}`
  return pick(random, [
    '{{/* c */}}',
    '{{- /* c */ -}}',
    '{{/* c */ -}}',
    '{{ /* c */}}',
    '{{/**/}}',
    '{{$}}',
    '{{}}',
  ])
}

const OPENS = ['{{', '{{', '{{', '{{', '{{- ', '{{ ', '{{-']
const CLOSES = ['}}', '}}', '}}', '}}', ' -}}', ' }}', '-}}', '\n}}']

function condition(random: Random): string {
  return random() < 0.5
    ? call(random, 1, pick(random, ['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'not', 'and', 'or']))
    : pipe(random, 1)
}

/** Commands with pipes between them. */
function pipe(random: Random, depth: number): string {
  const first = random() < 0.35 ? operand(random, depth) : call(random, depth)
  if (random() < 0.85 || depth === 0) return first
  const next = pick(random, [
    'print',
    'println',
    'len',
    'html',
    'js',
    'urlquery',
    'printf "%v"',
    'printf "%q"',
    'index .map',
    'eq 1',
    'not',
    'and 1',
    'or 0',
    '.text',
    'slice',
  ])
  return `${first} | ${next}`
}

function call(random: Random, depth: number, name: string = pick(random, FUNCTIONS)): string {
  const args = Array.from({ length: pick(random, COUNTS[name] ?? [0, 1, 2, 3]) }, () =>
    operand(random, depth - 1),
  )
  if (name === 'printf') return ['printf', quote(random, formatText(random)), ...args].join(' ')
  if (name === 'index' && random() < 0.8)
    args[0] = pick(random, ['.list', '.map', '.deep', '.deep.all', '.text', '.mixed', '.request.query', '$'])
  if (name === 'slice' && random() < 0.8) args[0] = pick(random, ['.list', '.text', '.wide', '"abc"'])
  if ((name === 'index' || name === 'slice') && random() < 0.8)
    for (let at = 1; at < args.length; at += 1)
      args[at] = pick(random, ['0', '1', '2', '3', '"a"', '"x"', '-1', '1.0', "'\\x01'"])
  return [name, ...args].join(' ')
}

const FUNCTIONS =
  'printf printf printf printf print println html js urlquery index slice len eq ne lt le gt ge not and or print println html len'.split(
    ' ',
  )
const COUNTS: Readonly<Record<string, readonly number[]>> = {
  len: [1, 1, 1, 0],
  not: [1, 1, 1, 2],
  eq: [2, 2, 2, 1, 3, 4],
  ne: [2, 2, 2, 1],
  lt: [2, 2, 2, 1],
  le: [2],
  gt: [2],
  ge: [2],
  slice: [1, 2, 3, 4],
  index: [1, 2, 3],
  call: [1],
}

function operand(random: Random, depth: number): string {
  const chance = random()
  if (depth > 0 && chance < 0.12) return `(${pipe(random, depth - 1)})${random() < 0.15 ? '.n' : ''}`
  if (chance < 0.45) return pick(random, random() < 0.04 ? RARE_FIELDS : FIELDS)
  if (chance < 0.6) return quote(random, pick(random, TEXTS))
  return pick(random, random() < 0.1 ? BAD_LITERALS : LITERALS)
}

const FIELDS =
  '. $ .text .empty .wide .count .minus .big .ratio .tiny .huge .odd .third .zero .yes .no .none .list .numbers .mixed .nothing .map .bare .deep .deep.x .deep.x.n .map.a $.text $.deep.x.y .request.query.q'.split(
    ' ',
  )
const RARE_FIELDS = '.nokey .text.n .none.n .request.query.nokey $v $i .deep.x.nokey.n'.split(' ')
const RANGES =
  '.list .numbers .map .mixed .deep.all .nothing .none 3 0 -1 1.5 .count .text "ab" .request.query 2i (len .list)'.split(
    ' ',
  )
const TEXTS = [
  '',
  'a',
  'x y',
  'ü\u{1f350}',
  '<a href="x">&\'',
  'tab\there',
  '%d',
  '0',
  'pear',
  '\u0000\u007f\u00a0\u2028',
]
const LITERALS =
  "0 1 -1 +3 3 42 007 017 0x1F 0X_ff 0b101 0B_1 0o17 0O_7 1_000 1_ 1e6 1E6 1e3 1e20 1e21 1e-7 -1e6 1.0 2.5 .5 5. 1_0.5 1e1_0 1.5e300 0x1p4 0x1p-2 0x1.8p1 0X.8P3 0x1e3 1i 2.5i 1e6i 0x1p4i 1_0i 017i 1+2i 1-2.5i -1+1i 1e6+1e7i 0i -0i 'a' '\\n' '\\x41' '\\'' '\"' 'ü' '\\u00fc' '\\U000000fc' '\\377' '\\101' true false nil 9223372036854775807 -9223372036854775808 -0 -0.0 +0x1p2".split(
    ' ',
  )

const BAD_LITERALS =
  "'' '\\400' '\\ud800' 'ab' -9223372036854775809 08 0b1i 0b2 0x 0x1.8 0x1.e3 0x1p 0x_1p4 0xffffffffffffffff 0xg 1+2 12a 18446744073709551615 18446744073709551616 1__0 1e 1e+ 1e400 1x 9223372036854775808 _1 nosuch".split(
    ' ',
  )

function quote(random: Random, text: string): string {
  if (random() < 0.15 && !text.includes('`')) return `\`${text}\``
  const escaped = text.replaceAll(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t')
  return `"${random() < 0.1 ? pick(random, ['\\x41', '\\u00fc', '\\377', '\\400', '\\q', "\\'", '\\a']) : ''}${escaped}"`
}

/** A format of `printf`. */
export function formatText(random: Random): string {
  return Array.from({ length: 1 + Math.floor(random() * 2.5) }, () => {
    const flags = Array.from({ length: Math.floor(random() * random() * 4) }, () =>
      pick(random, ['-', '+', '#', ' ', '0']),
    ).join('')
    const index = () =>
      random() < 0.06 ? pick(random, ['[1]', '[2]', '[3]', '[0]', '[9]', '[x]', '[', '[]', '[-1]']) : ''
    const width = random() < 0.3 ? index() + pick(random, ['1', '5', '8', '12', '*', '030']) : ''
    const precision =
      random() < 0.3 ? `.${index()}${pick(random, ['', '0', '1', '2', '3', '6', '10', '20', '*', '-1'])}` : ''
    return `${pick(random, ['', '', ' ', 'é'])}%${flags}${width}${precision}${index()}${pick(random, VERBS)}`
  }).join('')
}

const VERBS = ['', ...'vvvvdsqxXxXobOcUeEfFgGtTTw%!zé '.split('')]

/** The text with something taken out, doubled or put in. */
function torn(random: Random, text: string): string {
  const at = Math.floor(random() * text.length)
  const length = 1 + Math.floor(random() * 4)
  const put = pick(random, [
    '',
    '',
    text.slice(at, at + length).repeat(2),
    ...'{}()|.$"\'`-,=: \n\\/*'.split(''),
  ])
  return text.slice(0, at) + put + text.slice(at + length)
}
