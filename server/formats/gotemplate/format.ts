// How values are printed: Go's fmt package for the kinds of values that templates have.

import { bytesOf, textOf } from '#model/text.ts'
import { floatText, metadataText, type FloatFormat } from './numbers.ts'
import { isPrintable, quoted, quotedLetter } from './quotes.ts'
import { BadCall } from './failure.ts'
import {
  Complex128,
  floatOf,
  isList,
  isMap,
  sortedEntries,
  type TextMap,
  typeName,
  Uint8,
  weightOf,
  wholeOf,
  type Value,
  type ValueMap,
} from './values.ts'

/** `fmt.Sprint`: a space between two arguments when neither is a text. */
export function print(values: readonly Value[]): string {
  return values
    .map((value, turn) => {
      const before = values[turn - 1]
      const parted = turn > 0 && typeof value !== 'string' && typeof before !== 'string'
      return `${parted ? ' ' : ''}${plainText(value)}`
    })
    .join('')
}

/** `fmt.Sprintln`: spaces between all arguments, and a line break. */
export function println(values: readonly Value[]): string {
  return `${values.map(plainText).join(' ')}\n`
}

/** A value as `%v` prints it. */
export function plainText(value: Value): string {
  return formatted(value, PLAIN)
}

/** The longest text that a function gives, in characters. */
const LONGEST = 8 << 20

/** Counts characters that were examined; it throws when they are too many. */
export type Count = (characters: number) => void

/**
 * `fmt.Sprintf`, up to 8 million characters. What does not fit is reported in the text, as Go does: `%!d(float64=3)`,
 * `%!s(MISSING)`. `count` is called for each argument that is used again, with all that it holds.
 */
export function printf(format: string, values: readonly Value[], count: Count): string {
  const used = new Set<number>()
  const place = new Place(format, values)
  let text = ''
  while (place.at < format.length) {
    const percent = format.indexOf('%', place.at)
    text += format.slice(place.at, percent < 0 ? format.length : percent)
    if (text.length > LONGEST) throw new BadCall('the text is longer than 8 million characters')
    if (percent < 0) break
    place.at = percent + 1
    const { flags, width, precision, verb, complaints, isGoodIndex } = place.directive()
    text += complaints
    if (verb === undefined) {
      text += '%!(NOVERB)'
      break
    }
    if (verb === '%') text += '%'
    else if (!isGoodIndex) text += `%!${verb}(BADINDEX)`
    else if (place.next >= values.length) text += `%!${verb}(MISSING)`
    else {
      const value = values[place.next] ?? null
      const weight = weightOf(value)
      if (used.has(place.next)) count(weight.values + weight.characters)
      used.add(place.next)
      place.next += 1
      const longest = weight.values * ((width === undefined ? 0 : Math.abs(width)) + (precision ?? 0))
      if (text.length + longest > LONGEST) throw new BadCall('the text is longer than 8 million characters')
      text += formatted(value, { ...flagsOf(flags, verb), ...sidesOf(flags, width), precision, verb })
    }
  }
  if (place.isReordered || place.next >= values.length) return text
  const extra = values
    .slice(place.next)
    .map(value => (value === null ? '<nil>' : `${typeName(value)}=${plainText(value)}`))
  return `${text}%!(EXTRA ${extra.join(', ')})`
}

/** One `%…` of a format; without a verb when the format ends before it. */
type Directive = {
  readonly flags: string
  /** Less than zero to fill up on the right. */
  readonly width: number | undefined
  readonly precision: number | undefined
  readonly verb: string | undefined
  /** What is printed about a width or precision that is not a number. */
  readonly complaints: string
  readonly isGoodIndex: boolean
}

/** Where the reading of a format is, and which value is next: what `doPrintf` of Go's fmt package keeps. */
class Place {
  at = 0
  next = 0
  isReordered = false
  readonly #format: string
  readonly #values: readonly Value[]
  #isGoodIndex = true
  #complaints = ''

  constructor(format: string, values: readonly Value[]) {
    this.#format = format
    this.#values = values
  }

