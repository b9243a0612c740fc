// What a server says against a request: its code, its sentence, and a command that fixes it or leads to what does.

import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathWord } from '#host/shell.ts'
import { ERROR_CODES, Failure, PilotlightError, type ErrorCode } from '#model/error.ts'
import type { Fault } from '#model/fault.ts'
import { isOnThisHost } from './credentials.ts'
import { tokenPathOf } from './token-path.ts'

/** An answer that is an error; `faults` say what in the body of the request is wrong. */
export class Refusal extends PilotlightError {
  /** The code that the server gave; where this version does not know it, or there is none, one by the status. */
  readonly code: ErrorCode
  readonly httpStatus: number
  readonly faults: readonly Fault[]
  /** Addresses of the server that may be avoided, where it refuses one that Pilotlight chose. */
  readonly avoid: readonly string[]
  readonly request: { readonly method: string; readonly url: string; readonly status: number }
  constructor(
    request: Refusal['request'],
    { title, faults = [], avoid = [] }: Problem,
    message: string,
    remedy: string,
  ) {
    super(message, { remedy })
    this.request = request
    this.code = codeOf(title, request.status)
    this.httpStatus = request.status
    this.faults = faults
    this.avoid = avoid
  }
}

/** What is read of the body of an answer that is an error (RFC 9457); a Pilotlight server puts its code into `title`. */
type Problem = {
  readonly title?: string
  readonly detail?: string
  readonly faults?: readonly Fault[]
  readonly avoid?: readonly string[]
}

/** The codes of answers that bring none that is known: a server of another version or kind, or a proxy before it. */
const CODE_OF_STATUS: ReadonlyMap<number, ErrorCode> = new Map([
  [401, 'NOT_AUTHENTICATED'],
  [403, 'NOT_ALLOWED'],
  [404, 'NOT_FOUND'],
  [409, 'REFUSED'],
  [412, 'PRECONDITION_FAILED'],
  [421, 'FOREIGN_HOST'],
])

function codeOf(title: string | undefined, status: number): ErrorCode {
  return ERROR_CODES.find(known => known === title) ?? CODE_OF_STATUS.get(status) ?? 'SERVER_FAILED'
}

/**
 * Reads an answer that is an error.
 *
 * @param shown where the token comes from that the request showed
 */
export async function refusal(
  method: string,
  url: string,
  response: Response,
  shown?: string,
): Promise<Refusal> {
  const text = await response.text().catch(() => '')
  const { status } = response
  const request = { method, url, status }
  const problem = problemIn(text)
  const said = problem.detail ?? problem.title
  // Boot routes, the agents' listener, and what is behind another path of a proxy: nothing of the API answers 404 in plain text.
  const isElsewhere = status === 404 && problem.title === undefined
  if (said === undefined || isElsewhere) {
    const what = `${method} ${url} was answered ${status} ${response.statusText}`.trimEnd()
    const { protocol, hostname, origin } = new URL(url)
    const look = `curl -i ${origin}/   (a Pilotlight server of this version answers with "Pilotlight")`
    const remedy = isElsewhere
      ? `name the server by the port of its page, without a path:  --server ${protocol}//${hostname}:8080   or look at what runs there:  ${look}`
      : `look at what runs there:  ${look}`
    return new Refusal(request, problem, `${what}, as a Pilotlight server does not`, remedy)
  }
  const fix = commandIn(said) ?? remedyOf(response, method, codeOf(problem.title, status), said)
  const token =
    status === 401 && shown !== undefined ? ` The token that it was shown is that of ${shown}.` : ''
  return new Refusal(request, problem, `${said.replace(LISTS_ALL, '')}${token}`, fix)
}

/**
 * Gives an answer that may be a Pilotlight server's: no route of its API answers with a page.
 *
 * @throws {Failure} BAD_ANSWER
 */
export function requireOurs(response: Response): Response {
  if (/^text\/html\b/i.test(response.headers.get('content-type') ?? ''))
    throw notOurs(response, 'with a page')
  return response
}

