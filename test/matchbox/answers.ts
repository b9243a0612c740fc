// How answers of Matchbox and ours are compared.

import { METHODS } from 'node:http'
import { opened } from '../oracle/compare.ts'
import type { HttpRequest } from './http-requests.ts'
import type { Answer } from './peers.ts'

/** The headers that count. */
const COUNTED = [
  'content-type',
  'content-length',
  'last-modified',
  'accept-ranges',
  'content-range',
  'allow',
  'location',
  'content-encoding',
]

/** What differs, a line each: `theirs` is Matchbox's. */
export function answerDifferences(request: HttpRequest, theirs: Answer, ours: Answer): string[] {
  const isMetadata = theirs.headers['content-type'] === 'plain/text'
  if (isMetadata && theirs.status === 200 && ours.status === 200)
    return metadataDifferences(request, theirs, ours)
  const lines: string[] = []
  if (theirs.status !== ours.status) lines.push(`status ${theirs.status} is ${ours.status}`)
  for (const name of COUNTED) {
    const [a, b] = [theirs, ours].map(({ headers }) => withoutBoundary(headers[name]))
    if (a !== b) lines.push(`${name} ${JSON.stringify(a)} is ${JSON.stringify(b)}`)
  }
  const [a, b] = [theirs, ours].map(answer => bodyText(request, answer))
  if (a !== b) lines.push(`body ${JSON.stringify(a)} is ${JSON.stringify(b)}`)
  return lines
}

function bothMetadata(theirs: Answer, ours: Answer): boolean {
  return theirs.headers['content-type'] === 'plain/text' && theirs.status === 200 && ours.status === 200
}

/**
 * `/metadata`: Matchbox's lines are in random order, of type `plain/text`, without lists, and have whole numbers as `1e+06`.
 */
function metadataDifferences({ method }: HttpRequest, theirs: Answer, ours: Answer): string[] {
  const lines: string[] = []
  const type = ours.headers['content-type']
  if (type !== 'text/plain; charset=utf-8') lines.push(`content-type ${type}`)
  if (method === 'HEAD') return lines
  const length = ours.headers['content-length']
  if (length !== String(ours.body.length)) lines.push(`content-length ${length} of ${ours.body.length} bytes`)
  const known = linesOf(theirs)
  const shown = linesOf(ours)
  for (const line of known) if (!shown.includes(line)) lines.push(`line ${JSON.stringify(line)} is missing`)
  for (const line of shown) {
    if (!known.includes(line) && !/^[^=]*_\d+(?:_[^=]*)?=/.test(line))
      lines.push(`line ${JSON.stringify(line)} is new`)
  }
  return lines
}

function linesOf({ body }: Answer): string[] {
  return body.toString('latin1').trimEnd().split('\n').map(plainLine).toSorted()
}

