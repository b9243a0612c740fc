// The names under which firmware asks for files, made clean.

/**
 * Gives the key of the file that a client means by `asked`: without leading slashes, with forward slashes only, and
 * without the NUL and 0xFF bytes that firmware appends when it takes a DHCP option for a NUL-ended text. Undefined for
 * what is not a name: empty, longer than 255, with `..`, or with control characters.
 */
export function cleanName(asked: string): string | undefined {
  if (asked.length > LONGEST) return undefined
  const name = asked
    .replace(/(?:\0|\u00ff)+$/, '')
    .replaceAll('\\', '/')
    .replace(/\/{2,}/g, '/')
    .replace(/^(\.?\/)+/, '')
  if (name === '' || /\p{Cc}/u.test(name) || name.split('/').includes('..')) return undefined
  return name
}

const LONGEST = 255
