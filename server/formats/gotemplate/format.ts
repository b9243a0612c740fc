// How values are printed: Go's fmt package for the kinds of values that templates have.

import { bytesOf, textOf } from '#model/text.ts'
import { exponentText, fixedText, floatText } from './numbers.ts'
import { isPrintable, quoted, quotedLetter } from './quotes.ts'
import { BadCall } from './failure.ts'
import { isList, isMap, sortedEntries, typeName, weightOf, type Value } from './values.ts'

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
  let text = ''
  let next = 0
  let reordered = false
  let from = 0
  for (let at = format.indexOf('%'); at >= 0; at = format.indexOf('%', from)) {
    text += format.slice(from, at)
    if (text.length > LONGEST) throw new BadCall('the text is longer than 8 million characters')
    const directive = directiveAt(format, at + 1)
    from = directive.end
    if (directive.verb === '') {
      text += '%!(NOVERB)'
      break
    }
    let { width, precision, minus } = directive
    let bad = ''
    const order = (index: number | undefined) => {
      if (index === undefined) return
      reordered = true
      if (index >= 1 && index <= values.length) next = index - 1
      else bad = 'BADINDEX'
    }
    const star = (): number | undefined => {
      const value = values[next]
      next += 1
      return typeof value === 'bigint' && value > -1_000_000n && value < 1_000_000n
        ? Number(value)
        : undefined
    }
    order(directive.widthIndex)
    if (directive.widthStar) {
      width = star()
      if (width === undefined) text += '%!(BADWIDTH)'
      else if (width < 0) {
        minus = true
        width = -width
      }
    }
    order(directive.precisionIndex)
    if (directive.precisionStar) {
      precision = star()
      if (precision === undefined || precision < 0) {
        text += '%!(BADPREC)'
        precision = undefined
      }
    }
    order(directive.index)
    const { verb } = directive
    if (verb === '%') text += '%'
    else if (bad !== '') text += `%!${verb}(${bad})`
    else if (next >= values.length) text += `%!${verb}(MISSING)`
    else {
      const value = values[next] ?? null
      const weight = weightOf(value)
      if (used.has(next)) count(weight.values + weight.characters)
      used.add(next)
      next += 1
      const longest = weight.values * ((width ?? 0) + (precision ?? 0))
      if (text.length + longest > LONGEST) throw new BadCall('the text is longer than 8 million characters')
      const zero = directive.flags.includes('0') && !minus
      text += formatted(value, { ...flagsOf(directive.flags, verb), zero, minus, width, precision, verb })
    }
  }
  if (from < format.length && !text.endsWith('%!(NOVERB)')) text += format.slice(from)
  if (reordered || next >= values.length) return text
  const extra = values
    .slice(next)
    .map(value => (value === null ? '<nil>' : `${typeName(value)}=${plainText(value)}`))
  return `${text}%!(EXTRA ${extra.join(', ')})`
}

/** One `%…` of a format. */
type Directive = {
  readonly flags: string
  readonly minus: boolean
  readonly widthIndex: number | undefined
  readonly widthStar: boolean
  readonly width: number | undefined
  readonly precisionIndex: number | undefined
  readonly precisionStar: boolean
  readonly precision: number | undefined
  readonly index: number | undefined
  readonly verb: string
  readonly end: number
}

