// The names of boots: `b-001f` for the 31st that this server saw, in hexadecimal, four digits at least.

/** The name of a boot by its number. */
export function bootId(number: number): string {
  return `b-${number.toString(16).padStart(4, '0')}`
}

/** The number of a boot by its name. */
export function bootNumber(id: string): number {
  return Number.parseInt(id.slice(2), 16)
}

/** Says whether a boot began after another one: `b-0010` after `b-000f`. */
export function isLater(one: string, other: string): boolean {
  return bootNumber(one) > bootNumber(other)
}
