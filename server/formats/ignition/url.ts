// Which URLs Ignition fetches. It reads them as Go's net/url does, which takes texts that the WHATWG parser of Node
// does not, and refuses others that it takes.

import { isIPv6 } from 'node:net'

/** A URL cut in the parts that matter here. */
export type GoUrl = {
  /** Lower case; empty for a reference without one. */
  readonly scheme: string
  /** What follows the scheme when no slash does, without query and fragment. */
  readonly opaque: string
  readonly query: string
}

/** Reads a URL as Go does; undefined when Go refuses it. */
export function parseGoUrl(text: string): GoUrl | undefined {
  if (hasControl(text)) return undefined
  const [whole, fragment] = splitOnce(text, '#')
  if (!isEscaped(fragment)) return undefined
  if (whole.startsWith(':')) return undefined
  const { scheme, rest } = schemeOf(whole)
  const [path, query] = splitOnce(rest, '?')
  if (!path.startsWith('/')) {
    if (scheme !== '') return { scheme, opaque: path, query }
    const [segment = ''] = path.split('/', 1)
    return segment.includes(':') || !isEscaped(path) ? undefined : { scheme, opaque: '', query }
  }
  const [, authority, after = path] = /^\/\/([^/]*)(.*)$/s.exec(path) ?? []
  if (authority !== undefined && !isAuthority(scheme, authority)) return undefined
  return isEscaped(after) ? { scheme, opaque: '', query } : undefined
}

/**
 * Why Ignition of spec 3.`spec` would not fetch `source`; undefined when it would.
 */
export function sourceProblem(source: string, spec: number): string | undefined {
  const url = parseGoUrl(source)
  if (url === undefined) return 'this is not a URL'
  switch (url.scheme) {
    case 'http':
    case 'https':
    case 'tftp':
      return undefined
    case 'gs':
      return spec >= 2 ? undefined : wrongScheme(url.scheme)
    case 's3':
      return versionProblem(url)
    case 'arn':
      return spec >= 4 ? arnProblem(url) : wrongScheme(url.scheme)
    case 'data':
      return dataUrlProblem(source)
    default:
      return wrongScheme(url.scheme)
  }
}

/** Why `text` is not a `data:` URL (RFC 2397), as the decoder on the machine sees it; undefined when it is one. */
function dataUrlProblem(text: string): string | undefined {
  const match = DATA_URL.exec(text)
  if (match === null) return 'this data: URL has no comma, or a bad media type before it'
  const { type, base64, data = '' } = match.groups ?? {}
  if (type !== undefined && !/^(?:x-|text|image|audio|video|application|message|multipart)/i.test(type)) {
    return `"${type}" is not a media type`
  }
  if (base64 !== undefined) {
    const clean = data.replaceAll('\n', '')
    const isGood = /^[A-Za-z0-9+/]*={0,2}$/.test(clean) && clean.length % 4 === 0
    return isGood ? undefined : 'the base64 of this data: URL is broken'
  }
  if (!/^[\x21\x24-\x3b\x3d\x3f-\x5a\x5f\x61-\x7a\x7e]*$/.test(data)) {
    return 'this data: URL holds a character that must be escaped as %XX'
  }
  return isEscaped(data) ? undefined : 'this data: URL holds a % that is not an escape'
}

const TOKEN = String.raw`[!#$%&'*+\-.0-9A-Z^_\`a-z{|}~]+`
const QUOTED = String.raw`"(?:[\x00-\x21\x23-\x5b\x5d-\x7f]|\\[\x00-\x7f])*"`
const DATA_URL = new RegExp(
  `^data:(?:(?<type>${TOKEN})/${TOKEN})?(?:;${TOKEN}=(?:${QUOTED}|${TOKEN}))*(?<base64>;base64)?,(?<data>.*)$`,
  's',
)

function wrongScheme(scheme: string): string {
  return `Ignition of this spec does not fetch ${scheme === '' ? 'a URL without scheme' : `${scheme}: URLs`}`
}

function versionProblem({ query }: GoUrl): string | undefined {
  const version = new URLSearchParams(query).get('versionId')
  return version === '' ? 'the versionId of this S3 object is empty' : undefined
}

function arnProblem(url: GoUrl): string | undefined {
  const whole = `arn:${url.opaque}`
  const [prefix, partition, service, , , ...resource] = whole.split(':')
  const isArn = prefix === 'arn' && partition !== '' && service === 's3' && resource.length > 0
  const parts = whole.split('/').length
  const isAccessPoint = resource.join(':').startsWith('accesspoint/')
  if (!isArn || parts < (isAccessPoint ? 3 : 2)) return 'this is not an ARN of an S3 object'
  return versionProblem(url)
}

function schemeOf(text: string): { scheme: string; rest: string } {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(text)
  return match === null
    ? { scheme: '', rest: text }
    : { scheme: (match[1] ?? '').toLowerCase(), rest: match[2] ?? '' }
}

function isAuthority(scheme: string, authority: string): boolean {
  const at = authority.lastIndexOf('@')
  const user = authority.slice(0, Math.max(at, 0))
  const host = authority.slice(at + 1)
  if (at >= 0 && !/^[-A-Za-z0-9._:~!$&'()*+,;=%@]*$/.test(user)) return false
  return isEscaped(user) && isHost(scheme, host)
}

function isHost(scheme: string, host: string): boolean {
  const opening = host.lastIndexOf('[')
  if (opening > 0) return false
  if (opening === 0) {
    const closing = host.lastIndexOf(']')
    const [name, zone] = splitOnce(host.slice(1, closing), '%25')
    const address = zone === '' ? name : `${name}%${zone}`
    return closing > 0 && PORT.test(host.slice(closing + 1)) && isEscaped(zone) && isIPv6(address)
  }
  // Other schemes may have several hosts, with a comma between them.
  const colon = scheme === 'http' || scheme === 'https' ? host.indexOf(':') : host.lastIndexOf(':')
  return HOST.test(host) && (colon < 0 || PORT.test(host.slice(colon)))
}

const PORT = /^(?::\d*)?$/
/** Characters of a host as Go takes them; only those that are not ASCII are escaped. */
const HOST = /^(?:[\w\-.~!$&'()*+,;=:[\]<>"]|[^\0-\x7f]|%(?:25|[89A-Fa-f][\dA-Fa-f]))*$/

function isEscaped(text: string): boolean {
  return !/%(?![0-9A-Fa-f]{2})/.test(text)
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