const DIRECTIVE =
  /([-+# 0]*)(?:(?:\[(\d+)\])?(\*)|(\d+))?(?:(\.)(?:(?:\[(\d+)\])?(\*)|(\d+))?)?(?:\[(\d+)\])?(.?)/suy

/** A width, precision or index; at most 1,000,000. */
function number(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Math.min(Number(text), 1_000_000)
}

function directiveAt(format: string, at: number): Directive {
  DIRECTIVE.lastIndex = at
  const [
    all = '',
    flags = '',
    widthAt,
    star,
    width,
    point,
    precisionAt,
    precisionStar,
    precision,
    index,
    verb = '',
  ] = DIRECTIVE.exec(format) ?? []
  return {
    flags,
    minus: flags.includes('-'),
    widthIndex: number(widthAt),
    widthStar: star !== undefined,
    width: number(width),
    precisionIndex: number(precisionAt),
    precisionStar: precisionStar !== undefined,
    precision: point === undefined ? undefined : (number(precision) ?? 0),
    index: number(index),
    verb,
    end: at + all.length,
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
  return verb === 'v'
    ? { plus: false, sharp: false, space, goSyntax: sharp }
    : { plus, sharp, space, goSyntax: false }
}

function formatted(value: Value, form: Form): string {
  if (form.verb === 'T' && value !== null) return textForm(typeName(value), { ...form, verb: 's' })
  if (value === null) return 'vT'.includes(form.verb) ? padded('<nil>', form) : bad(value, form)
  if (isList(value) || isMap(value)) return collection(value, form)
  if (typeof value === 'string') return textForm(value, form)
  if (typeof value === 'boolean')
    return 'vt'.includes(form.verb) ? padded(String(value), form) : bad(value, form)
  return typeof value === 'bigint' ? wholeForm(value, form) : floatForm(value, form)
}

/** Formats a value that its verb does not accept as Go does: `%!d(string=x)`, with the same width. */
function bad(value: Value, form: Form): string {
  if (value === null) return `%!${form.verb}(<nil>)`
  return `%!${form.verb}(${typeName(value)}=${formatted(value, { ...form, verb: 'v' })})`
}

function collection(value: Exclude<Value, string | number | boolean | bigint | null>, form: Form): string {
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
  if (goSyntax) return padded(quoted(shown, false, false), form)
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

function wholeForm(value: bigint, form: Form): string {
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
  if (radix === 0) return bad(value, form)
  if (precision === 0 && value === 0n) return padded('', { ...form, zero: false })
  const sign = signOf(value < 0n, form)
  const lead = verb === 'O' || sharp ? prefix : ''
  let digits = (value < 0n ? -value : value).toString(radix).padStart(precision ?? 0, '0')
  if (verb === 'o' && lead !== '' && digits.startsWith('0')) digits = digits.slice(1)
  if (form.zero && precision === undefined && form.width !== undefined)
    digits = digits.padStart(form.width - sign.length, '0')
  const text = `${sign}${lead}${digits}`
  return padded(verb === 'X' ? text.toUpperCase() : text, { ...form, zero: false })
}

function floatForm(value: number, form: Form): string {
  const { verb, precision } = form
  const lower = verb.toLowerCase()
  if (!'vgGeEfF'.includes(verb)) return bad(value, form)
  const size = Math.abs(value)
  let digits: string
  if (lower === 'f') digits = fixedText(size, precision ?? 6)
  else if (lower === 'e') digits = exponentText(size, precision ?? 6)
  else
    digits =
      precision === undefined ? floatText(size, verb === 'v' && !form.goSyntax) : general(size, precision)
  const negative = value < 0 || Object.is(value, -0)
  const sign = signOf(negative, form)
  if (form.zero && form.width !== undefined) digits = digits.padStart(form.width - sign.length, '0')
  const text = `${sign}${digits}`
  return padded('GE'.includes(verb) ? text.toUpperCase() : text, { ...form, zero: false })
}

/** `%.3g`: the given number of digits at most, without zeros at the end. */
function general(size: number, precision: number): string {
  const wanted = Math.min(Math.max(precision, 1), 100)
  const [digits = '0', power = '0'] = exponentText(size, wanted - 1).split('e')
  const significant = digits.replace('.', '').replace(/0+$/, '')
  const exponent = Number(power)
  const limit = significant.length > wanted && wanted > exponent ? significant.length : wanted
  if (size !== 0 && (exponent < -4 || exponent >= limit))
    return exponentText(size, Math.max(significant.length - 1, 0))
  return fixedText(size, Math.max(significant.length - 1 - exponent, 0))
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
