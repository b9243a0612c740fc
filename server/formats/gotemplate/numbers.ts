// The digits of float64 numbers as Go prints them; signs are put before them by who formats.

/**
 * The shortest digits that mean `size` (not negative): plain from 1e-4 to below 1e6, else with an exponent of two
 * digits. With `wholeInFull` a whole number below 1e21 is plain too: Go prints a million of the metadata as `1e+06`,
 * which is not what 1000000 was meant to be.
 */
export function floatText(size: number, wholeInFull: boolean): string {
  if (wholeInFull && Number.isInteger(size) && size < 1e21) return String(BigInt(size))
  const [digits = '', power = '0'] = size.toExponential().split('e')
  const exponent = Number(power)
  if (size !== 0 && (exponent < -4 || exponent >= 6)) return exponentOf(digits, exponent)
  return String(size)
}

/** `d.dddde±dd` with the given number of places; a tie is rounded to the even digit. */
export function exponentText(size: number, places: number): string {
  const known = Math.min(places, 100)
  const [exact = '', exactPower = '0'] = size.toExponential(EXACT).split('e')
  const even = evenTie(exact, known)
  const [digits = '', power = '0'] = size.toExponential(known).split('e')
  return exponentOf(even ?? digits, even === undefined ? Number(power) : Number(exactPower))
}

/** `ddd.dddd` with the given number of places; a tie is rounded to the even digit. */
export function fixedText(size: number, places: number): string {
  const known = Math.min(places, 100)
  const text =
    size < 1e21
      ? (evenTie(size.toFixed(EXACT), known) ?? size.toFixed(known))
      : `${BigInt(size)}${known > 0 ? `.${'0'.repeat(known)}` : ''}`
  return text + '0'.repeat(places - known)
}

/** Decimal places: the most that `toFixed` allows, and enough to show exactly any float64 that people write. */
const EXACT = 100

/** The digits cut to `places`, when what is cut off is exactly one half and the digit before it is even. */
function evenTie(exact: string, places: number): string | undefined {
  const point = exact.indexOf('.')
  const kept = exact.slice(0, places === 0 ? point : point + 1 + places)
  return /[02468]$/.test(kept) && /^50*$/.test(exact.slice(point + 1 + places)) ? kept : undefined
}

function exponentOf(digits: string, exponent: number): string {
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}