  /** Reads what follows a `%`. */
  directive(): Directive {
    this.#isGoodIndex = true
    this.#complaints = ''
    const flags = this.#run(/[-+# 0]*/y)
    let isAfterIndex = this.#index()
    let width: number | undefined
    if (this.#takes('*')) {
      width = this.#star('BADWIDTH')
      isAfterIndex = false
    } else {
      width = this.#number()
      if (isAfterIndex && width !== undefined) this.#isGoodIndex = false
    }
    let precision: number | undefined
    if (this.at + 1 < this.#format.length && this.#takes('.')) {
      if (isAfterIndex) this.#isGoodIndex = false
      isAfterIndex = this.#index()
      if (this.#takes('*')) {
        precision = this.#star('BADPREC')
        isAfterIndex = false
      } else precision = this.#number() ?? 0
    }
    if (!isAfterIndex) this.#index()
    const letter = this.at < this.#format.length ? this.#run(/./suy) : undefined
    const verb = letter !== undefined && /[\ud800-\udfff]/u.test(letter) ? '\ufffd' : letter
    return { flags, width, precision, verb, complaints: this.#complaints, isGoodIndex: this.#isGoodIndex }
  }

  #run(pattern: RegExp): string {
    pattern.lastIndex = this.at
    const text = pattern.exec(this.#format)?.[0] ?? ''
    this.at += text.length
    return text
  }

  #takes(letter: string): boolean {
    const isThere = this.#format[this.at] === letter
    if (isThere) this.at += 1
    return isThere
  }

  /** `[2]`: the second value is next. Says whether there was one that is well-formed, even if there is no such value. */
  #index(): boolean {
    if (this.#format[this.at] !== '[') return false
    this.isReordered = true
    const end = this.#format.indexOf(']', this.at)
    const text = this.#format.slice(this.at + 1, end)
    const number = /^\d{1,7}$/.test(text) ? Number(text) : 0
    this.at = end < 0 || this.#format.length - this.at < 3 ? this.at + 1 : end + 1
    if (end >= 0 && number >= 1 && number <= this.#values.length) {
      this.next = number - 1
      return true
    }
    this.#isGoodIndex = false
    return end >= 0 && /^\d{1,7}$/.test(text)
  }

  /** A number; one beyond a million is not read, nor anything after it. */
  #number(): number | undefined {
    const digits = this.#run(/\d*/y)
    if (digits === '') return undefined
    const number = Number(digits)
    if (Number(digits.slice(0, -1)) <= 1_000_000) return number
    this.at = this.#format.length
    return undefined
  }

  /** The next value as a width or precision, which may not be below zero as a precision. */
  #star(complaint: 'BADWIDTH' | 'BADPREC'): number | undefined {
    const value = this.#values[this.next]
    if (value !== undefined) this.next += 1
    const whole = value === undefined ? undefined : wholeOf(value)
    const isFit = whole !== undefined && whole >= -1_000_000n && whole <= 1_000_000n
    if (isFit && (complaint === 'BADWIDTH' || whole >= 0n)) return Number(whole)
    this.#complaints += `%!(${complaint})`
    return undefined
  }
}

/** Where the padding goes: zeros only to the left. */
function sidesOf(flags: string, width: number | undefined): Pick<Form, 'zero' | 'minus' | 'width'> {
  const minus = flags.includes('-') || (width ?? 0) < 0
  return {
    minus,
    zero: flags.includes('0') && !minus,
    width: width === undefined ? undefined : Math.abs(width),
  }
}

/** How one value is wanted. */
type Form = {
  readonly verb: string
  readonly plus: boolean
  readonly sharp: boolean
  /** `%#v`: as it would be written in a Go program. */
  readonly goSyntax: boolean
  readonly space: boolean
  readonly zero: boolean
  readonly minus: boolean
  readonly width: number | undefined
  readonly precision: number | undefined
}

const PLAIN: Form = {
  verb: 'v',
  plus: false,
  sharp: false,
  goSyntax: false,
  space: false,
  zero: false,
  minus: false,
  width: undefined,
  precision: undefined,
}

function flagsOf(flags: string, verb: string): Pick<Form, 'plus' | 'sharp' | 'space' | 'goSyntax'> {
  const [plus, sharp, space] = [flags.includes('+'), flags.includes('#'), flags.includes(' ')]
  return verb === 'v' || verb === 'w'
    ? { plus: false, sharp: false, space, goSyntax: sharp }
    : { plus, sharp, space, goSyntax: false }
}

