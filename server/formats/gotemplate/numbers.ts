// The digits of float64 numbers as Go prints and reads them; signs are put before them by who formats.

/**
 * The digits of a number of the metadata as `%v` prints it, but a whole number below 1e21 in full: Go prints a million as
 * `1e+06`, which is not what 1000000 was meant to be.
 */
export function metadataText(size: number): string {
  return Number.isInteger(size) && size < 1e21 ? String(BigInt(size)) : floatText(size, 'g', undefined)
}

/** How a number is written: `d.dde±dd`, `ddd.dd`, the shorter of both, `0x1.8p+01`, or `ddddp±ddd`. */
export type FloatFormat = 'e' | 'f' | 'g' | 'x' | 'b'

/**
 * The digits of `size`, which is not negative and finite, as `strconv.FormatFloat` gives them; without a precision
 * the fewest that mean this number.
 */
export function floatText(size: number, format: FloatFormat, precision: number | undefined): string {
  if (format === 'x') return hexText(size, precision)
  if (format === 'b') return binaryText(size)
  const shortest = precision === undefined
  const whole = shortestOf(size)
  if (format === 'e') {
    const digits = shortest ? whole : roundedOf(size, precision + 1)
    return exponentText(digits, shortest ? digits.digits.length - 1 : precision)
  }
  if (format === 'f') {
    const digits = shortest ? whole : roundedOf(size, whole.point + precision)
    return fixedText(digits, shortest ? Math.max(digits.digits.length - digits.point, 0) : precision)
  }
  const wanted = Math.max(precision ?? whole.digits.length, 1)
  const digits = shortest ? whole : roundedOf(size, wanted)
  const count = digits.digits.length
  const limit = shortest ? 6 : wanted > count && count >= digits.point ? count : wanted
  const exponent = digits.point - 1
  if (exponent < -4 || exponent >= limit) return exponentText(digits, Math.min(wanted, count) - 1)
  return fixedText(digits, Math.max(count - digits.point, 0))
}

/** `0.digits` times ten to the power of `point`; without zeros at the end, and no digits for zero. */
type Decimal = { readonly digits: string; readonly point: number }

function shortestOf(size: number): Decimal {
  if (size === 0) return { digits: '', point: 0 }
  const [digits = '', power = '0'] = size.toExponential().split('e')
  return decimal(digits.replace('.', ''), Number(power) + 1)
}

/**
 * The first `count` digits of all that a number has; exactly one half is rounded to the even digit. Where there are more
 * digits than that for sure there is no such half, and JavaScript's rounding will do, which is much faster.
 */
function roundedOf(size: number, count: number): Decimal {
  if (size === 0 || count < 0) return { digits: '', point: 0 }
  const { mantissa, exponent } = partsOf(size)
  if (count > 0 && count <= 100 && leastDigits(mantissa, exponent) > count + 1) {
    const [digits = '', power = '0'] = size.toExponential(count - 1).split('e')
    return decimal(digits.replace('.', ''), Number(power) + 1)
  }
  // A float64 is a whole number times a power of two, so there is an end to its digits.
  const digits = String(exponent < 0 ? mantissa * 5n ** BigInt(-exponent) : mantissa << BigInt(exponent))
  return rounded(decimal(digits, digits.length + Math.min(exponent, 0)), count)
}

/** How many digits a number has at least, without zeros at the end: a factor of ten takes a five from the mantissa, or halves it. */
function leastDigits(mantissa: bigint, exponent: number): number {
  const length = mantissa.toString(2).length
  if (exponent >= 0) return Math.floor((length + exponent) * 0.301) - 23
  return Math.floor((-exponent - length) * 0.69)
}

function decimal(digits: string, point: number): Decimal {
  let end = digits.length
  while (end > 0 && digits[end - 1] === '0') end -= 1
  return { digits: digits.slice(0, end), point }
}

/** The first `count` digits; exactly one half is rounded to the even digit. */
function rounded({ digits, point }: Decimal, count: number): Decimal {
  if (count >= digits.length) return { digits, point }
  if (count < 0) return { digits: '', point: 0 }
  const kept = digits.slice(0, count)
  const rest = digits.slice(count)
  const isUp = rest === '5' ? /[13579]$/.test(kept) : rest >= '5'
  if (!isUp) return kept === '' ? { digits: '', point: 0 } : decimal(kept, point)
  const up = String(BigInt(kept || '0') + 1n)
  return decimal(up, up.length > count ? point + 1 : point)
}

function exponentText({ digits, point }: Decimal, places: number): string {
  const exponent = digits === '' ? 0 : point - 1
  const fraction = places > 0 ? `.${digits.slice(1, places + 1).padEnd(places, '0')}` : ''
  return `${digits[0] ?? '0'}${fraction}e${signed(exponent)}`
}

