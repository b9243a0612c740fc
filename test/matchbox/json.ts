// Files of groups and profiles, made up from a seed: keys that are there again and in other cases, values of any type, nulls,
// escapes and bytes that are not UTF-8, and pieces torn out.

import type { Random } from '../../bench/random.ts'
import { pick } from './requests.ts'

/** The bytes of a group's file. Selectors have no lists and objects: those are ours, and unreadable in Matchbox. */
export function groupFile(random: Random): Buffer {
  const fields = {
    id: text,
    name: text,
    profile: text,
    selector: (it: Random) =>
      object(it, SELECTOR_KEYS, value =>
        pick(value, [text, text, text, text, () => 'null', () => '7'])(value),
      ),
    metadata: (it: Random) => object(it, KEYS, value => anything(value, 2)),
    other: (it: Random) => anything(it, 1),
  }
  return file(random, fields)
}

/** The bytes of a profile's file. */
export function profileFile(random: Random): Buffer {
  const texts = (it: Random) => list(it, item => pick(item, [text, text, text, () => 'null'])(item))
  const inner = { kernel: text, initrd: texts, args: texts }
  const fields = {
    id: text,
    name: text,
    ignition_id: text,
    generic_id: text,
    boot: (it: Random) => struct(it, inner),
    initrd: texts,
  }
  return file(random, fields)
}

type Fields = Readonly<Record<string, (random: Random) => string>>

function file(random: Random, fields: Fields): Buffer {
  let json = struct(random, fields)
  if (random() < 0.08) {
    const at = Math.floor(random() * json.length)
    json =
      json.slice(0, at) +
      pick(random, ['', ',', '}', '"', '\\', '{}', '\u0001', '1', ' ', '\ufeff', '//']) +
      json.slice(at + 1)
  }
  return Buffer.from(json, 'latin1')
}

function struct(random: Random, fields: Fields): string {
  const names = Object.keys(fields)
  const members = Array.from({ length: 1 + Math.floor(random() * 7) }, () => {
    const name = pick(random, [...names, ...names, 'boot', 'id', 'id', 'selector', 'metadata'])
    const make = fields[name] ?? text
    const value = pick(random, [
      make,
      make,
      make,
      make,
      make,
      make,
      make,
      make,
      () => 'null',
      (it: Random) => (name === 'selector' ? text(it) : anything(it, 1)),
    ])
    return `${space(random)}"${cased(random, name)}"${space(random)}:${space(random)}${value(random)}${space(random)}`
  })
  return `{${members.join(',')}}`
}

function object(random: Random, keys: readonly string[], value: (random: Random) => string): string {
  const members = Array.from(
    { length: Math.floor(random() * 4) },
    () => `"${pick(random, keys)}":${value(random)}`,
  )
  return `{${members.join(', ')}}`
}

function list(random: Random, item: (random: Random) => string): string {
  return `[${Array.from({ length: Math.floor(random() * 4) }, () => item(random)).join(',')}]`
}

function anything(random: Random, depth: number): string {
  const scalars = [text, () => pick(random, NUMBERS), () => 'true', () => 'false', () => 'null']
  const nested = [
    (it: Random) => object(it, KEYS, value => anything(value, depth - 1)),
    (it: Random) => list(it, item => anything(item, depth - 1)),
  ]
  return pick(random, depth > 0 ? [...scalars, ...nested, ...nested] : scalars)(random)
}

function text(random: Random): string {
  return `"${pick(random, TEXTS)}"`
}

/** The name in other cases; `\u212a` and `\u017f` are a K and an s in Unicode's folding. In Latin-1, as UTF-8 bytes. */
function cased(random: Random, name: string): string {
  if (random() < 0.7) return name
  const other = Array.from(name, letter => {
    const chance = random()
    if (chance < 0.3) return letter.toUpperCase()
    if (chance < 0.4 && letter === 's') return utf8('\u017f')
    if (chance < 0.4 && letter === 'k') return utf8('\u212a')
    if (chance < 0.4 && letter === 'i') return utf8(pick(random, ['\u0130', '\u0131']))
    return chance < 0.45 ? `\\u00${letter.charCodeAt(0).toString(16)}` : letter
  })
  return other.join('')
}

function space(random: Random): string {
  return random() < 0.9 ? '' : pick(random, [' ', '\n', '\t', '\r\n', '  '])
}

const utf8 = (it: string) => Buffer.from(it).toString('latin1')
const KEYS = ['a', 'A', 'b', 'b', '__proto__', '', '10', '2', utf8('ü'), '\\u0061', '\xff', '\\ud800']
const SELECTOR_KEYS = ['a', 'b', 'os', 'mac', 'MAC', 'uuid', '__proto__']
const NUMBERS = [
  '0',
  '-0',
  '1',
  '-1.5',
  '1e3',
  '1E400',
  '-1e-400',
  '12345678901234567890',
  '0.1',
  '01',
  '+1',
  '1.',
  '.5',
  '1e',
]
const TEXTS = [
  'x',
  'y',
  'z',
  '',
  '52-54-00-20-00-01',
  'not a mac',
  utf8('über\u{1f350}'),
  '\\u00e9\\n\\t\\"\\\\\\/',
  '\\ud83c\\udf50',
  '\\ud800',
  '\\udc00x',
  '\\ud800\\u0041',
  '\\ud800\xed\xb0\x80',
  '\\ud800\x80',
  '\xff\xfe',
  '\xe2\x82',
  '\xed\xa0\x80',
  '<&>\\u2028',
  "\\'",
  '\\x41',
  '\\u00g0',
  '\x7f',
]
