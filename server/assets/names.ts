// Names of assets: relative paths below the assets directory, as pure functions.

import { sep } from 'node:path'
import { InvalidAssetName } from './errors.ts'

/** The folder in the assets directory that the store keeps for itself: never served, never listed. */
export const STORE_FOLDER = '.pilotlight'

/** Bytes that Linux lets one part of a path have. */
const LONGEST_PART = 255
const LONGEST_NAME = 2048

/**
 * Gives back a name that may be written below the assets directory.
 *
 * @throws {InvalidAssetName} 400, which says what is wrong with it
 */
export function checkAssetName(name: string): string {
  const fault = faultOf(name)
  if (fault !== undefined) throw new InvalidAssetName(name, fault)
  return name
}

function faultOf(name: string): string | undefined {
  if (name === '') return 'it is empty'
  if (/\p{Cc}/u.test(name)) return 'it holds a control character'
  if (name.startsWith('/')) return 'it begins with a slash'
  if (Buffer.byteLength(name) > LONGEST_NAME) return `it is longer than ${LONGEST_NAME} bytes`
  const parts = name.split('/')
  if (parts.includes('')) return 'a part of it is empty'
  if (parts.includes('..') || parts.includes('.')) return 'a part of it is . or ..'
  if (parts[0] === STORE_FOLDER) return `${STORE_FOLDER} is the store's own folder`
  if (parts.some(part => Buffer.byteLength(part) > LONGEST_PART)) {
    return `a part of it is longer than ${LONGEST_PART} bytes`
  }
  return undefined
}

/** Says whether `real`, with all links followed, is in the directory `top` (or is it), and not in the store's folder. */
export function isPublic(top: string, real: string): boolean {
  const inside = top.endsWith(sep) ? top : top + sep
  if (real === top) return true
  return real.startsWith(inside) && !`${real}${sep}`.startsWith(`${inside}${STORE_FOLDER}${sep}`)
}