function formatted(value: Value, form: Form): string {
  if (form.verb === 'T' && value !== null) return textForm(typeName(value), { ...form, verb: 's' })
  if (value === null) return 'vT'.includes(form.verb) ? padded('<nil>', form) : bad(value, form)
  if (isList(value) || isMap(value)) return form.verb === 'w' ? bad(value, form) : collection(value, form)
  if (typeof value === 'string') return textForm(value, form)
  if (typeof value === 'boolean')
    return 'vt'.includes(form.verb) ? padded(String(value), form) : bad(value, form)
  if (value instanceof Complex128) return complexForm(value, form)
  const whole = wholeOf(value)
  if (whole !== undefined) return wholeForm(whole, value, form)
  return floatForm(floatOf(value) ?? 0, value, form)
}

/** Formats a value that its verb does not accept as Go does: `%!d(string=x)`, with the same width. */
function bad(value: Value, form: Form): string {
  if (value === null) return `%!${form.verb}(<nil>)`
  return `%!${form.verb}(${typeName(value)}=${formatted(value, { ...form, verb: 'v' })})`
}

function collection(value: readonly Value[] | ValueMap | TextMap, form: Form): string {
  const { goSyntax } = form
  const nothing = goSyntax ? 'interface {}(nil)' : '<nil>'
  const inner = (item: Value): string => (item === null ? nothing : formatted(item, form))
  if (isList(value)) {
    const items = value.map(inner)
    return goSyntax ? `${typeName(value)}{${items.join(', ')}}` : `[${items.join(' ')}]`
  }
  const entries = sortedEntries(value).map(([key, item]) => `${formatted(key, form)}:${inner(item)}`)
  return goSyntax ? `${typeName(value)}{${entries.join(', ')}}` : `map[${entries.join(' ')}]`
}

function textForm(value: string, form: Form): string {
  const { verb, precision, sharp, plus, space, goSyntax } = form
  const shown = precision === undefined ? value : firstLetters(value, precision)
  if (goSyntax && verb === 'v') return padded(quoted(shown, false, false), form)
  if (verb === 'v' || verb === 's') return padded(shown, form)
  if (verb === 'q') return padded(quoted(shown, plus, sharp), form)
  if (verb !== 'x' && verb !== 'X') return bad(value, form)
  const bytes = bytesOf(value).subarray(0, precision)
  const hex = bytes.toString('hex')
  const prefix = sharp && bytes.length > 0 ? '0x' : ''
  const text = space ? hex.replaceAll(/..(?=.)/g, sharp ? '$& 0x' : '$& ') : hex
  return padded(verb === 'X' ? `${prefix}${text}`.toUpperCase() : `${prefix}${text}`, form)
}