/**
 * Reads the JSON of an answer.
 *
 * @throws {Failure} BAD_ANSWER when it is not JSON, or was cut off
 */
export async function jsonOf(response: Response): Promise<unknown> {
  const text = await response.text()
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw notOurs(response, 'with a text that is not JSON')
  }
}

function notOurs({ url }: Response, how: string): Failure {
  const { origin } = new URL(url)
  const remedy = `name the server with --server; to see what runs there:  curl -i ${origin}/`
  return new Failure('BAD_ANSWER', `${url} was answered ${how}, as a Pilotlight server does not`, remedy)
}

/** How the server's own sentence names the command that lists what there is: the line below it has that command. */
const LISTS_ALL = / '(pilotlight [^']+)' lists all\.$/

/** The first command that a server's sentence names, where it can be run as it is. */
function commandIn(said: string): string | undefined {
  const [, quoted, plain] = /'(pilotlight [^'\n]+)'|: {2}(pilotlight [^\n]+?)(?: {2}|$)/m.exec(said) ?? []
  const command = quoted ?? plain
  const isWhole = command !== undefined && command !== 'pilotlight up' && !/\b[A-Z]{2,}\b/.test(command)
  return isWhole ? command : undefined
}

function problemIn(text: string): Problem {
  try {
    const { detail, title, errors, avoid } = JSON.parse(text) as Record<string, unknown>
    return {
      ...(typeof title === 'string' && { title }),
      ...(typeof detail === 'string' && { detail }),
      ...(Array.isArray(errors) && { faults: errors as Fault[] }), // as server/errors.ts has it
      ...(Array.isArray(avoid) && { avoid: avoid.map(String) }),
    }
  } catch {
    return /^\s*(<|$)/.test(text) ? {} : { detail: text.trim() } // plain text; a page is for browsers
  }
}

function remedyOf({ status, headers, url }: Response, method: string, code: ErrorCode, said: string): string {
  const later = headers.get('retry-after')
  const at = new URL(url)
  const own = REMEDIES[code]?.({ at, said, object: objectAt(at.pathname) })
  if (own !== undefined) return own
  if (status === 404) return listingOf(at.pathname)
  if (status === 409) return 'nothing was changed: do what the message says, and run the same command again'
  if (status === 503) return `not now: run the same again${later === null ? '' : ` in ${later} s`}`
  if (status >= 500)
    return `read the log of the server, which has the reason of this ${method}:  journalctl -u pilotlight`
  return 'fix what it names, and run the same again'
}

/** What was asked, to name it in a command. */
type Asked = { readonly at: URL; readonly said: string; readonly object: Named | undefined }

/** A path's object as commands name it. */
type Named = { readonly kind: string; readonly id: string; readonly words: string }