/** A line with its number in one form. */
function plainLine(line: string): string {
  const [, key, number] = /^(.*?)=(-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/.exec(line) ?? []
  return number === undefined ? line : `${key}=${Number(number)}`
}

/** A body as it is compared: parts without their boundary, lines of metadata sorted, compressed content unpacked. */
function bodyText(_: HttpRequest, { headers, body }: Answer): string {
  const text = body.toString('latin1')
  const [, boundary] = /^multipart\/byteranges; boundary=(.*)$/.exec(headers['content-type'] ?? '') ?? []
  if (boundary !== undefined) return text.replaceAll(boundary, 'BOUNDARY')
  if (headers['content-type'] === 'application/json' && text.includes('gzip')) return opened(text)
  return text
}

function withoutBoundary(value: string | undefined): string | undefined {
  return value?.replace(/boundary=.*/, 'boundary=BOUNDARY')
}

/** A difference on purpose. */
type Explained = {
  readonly id: string
  readonly reason: string
  readonly explains: (request: HttpRequest, theirs: Answer, ours: Answer) => boolean
}

/** Where our answer is another one on purpose; docs/matchbox.md lists them. */
export const EXPLAINED: readonly Explained[] = [
  {
    id: 'method',
    reason:
      'Node reads the methods that are registered, and refuses others and those in lower case with 400.',
    explains: ({ method }, _, ours) => !METHODS.includes(method) && ours.status === 400,
  },
  {
    id: 'raw-body',
    reason: 'A request line with raw bytes above 0x7F may have no body.',
    explains: ({ target, body }, _, ours) =>
      /[\u0080-\uffff]/.test(target) && body !== '' && ours.status === 400,
  },
  {
    id: 'no-host',
    reason: 'HTTP/1.1 without Host is a 400 in both, ours without a text.',
    explains: ({ headers }, theirs, ours) =>
      theirs.status === 400 && ours.status === 400 && headers.every(([name]) => name !== 'Host'),
  },
  {
    id: 'text-of-400',
    reason: 'A 400 to HEAD has no text, and others have a length.',
    explains: (_, theirs, ours) => theirs.status === 400 && ours.status === 400,
  },
  {
    id: 'escaped-twice',
    reason:
      'Where a path is not plain, Go 1.26 escapes its % again in the Location, which then leads nowhere. Ours leads there.',
    explains: (_, theirs, ours) => {
      const [a = '', b = ''] = [theirs, ours].map(({ headers }) => unescaped(headers.location ?? ''))
      return theirs.status === 307 && ours.status === 307 && b !== '' && unescaped(a) === b
    },
  },
  {
    id: 'escaped-dots',
    reason:
      'Where a path has letters that should have been escaped, Go takes %2e in it for a dot, and sends the client on.',
    explains: ({ target }, theirs, ours) =>
      theirs.status === 307 &&
      ours.status === 404 &&
      /^[^?]*[\u0080-\uffff<>"]/.test(target) &&
      /%2e/i.test(target),
  },
  {
    id: 'text-of-501',
    reason: 'A 501 to HEAD has no text, and others have a length.',
    explains: (_, theirs, ours) => theirs.status === 501 && ours.status === 501,
  },
  {
    id: 'coding',
    reason:
      'A Transfer-Encoding beside a Content-Length, in HTTP/1.0, or in a request that cannot be read otherwise is refused with 400 or 501: two readers may disagree where such a request ends.',
    explains: ({ headers }, _, ours) =>
      (ours.status === 400 || ours.status === 501) && headers.some(([name]) => name === 'Transfer-Encoding'),
  },
  {
    id: 'line-break',
    reason: 'A line break in a value of /metadata begins a new line in Matchbox, and is a space in ours.',
    explains: ({ target }, theirs, ours) => target.includes('%0a') && bothMetadata(theirs, ours),
  },
  {
    id: 'later-butane',
    reason: 'A version of Butane that came after Matchbox is a 404 there.',
    explains: ({ method, target }, theirs, ours) =>
      target.includes('gnition') &&
      theirs.status === 404 &&
      ours.status === 200 &&
      (method === 'HEAD' ? ours.headers['content-type'] === 'application/json' : isLaterSpec(ours)),
  },
  {
    id: 'no-config',
    reason:
      'Of Ignition that it cannot read, of spec 3.5.0 and of what Butane makes of later versions, Matchbox serves an empty config.',
    explains: ({ target }, theirs, ours) =>
      target.includes('gnition') &&
      theirs.status === 200 &&
      /^174$/.test(theirs.headers['content-length'] ?? '') &&
      (ours.status === 503 || (ours.status === 200 && isLaterSpec(ours))),
  },
]

/** What no row explains. */
export function unexplainedDifferences(request: HttpRequest, theirs: Answer, ours: Answer): string[] {
  const lines = answerDifferences(request, theirs, ours)
  return lines.length > 0 && EXPLAINED.some(({ explains }) => explains(request, theirs, ours)) ? [] : lines
}

function isLaterSpec({ body }: Answer): boolean {
  return /^\{\s*"ignition":\s*\{.*"version":\s*"3\.[56]\.0"/s.test(body.toString())
}

/** A place with its escapes of ASCII undone once. */
function unescaped(place: string): string {
  return place.replaceAll(/%([2-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