/** Up to `most` characters of a text; no more of it is examined. */
function firstLetters(text: string, most: number): string {
  let end = 0
  for (let left = most; left > 0 && end < text.length; left -= 1) {
    end += (text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1
  }
  return text.slice(0, end)
}

const BASES: Readonly<Record<string, readonly [radix: number, prefix: string]>> = {
  b: [2, '0b'],
  o: [8, '0'],
  O: [8, '0o'],
  d: [10, ''],
  v: [10, ''],
  x: [16, '0x'],
  X: [16, '0x'],
}

function wholeForm(value: bigint, it: Value, form: Form): string {
  if (form.goSyntax && it instanceof Uint8)
    return wholeForm(value, it, { ...form, goSyntax: false, sharp: true, verb: 'x' })
  const { verb, sharp, precision, plus } = form
  const letter = value >= 0n && value <= 0x10ffffn ? Number(value) : 0xfffd
  const character = letter >= 0xd800 && letter <= 0xdfff ? '\ufffd' : String.fromCodePoint(letter)
  if (verb === 'c') return padded(character, form)
  if (verb === 'q') return padded(quotedLetter(character, plus), form)
  if (verb === 'U') {
    const hex = BigInt.asUintN(64, value).toString(16).toUpperCase()
    const digits = hex.padStart(Math.max(4, precision ?? 0), '0')
    const shown = sharp && value >= 0n && isPrintable(character) ? ` '${character}'` : ''
    return padded(`U+${digits}${shown}`, { ...form, zero: false })
  }
  const [radix, prefix] = BASES[verb] ?? [0, '']
  if (radix === 0) return bad(it, form)
  if (precision === 0 && value === 0n) return padded('', { ...form, zero: false })
  const sign = signOf(value < 0n, form)
  const lead = verb === 'O' || sharp ? prefix : ''
  let digits = (value < 0n ? -value : value).toString(radix).padStart(precision ?? 0, '0')
  if (verb === 'o' && lead !== '' && digits.startsWith('0')) digits = digits.slice(1)
  if (verb === 'O' && sharp && !digits.startsWith('0')) digits = `0${digits}`
  if (form.zero && precision === undefined && form.width !== undefined)
    digits = digits.padStart(form.width - sign.length, '0')
  const text = `${sign}${lead}${digits}`
  return padded(verb === 'X' ? text.toUpperCase() : text, { ...form, zero: false })
}

/** Verbs of numbers with a fraction, with how they write them and the precision when none is given. */
const FLOAT_VERBS: Readonly<Record<string, readonly [format: FloatFormat, precision: number | undefined]>> = {
  v: ['g', undefined],
  g: ['g', undefined],
  G: ['g', undefined],
  e: ['e', 6],
  E: ['e', 6],
  f: ['f', 6],
  F: ['f', 6],
  x: ['x', undefined],
  X: ['x', undefined],
  b: ['b', undefined],
}

function floatForm(value: number, it: Value, form: Form): string {
  const { verb, precision, sharp } = form
  const known = FLOAT_VERBS[verb]
  if (known === undefined) return bad(it, form)
  const [format, usual] = known
  const wanted = precision ?? usual
  const size = Math.abs(value)
  const isMetadata = typeof it === 'number' && verb === 'v' && !form.goSyntax && precision === undefined
  let digits = isMetadata ? metadataText(size) : floatText(size, format, wanted)
  if ('GEX'.includes(verb)) digits = digits.toUpperCase()
  if (sharp && format !== 'b') digits = withPoint(digits, verb, wanted)
  const sign = signOf(value < 0 || Object.is(value, -0), form)
  if (form.zero && form.width !== undefined) digits = digits.padStart(form.width - sign.length, '0')
  return padded(`${sign}${digits}`, { ...form, zero: false })
}

/** The flag `#`: always a point, and the zeros that `%g` and `%x` leave out. */
function withPoint(text: string, verb: string, precision: number | undefined): string {
  const [, digits = '', tail = ''] = (/x/i.test(verb) ? /^(.*?)(p.*)?$/i : /^(.*?)(e.*)?$/i).exec(text) ?? []
  const significant = digits.replace('.', '').replace(/^0+/, '').length
  const pointed = digits.includes('.') ? digits : `${digits}.`
  const wanted = 'vgGx'.includes(verb) ? (precision ?? 6) : 0
  const zero = pointed === '0.' ? 1 : 0
  return `${pointed}${'0'.repeat(Math.max(wanted - significant - zero, 0))}${tail}`
}

/** Both parts of a complex number, each with the width; the second always with a sign. */
function complexForm(value: Complex128, form: Form): string {
  if (FLOAT_VERBS[form.verb] === undefined) return bad(value, form)
  const part = (number: number, plus: boolean) =>
    floatForm(number, value, { ...form, plus: plus || form.plus })
  return `(${part(value.real, false)}${part(value.imaginary, true)}i)`
}

function signOf(negative: boolean, { plus, space }: Form): string {
  if (negative) return '-'
  if (plus) return '+'
  return space ? ' ' : ''
}

/** Fills up to the width, counted in characters. */
function padded(text: string, { width = 0, minus, zero }: Form): string {
  const missing = width - Array.from(text).length
  if (missing <= 0) return text
  if (minus) return text + ' '.repeat(missing)
  return (zero ? '0' : ' ').repeat(missing) + text
}

/** A text cut to `length` bytes from `start`, as Go slices texts. */
export function byteSlice(text: string, start: number, end: number): string {
  return textOf(bytesOf(text).subarray(start, end))
}