/** What to do about a code, where its own sentence has no command and its status alone does not say it. */
const REMEDIES: Readonly<Partial<Record<ErrorCode, (asked: Asked) => string | undefined>>> = {
  NOT_AUTHENTICATED: ({ at, said }) => tokenFor(at, /role admin/.test(said)),
  TOO_MANY_READS: ({ at }) => tokenFor(at, true),
  NOT_ALLOWED: () =>
    'export PILOTLIGHT_TOKEN=THE_TOKEN   with a token of role admin, which  pilotlight tokens create NAME --role admin  makes',
  FOREIGN_HOST: ({ at }) => `start the server with --host-name ${at.hostname}, or give --server its address`,
  SECRET_IN_CLEAR: () =>
    'run the same on the host of the server, or give --server its https URL (that of serve --admin-address)',
  NEVER_BOOTED: () => 'switch the machine on, and look at  pilotlight get machines',
  ALARM_CLEARED: () => 'pilotlight get alarms',
  AMBIGUOUS_KEY: ({ at, object }) => {
    const verb = at.pathname.endsWith('/reject') ? 'reject' : 'approve'
    return object && `pilotlight machines ${verb} ${object.id} --fingerprint THAT_OF_ITS_CONSOLE`
  },
  NOT_REOPENED: ({ object }) => object && `pilotlight machines reopen ${object.id}`,
  OWNED_BY_SITE: () => 'change the site file, and run  pilotlight up SITE_FILE',
  NO_AUTHORITY: () => 'pilotlight up SITE_FILE',
  NO_BUNDLE: () => 'pilotlight up SITE_FILE',
  OTHER_AUTHORITY: () => 'pilotlight up SITE_FILE --state DIRECTORY_OF_THE_FIRST_UP',
  SERVER_ADDRESS_TAKEN: () => 'change it in the site file, and run  pilotlight up SITE_FILE',
  SITE_CONFLICT: ({ said }) => {
    const [, kind, id] = /^(machine|group|profile) "([\w.:-]+)"/i.exec(said) ?? []
    return (
      kind &&
      `rename one of the two, or remove the one there:  pilotlight describe ${kind.toLowerCase()} ${id}`
    )
  },
  PRECONDITION_FAILED: ({ object }) =>
    object
      ? `read it, and change that:  pilotlight get ${object.words} -o yaml`
      : 'read it again, and change that',
  READ_ONLY_OBJECT: ({ said }) => {
    const [, file] = /is the file ([\w./@+-]+) of the data directory/.exec(said) ?? []
    return file && `in the data directory, on the host of the server, change or remove it:  rm ${file}`
  },
  ASSET_IN_THE_WAY: () => 'choose another name, or remove what has it:  pilotlight assets list',
  CANNOT_WRITE: () => 'on the host of the server, see whether the disk is full or damaged:  df; dmesg',
  METHOD_NOT_ALLOWED: ({ at }) => `compare the versions of both:  pilotlight version; curl ${at.origin}/`,
}

/** How a caller gets a token that is good enough. */
function tokenFor(at: URL, isAdmin: boolean): string {
  if (isOnThisHost(at.hostname)) {
    const path = tokenPathOf(at.href)
    if (path !== undefined)
      return isGone(path)
        ? `stop the server, remove what is left of its tokens, and start it:  rm ${pathWord(join(dirname(path), 'tokens.json'))}`
        : `export PILOTLIGHT_TOKEN_FILE=${pathWord(path)}`
    return 'export PILOTLIGHT_TOKEN_FILE=STATE/admin.token   with the directory that serve got as --state-path as STATE, as a user who may read it'
  }
  const role = isAdmin ? ' --role admin' : ''
  return `on the host of the server:  pilotlight tokens create NAME${role}   and here, with the token that it prints:  export PILOTLIGHT_TOKEN=THE_TOKEN`
}

/** Says whether a file was removed; one that this user may not see is there. */
function isGone(path: string): boolean {
  try {
    statSync(path)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' // of node:fs
  }
}

/** The object that a path is about, where its id needs no quotes. */
function objectAt(path: string): Named | undefined {
  const [, list = '', id = ''] =
    /^\/(?:v1\/)?(machines|groups|profiles|templates)\/([\w.:/-]+)$/.exec(path) ?? []
  const [name = ''] = list === 'machines' ? id.split('/') : [id]
  const kind = list.slice(0, -1)
  return id === '' ? undefined : { kind, id: name, words: `${kind} ${name}` }
}

/** The command that lists what a path is one of. */
function listingOf(path: string): string {
  if (/^\/v1\/machines\/[^/]+\/(approve|reject|reopen)$/.test(path)) return 'pilotlight machines pending'
  if (path === '/v1/assets')
    return 'start the server with a directory of assets:  pilotlight serve --assets-path assets'
  const [, list] = /^\/(?:v1\/)?(machines|groups|profiles|templates|assets|tokens|alarms)\//.exec(path) ?? []
  if (list === undefined) return 'pilotlight get machines'
  return list === 'assets' || list === 'tokens' ? `pilotlight ${list} list` : `pilotlight get ${list}`
}
