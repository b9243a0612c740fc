// Requests of any kind to a server of Matchbox's pages, made up from a seed, as the bytes that are sent.

import type { Random } from '../../bench/random.ts'
import { ASSET_PATHS } from './data.ts'
import { contentCase, pick } from './requests.ts'

/** A request: the line and the headers, with a body where one is sent. */
export type HttpRequest = {
  readonly method: string
  readonly target: string
  readonly version: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

/** A request of this seed's numbers. */
export function httpRequest(random: Random): HttpRequest {
  const { headers } = contentCase(random)
  const isPartial = random() < 0.5
  const method = random() < 0.7 ? 'GET' : pick(random, METHODS)
  const body =
    /^(?:POST|PUT|PATCH|DELETE)$/.test(method) && random() < 0.5 ? pick(random, ['a=b', '{"a":1}', 'x']) : ''
  const version = random() < 0.95 ? 'HTTP/1.1' : 'HTTP/1.0'
  return {
    method,
    target: targetOf(random),
    version,
    headers: [
      ...(random() < 0.99 || version === 'HTTP/1.0' ? [['Host', pick(random, HOSTS)] as const] : []),
      ...(isPartial ? headers : []),
      ...(random() < 0.1 ? [pick(random, OTHERS)] : []),
      ...(body === '' ? [] : [['Content-Length', String(body.length)] as const]),
    ],
    body,
  }
}

/** The bytes of a request; its connection ends with the answer. */
export function bytesOf({ method, target, version, headers, body }: HttpRequest): Buffer {
  const lines = [...headers, ['Connection', 'close']].map(([name, value]) => `${name}: ${value}`)
  return Buffer.from(`${[`${method} ${target} ${version}`, ...lines].join('\r\n')}\r\n\r\n${body}`)
}

function targetOf(random: Random): string {
  const path = random() < 0.75 ? pick(random, PAGES) : assetPath(random)
  const bent = random() < 0.88 ? path : pick(random, BENDS)(path)
  const query = random() < (path.startsWith('/assets') ? 0.1 : 0.92) ? `?${queryOf(random)}` : ''
  return bent + query
}

function assetPath(random: Random): string {
  const path =
    random() < 0.85
      ? pick(random, ASSET_PATHS)
      : pick(random, [
          '',
          'dir',
          'dir/',
          'list',
          'list/',
          'empty',
          'empty/',
          'none',
          'a.txt/',
          'list/deep',
          '..',
          '../groups',
          'list/..',
          'list/../a.txt',
          'dir/.',
          '%2e%2e/groups/',
          'a%00b',
          'list%2fa%20b.txt',
          'list//a%20b.txt',
          '//a.txt',
          './a.txt',
          'A.TXT',
          'a.txt%20',
        ])
  const isRaw = random() < 0.15
  return `/assets/${
    isRaw
      ? path
      : path
          .split('/')
          .map(part => (/%2/i.test(part) ? part : encodeURIComponent(part)))
          .join('/')
  }`
}

function queryOf(random: Random): string {
  const pairs = Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
    random() < 0.12
      ? pick(random, ODD_PAIRS)
      : pick(random, [
          () => `n=${Math.floor(random() * 8)}`,
          () => `n=${Math.floor(random() * 40)}`,
          () => `os=${pick(random, ['x', 'y', 'installed', '', 'z'])}`,
          () => `mac=${pick(random, MACS)}`,
          () => 'q=1',
          () =>
            `${pick(random, ['OS', 'a%20b', 'a+b', '%C3%BC', 'ü'])}=${pick(random, ['x', 'c%3Dd%26e', '%C3%9F', 'ß'])}`,
          () => `uuid=${pick(random, ['x', '', '00000000-0000-0000-0000-000000000001'])}`,
        ])(),
  )
  return pairs.join(random() < 0.95 ? '&' : pick(random, ['&&', ';', '&amp;', '?']))
}

const METHODS = [
  'HEAD',
  'HEAD',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'PROPFIND',
  'TRACE',
  'QUERY',
  'PURGE',
  'get',
  'M-SEARCH',
  'LINK',
]
const HOSTS = ['boot.test', 'boot.test', 'boot.test:8080', '127.0.0.1', '[::1]:80', 'BOOT', '']
const OTHERS: readonly (readonly [string, string])[] = [
  ['Accept', 'text/plain'],
  ['Accept-Encoding', 'gzip'],
  ['Content-Type', 'application/json'],
  ['User-Agent', 'iPXE/1.21.1'],
  ['Expect', '100-continue'],
  ['X-Forwarded-For', '10.0.0.1'],
  ['Cookie', 'a=b'],
  ['Origin', 'http://x'],
  ['Upgrade', 'h2c'],
  ['Transfer-Encoding', 'identity'],
]
const PAGES =
  '/ipxe /ipxe /grub /ignition /ignition /ignition /generic /generic /generic /cloud /cloud /metadata /metadata / /boot.ipxe /boot.ipxe.0 /nosuch /assets /ipxe.sig /generic.asc /favicon.ico'.split(
    ' ',
  )
const BENDS: readonly ((path: string) => string)[] = [
  path => `/${path}`,
  path => `${path}/`,
  path => `${path}//`,
  path => `/.${path}`,
  path => `/x/..${path}`,
  path => `/..${path}`,
  path => `${path}/..`,
  path => `${path}/.`,
  path => path.toUpperCase(),
  path => path.replace(/[a-z]/, letter => `%${letter.charCodeAt(0).toString(16)}`),
  path => path.replace('/', '/%2e/'),
  path => path.replace('/', '/%2F'),
  path => `/x%2f..${path}`,
  path => `http://boot.test${path}`,
  path => `http://other${path}`,
  path => `${path}%`,
  path => `${path}%zz`,
  path => `${path}%00`,
  path => `${path};x=1`,
  path => `${path}#x`,
  path => path.slice(1),
  path => `${path}\u00fc`,
  path => `${path}%C3%BC`,
  path => path.replaceAll('/', '\\'),
  () => '*',
  path => `//host${path}`,
  path => `${path}?`,
  path => `${path}%3Fn=1`,
]
const MACS = [
  '52:54:00:20:00:01',
  '52-54-00-20-00-02',
  '5254.0020.0003',
  '525400200001',
  '52:54:00:aa:00:04',
  '52:54:00:AA:00:04',
  'x',
  '',
  '52:54:00:20:00',
  '52%3A54%3A00%3A20%3A00%3A01',
  '00-00-00-00-fe-80-00-00-00-00-00-00-02-00-5e-10-00-00-00-01',
  '52:54:00:20:00:01:02:03',
  '52-54:00:20:00:01',
]
const ODD_PAIRS = [
  '',
  '=',
  '=z',
  'os',
  '&',
  'n=%zz',
  '%zz=1',
  'n=%',
  'n=1;os=x',
  'os=x=y',
  'os=%00',
  'os=%0a',
  'n=%E2%82',
  'n=\u00ff',
  'os=x#y',
  'request=1',
  'q=<b>',
  'os=x+y',
  'os=%2B',
  'MAC=52:54:00:20:00:01',
  'n=1%26os=x',
]
