// What is to be brought into an assets directory: files and URLs, with what is known of them beforehand.

import { basename } from 'node:path'
import type { Digests } from '#model/asset.ts'
import { Failure } from '#model/error.ts'

/** One file to bring. */
export type AssetSource = Digests & {
  /** A path, or a URL of HTTP. */
  readonly from: string
  readonly name: string
  /** Where its detached signature is: a path, or a URL. */
  readonly signature?: string
  /** The signature is kept beside the file, as NAME.sig; that it is not there matters only to who has a key. */
  readonly keepSignature?: boolean
}

const REMEDY = 'a line is:  URL [NAME] [sha256=HEX] [sha512=HEX] [sig=URL]'

/**
 * Reads a list of URLs: one a line, with a name and digests behind it; `#` begins a comment.
 *
 * @throws {Failure} BAD_INPUT with the line
 */
export function sourcesIn(text: string, file: string): AssetSource[] {
  const sources = text.split(/\r?\n/).flatMap((line, index) => {
    const [from, ...words] = line
      .replace(/(^|\s)#.*$/, '')
      .trim()
      .split(/\s+/)
    if (from === undefined || from === '') return []
    const refuse = (reason: string) => new Failure('BAD_INPUT', `${file}:${index + 1}: ${reason}`, REMEDY)
    if (!isUrl(from)) throw refuse(`"${from}" is not an HTTP URL`)
    const given: { name?: string; sha256?: string; sha512?: string; signature?: string } = {}
    for (const word of words) {
      const [, key = '', value = ''] = /^(sha256|sha512|sig)=(.*)$/.exec(word) ?? []
      if (key === 'sig') given.signature = value
      else if (key === 'sha256' || key === 'sha512') {
        const fault = digestFault(key, value)
        if (fault !== undefined) throw refuse(fault)
        given[key] = value.toLowerCase()
      } else if (given.name === undefined) given.name = word
      else throw refuse(`"${word}" is one word too many`)
    }
    return [{ ...given, from, name: given.name ?? nameOf(from) }]
  })
  const seen = new Map<string, string>()
  for (const { name, from } of sources) {
    const other = seen.get(name)
    if (other !== undefined) {
      throw new Failure('BAD_INPUT', `${file}: ${other} and ${from} would both be "${name}"`, REMEDY)
    }
    seen.set(name, from)
  }
  return sources
}

/** What is wrong with a given digest; undefined when nothing is. */
export function digestFault(algorithm: 'sha256' | 'sha512', text: string): string | undefined {
  const digits = algorithm === 'sha256' ? 64 : 128
  return new RegExp(`^[0-9a-f]{${digits}}$`, 'i').test(text)
    ? undefined
    : `${algorithm} takes ${digits} hexadecimal digits, not "${text}"`
}

/** Says whether a source is fetched over HTTP. */
export function isUrl(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text)
}

/** The name of a file by default. */
export function nameOf(from: string): string {
  return isUrl(from) ? decodeURIComponent(basename(new URL(from).pathname)) : basename(from)
}