function fixedText({ digits, point }: Decimal, places: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0'
  const fraction = `${'0'.repeat(Math.max(-point, 0))}${digits.slice(Math.max(point, 0))}`
  return places > 0 ? `${whole}.${fraction.slice(0, places).padEnd(places, '0')}` : whole
}

function signed(exponent: number): string {
  return `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}

/** `0x1.8p+01`: 60 bits behind the leading one are 15 digits. */
function hexText(size: number, precision: number | undefined): string {
  let { mantissa, exponent } = partsOf(size)
  if (mantissa !== 0n) {
    const shift = 61 - mantissa.toString(2).length
    mantissa <<= BigInt(shift)
    exponent += 60 - shift
  } else exponent = 0
  if (precision !== undefined && precision < 15) {
    const cut = BigInt(60 - 4 * precision)
    mantissa = halved(mantissa, cut) << cut
    if (mantissa >> 61n) {
      mantissa >>= 1n
      exponent += 1
    }
  }
  const digits = (mantissa & ((1n << 60n) - 1n)).toString(16).padStart(15, '0')
  const shown =
    precision === undefined ? digits.replace(/0+$/, '') : digits.slice(0, precision).padEnd(precision, '0')
  return `0x${mantissa >> 60n}${shown === '' ? '' : `.${shown}`}p${signed(exponent)}`
}

function binaryText(size: number): string {
  const { mantissa, exponent } = partsOf(size)
  return `${mantissa}p${exponent < 0 ? '' : '+'}${exponent}`
}

/** `mantissa` times two to the power of `exponent`, as a float64 holds them: 53 bits, fewer below the smallest normal number. */
function partsOf(size: number): { mantissa: bigint; exponent: number } {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, size)
  const bits = view.getBigUint64(0)
  const biased = Number((bits >> 52n) & 0x7ffn)
  const fraction = bits & ((1n << 52n) - 1n)
  return biased === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | (1n << 52n), exponent: biased - 1075 }
}

/** `value` without its last `bits` bits, rounded; exactly one half to the even number. */
function halved(value: bigint, bits: bigint): bigint {
  if (bits <= 0n) return value << -bits
  const kept = value >> bits
  const rest = value & ((1n << bits) - 1n)
  const half = 1n << (bits - 1n)
  return rest > half || (rest === half && (kept & 1n) === 1n) ? kept + 1n : kept
}

/**
 * Reads a number as `strconv.ParseFloat` does: decimal, or hexadecimal with an exponent of two, underscores between
 * digits. Undefined for anything else, and for a number that is too large.
 */
export function parseFloat64(text: string): number | undefined {
  const [, sign, body = ''] = /^([+-]?)(.*)$/s.exec(text) ?? []
  if (!areUnderscoresPlaced(body)) return undefined
  const plain = body.replaceAll('_', '')
  const size = /^0[xX]/.test(plain) ? parseHex(plain) : parseDecimal(plain)
  if (size === undefined || !Number.isFinite(size)) return undefined
  return sign === '-' ? -size : size
}

/** Each underscore is between digits, or between the prefix of a base and a digit. */
function areUnderscoresPlaced(body: string): boolean {
  const [prefix = ''] = /^0[xXoObB]/.exec(body) ?? []
  const digit = /x/i.test(prefix) ? '[\\da-fA-F]' : '\\d'
  const place = new RegExp(`(?<=${digit})_(?=${digit})`, 'g')
  return !`0${body.slice(prefix.length)}`
    .slice(prefix === '' ? 1 : 0)
    .replaceAll(place, '')
    .includes('_')
}

function parseDecimal(text: string): number | undefined {
  return /^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined
}

function parseHex(text: string): number | undefined {
  const [, whole = '', fraction = '', power = ''] =
    /^0[xX]([\da-fA-F]*)\.?([\da-fA-F]*)[pP]([+-]?\d+)$/.exec(text) ?? []
  if (whole === '' && fraction === '') return undefined
  const mantissa = BigInt(`0x${whole}${fraction}`)
  const exponent = Number(power) - 4 * fraction.length
  if (mantissa === 0n) return 0
  const length = mantissa.toString(2).length
  if (length + exponent > 1024) return Number.POSITIVE_INFINITY
  if (length + exponent < -1080) return 0
  const dropped = Math.max(length - 53, -1074 - exponent)
  const kept = Number(halved(mantissa, BigInt(dropped)))
  const scale = exponent + dropped
  return scale > 971 ? kept * 2 ** 971 * 2 ** (scale - 971) : kept * 2 ** scale
}

/** As many characters as may belong to a number; whether they are one is found out when its value is read. */
export const NUMBER =
  /(?=[+\-\d]|\.\d)[+-]?(?:0[xX][\da-fA-F_]*(?:\.[\da-fA-F_]*)?(?:[pP][+-]?[\d_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?|[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?[\d_]*)?)i?/y
