// The kinds of objects as people write them: `group`, or `groups`.

import { Argument, InvalidArgumentError } from 'commander'
import { Failure } from '#model/error.ts'
import { nearest } from '#model/nearest.ts'
import { KINDS, type Kind } from '#model/kinds.ts'

/**
 * The same outside of an argument.
 *
 * @throws {Failure} BAD_OPTION when it is not one
 */
export function kindNamed(text: string, verb: string): Kind {
  try {
    return kindOf(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : ''
    throw new Failure('BAD_OPTION', `${verb}: kind cannot be "${text}": ${reason}`, `${verb} --help`)
  }
}

/** The argument `<kind>` of a verb on objects. */
export function kindArgument(): Argument {
  return new Argument('<kind>', KINDS.join(', ')).choices(KINDS).argParser(kindOf)
}

/**
 * A kind from what a user wrote.
 *
 * @throws {InvalidArgumentError} when it is not one; commander says it of its argument
 */
function kindOf(text: string): Kind {
  const kind = KINDS.find(one => one === text || `${one}s` === text)
  if (kind !== undefined) return kind
  const meant = nearest(text, [...KINDS, ...KINDS.map(one => `${one}s`)])
  const remedy = meant === undefined ? `it is one of ${KINDS.join(' ')}` : `did you mean ${meant}?`
  throw new InvalidArgumentError(remedy)
}
