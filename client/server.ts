// The server's HTTP API as the command line uses it.

import { dirname, join } from 'node:path'
import { pathWord } from '#host/shell.ts'
import type { Alarm } from '#model/alarm.ts'
import { isRecord } from '#model/record.ts'
import { Failure } from '#model/error.ts'
import type { Boot, BootEvent } from '#model/boot.ts'
import type { BundleDescription, SiteAuthority, SiteSigning } from '#model/bundle.ts'
import type { Diagnosis } from '#model/diagnosis.ts'
import type { Machine } from '#model/machine.ts'
import type { SiteObjects } from '#model/site.ts'
import type { Phase } from '#model/phase.ts'
import type { AccessToken, NewToken } from '#model/token.ts'
import type { RecoveryKeyView, UnlockView } from '#model/disk-key.ts'
import type { OrderVerb, OrderView } from '#model/install.ts'
import type { MachineKeyView, ReopeningView } from '#model/machine-key.ts'
import {
  givenToken,
  isOnThisHost,
  type FoundToken,
  localToken,
  requirePrivateWire,
  trustServer,
  warnOfReadableToken,
} from './credentials.ts'
import { tokenPathOf } from './token-path.ts'
import { jsonOf, Refusal, refusal, requireOurs } from './refusal.ts'

/** A machine as `GET /machines` shows it: the inventory's entry with the state of its last boot. */
export type MachineState = Machine & { readonly phase: Phase; readonly boot?: string }

/** An alarm as the API gives it, as far as the command line shows it. */
export type AlarmView = Pick<Alarm, 'id' | 'state' | 'reason'>

/** Calls one server; every call has a limit, and an error that says what to do. */
export class ServerClient {
  readonly #base: string
  #token: FoundToken | undefined

  /**
   * @param base the server's URL, for example `http://10.20.0.1:8080`
   * @param token shown with every call; `givenToken` by default, and `localToken` once the server asks for one
   * @throws {Failure} BAD_OPTION when it is not one of HTTP
   */
  constructor(base: string, token?: string) {
    const protocol = URL.canParse(base) ? new URL(base).protocol : undefined
    if (protocol !== 'http:' && protocol !== 'https:') {
      const remedy = 'give --server or PILOTLIGHT_SERVER a whole URL, for example http://10.20.0.1:8080'
      throw new Failure('BAD_OPTION', `"${base}" is not the URL of a server`, remedy)
    }
    this.#base = base.replace(/\/+$/, '')
    this.#token = token === undefined ? givenToken() : { token, from: 'this program' }
    trustServer(base)
  }

  /**
   * Refuses a server that `putAuthority` and `putBundle` may not send to, before anything else is.
   *
   * @throws {Failure} WIRE_NOT_PRIVATE when other hosts could read what is sent
   */
  requirePrivateWire(): void {
    requirePrivateWire(this.#base)
  }

  /** Replaces all that the server knows of a site; says whether that changed anything, and what its machines will lack. */
  async putSite(name: string, objects: SiteObjects): Promise<SitePut> {
    const answer = await this.#json('PUT', `/v1/sites/${encodeURIComponent(name)}`, objects)
    const { changed, warnings = [] } = answer as Partial<SitePut> & { changed: boolean }
    return { changed, warnings }
  }

  /** Lets the server check a site as `putSite` would, and change nothing; gives its warnings. */
  async checkSite(name: string, objects: SiteObjects): Promise<readonly string[]> {
    const path = `/v1/sites/${encodeURIComponent(name)}?dryRun=true`
    return ((await this.#json('PUT', path, objects)) as Partial<SitePut>).warnings ?? []
  }

  /**
   * Has the server look at itself and its network, as if a site were put; some 5 s.
   *
   * @param only the checks that are made; all unless given
   */
  async diagnose(
    { name, site }: { readonly name?: string; readonly site?: SiteObjects } = {},
    only?: readonly string[],
    signal?: AbortSignal,
  ): Promise<ServerDiagnosis> {
    const body = { name, site, only }
    return (await this.#json('POST', '/v1/diagnosis', body, DIAGNOSIS_SECONDS, signal)) as ServerDiagnosis
  }

  /**
   * Gives the server what signs for a site; gives the end (milliseconds since 1970) of what its controllers can sign
   * while the server is away.
   *
   * @param isReplacement whether it may take the place of another one
   * @throws {Failure} WIRE_NOT_PRIVATE when other hosts could read it on its way
   */
  async putAuthority(site: string, authority: SiteAuthority, isReplacement = false): Promise<AuthorityPut> {
    this.requirePrivateWire()
    const query = isReplacement ? '?replace=true' : ''
    const path = `/v1/sites/${encodeURIComponent(site)}/authority${query}`
    return (await this.#json('PUT', path, authority)) as AuthorityPut
  }

  /** The fingerprint of the authority that the server keeps for a site; undefined when it has none. */
  async authorityOf(site: string): Promise<string | undefined> {
    try {
      const signing = await this.#json('GET', `/v1/sites/${encodeURIComponent(site)}/signing`)
      return (signing as SiteSigning).authority
    } catch (error) {
      if (error instanceof Refusal && error.httpStatus === 404) return undefined
      throw error
    }
  }

  /**
   * Gives the server what a machine fetches once in a boot, with its one-time token; says whether that changed anything.
   *
   * @throws {Failure} WIRE_NOT_PRIVATE when other hosts could read it on its way
   */
  async putBundle(machine: string, bundle: BundleDescription): Promise<boolean> {
    this.requirePrivateWire()
    const answer = await this.#json('PUT', `/v1/machines/${encodeURIComponent(machine)}/bundle`, bundle)
    return (answer as { changed: boolean }).changed
  }

  /** The machines with their phases. */
  async machines(): Promise<readonly MachineState[]> {
    return (await this.list('/machines')) as MachineState[]
  }

  /** The id of the newest event: what comes after it is news. */
  async lastEvent(): Promise<number> {
    const response = await this.#call('GET', '/machines?limit=1', { headers: { accept: 'application/json' } })
    await response.body?.cancel()
    return Number(response.headers.get('x-last-event') ?? 0)
  }

  /** What happened after event `after`; waits up to `waitSeconds` for the first. */
  async events(
    after: number,
    waitSeconds: number,
    signal?: AbortSignal,
  ): Promise<{ events: readonly BootEvent[]; last: number }> {
    const path = `/v1/events?after=${after}&wait=${waitSeconds}`
    return (await this.#json('GET', path, undefined, waitSeconds + 10, signal)) as {
      events: BootEvent[]
      last: number
    }
  }

  /** The journal of a machine's last boot, as text or JSON. */
  async journal(machine: string, accept: 'text/plain' | 'application/json', boot?: string): Promise<string> {
    const query = boot === undefined ? '' : `?boot=${encodeURIComponent(boot)}`
    const path = `/v1/machines/${encodeURIComponent(machine)}/journal${query}`
    return (await this.#call('GET', path, { headers: { accept } })).text()
  }

  /** The boots of a machine, newest first. */
  async boots(machine: string): Promise<readonly Boot[]> {
    return (await this.#json('GET', `/v1/machines/${encodeURIComponent(machine)}/boots`)) as Boot[]
  }

  /** The console log of one start of a machine, by default the last, from a byte on; waits up to `waitSeconds` for more. */
  async console(
    machine: string,
    {
      boot,
      after = 0,
      waitSeconds = 0,
    }: { readonly boot?: string; readonly after?: number; readonly waitSeconds?: number } = {},
  ): Promise<{ readonly text: string; readonly next: number; readonly kernel: string }> {
    const query = new URLSearchParams({ after: String(after), wait: String(waitSeconds) })
    if (boot !== undefined) query.set('boot', boot)
    const path = `/v1/machines/${encodeURIComponent(machine)}/console?${query.toString()}`
    const headers = { accept: 'text/plain' }
    const response = await this.#call('GET', path, { headers, limitSeconds: waitSeconds + 10 })
    return {
      text: await response.text(),
      next: Number(response.headers.get('x-console-next') ?? after),
      kernel: response.headers.get('x-console-boot') ?? boot ?? '',
    }
  }

  /** The starts of a machine of which there is a console log, newest first. */
  async consoleBoots(
    machine: string,
  ): Promise<readonly { kernel: string; boot?: string; began: string; bytes: number }[]> {
    const path = `/v1/machines/${encodeURIComponent(machine)}/console/boots`
    return (await this.#json('GET', path)) as {
      kernel: string
      boot?: string
      began: string
      bytes: number
    }[]
  }

  /** Makes an access token, which the server shows this once. */
  async createToken(token: NewToken): Promise<AccessToken & { readonly token: string }> {
    return (await this.#json('POST', '/v1/tokens', token)) as AccessToken & { token: string }
  }

  /** All access tokens, without the tokens themselves. */
  async tokens(): Promise<readonly AccessToken[]> {
    return (await this.#json('GET', '/v1/tokens')) as AccessToken[]
  }

  /** Ends an access token. */
  async revokeToken(name: string): Promise<void> {
    const response = await this.#call('DELETE', `/v1/tokens/${encodeURIComponent(name)}`, { headers: {} })
    await response.body?.cancel()
  }

  /** The keys that machines showed, of one state. */
  async keys(state: MachineKeyView['state']): Promise<readonly MachineKeyView[]> {
    return (await this.list(`/v1/keys?state=${state}`)) as MachineKeyView[]
  }

  /**
   * Approves or rejects a key of a machine: the one named, or the only one that waits; to reject, also the one that it has. With `isOnly` the server refuses with
   * 409 when the boot of the key, or a later one, showed another key as well.
   */
  async decideKey(
    machine: string,
    verb: 'approve' | 'reject',
    fingerprint: string | undefined,
    { isOnly = false }: { readonly isOnly?: boolean } = {},
  ): Promise<MachineKeyView> {
    const body = { ...(fingerprint === undefined ? {} : { fingerprint }), ...(isOnly ? { isOnly } : {}) }
    return (await this.#json(
      'POST',
      `/v1/machines/${encodeURIComponent(machine)}/${verb}`,
      body,
    )) as MachineKeyView
  }

  /** Opens the next boot of a machine, until the site's deadline. */
  async reopen(machine: string): Promise<ReopeningView> {
    const path = `/v1/machines/${encodeURIComponent(machine)}/reopen`
    return (await this.#json('POST', path)) as ReopeningView
  }

  /** Closes a machine that was opened. */
  async closeReopened(machine: string): Promise<ReopeningView> {
    const path = `/v1/machines/${encodeURIComponent(machine)}/reopen`
    return (await this.#json('DELETE', path)) as ReopeningView
  }

  /** The machines whose next boot was opened. */
  async reopened(): Promise<readonly ReopeningView[]> {
    return (await this.#json('GET', '/v1/reopened')) as ReopeningView[]
  }

  /** What is ordered for machines. */
  async orders(): Promise<readonly OrderView[]> {
    return (await this.#json('GET', '/v1/orders')) as OrderView[]
  }

  /** Has a machine that wrote the image of its upgrade restart into it; with `breakQuorum` also where the API of its cluster is away meanwhile. */
  async restart(machine: string, breakQuorum: boolean): Promise<OrderView> {
    const path = `/v1/machines/${encodeURIComponent(machine)}/order/restart`
    return (await this.#json('POST', path, { breakQuorum })) as OrderView
  }

  /** Orders what the next network boot of machines does with their disks, or an upgrade; `count` is how many the operator says these are. */
  async order(order: {
    readonly verb: OrderVerb
    readonly machines: readonly string[]
    readonly count: number
    readonly breakQuorum: boolean
    /** Also for a boot that does not show the key of the machine's disk. */
    readonly withoutProof?: boolean
    /** Of an upgrade: how long after each of its starts the new image must be marked good. */
    readonly healthySeconds?: number
  }): Promise<readonly OrderView[]> {
    return (await this.#json('POST', '/v1/orders', order)) as OrderView[]
  }

  /** Takes back what was ordered for the disk of a machine. */
  async undoOrder(machine: string): Promise<OrderView> {
    const path = `/v1/machines/${encodeURIComponent(machine)}/order`
    return (await this.#json('DELETE', path)) as OrderView
  }

  /** The recovery keys of a machine's encrypted disks, the latest first. */
  async recoveryKeys(machine: string): Promise<readonly RecoveryKeyView[]> {
    const path = `/v1/machines/${encodeURIComponent(machine)}/disk/recover`
    return (await this.#json('POST', path)) as RecoveryKeyView[]
  }

  /** Has the server hand the key of an encrypted disk to its machine, within an hour. */
  async unlockDisk(machine: string): Promise<UnlockView> {
    const path = `/v1/machines/${encodeURIComponent(machine)}/disk/unlock`
    return (await this.#json('POST', path)) as UnlockView
  }

  /** Takes that back. */
  async lockDisk(machine: string): Promise<UnlockView> {
    const path = `/v1/machines/${encodeURIComponent(machine)}/disk/unlock`
    return (await this.#json('DELETE', path)) as UnlockView
  }

  /** Acknowledges an alarm, or clears it. */
  async decideAlarm(id: string, verb: 'acknowledge' | 'clear'): Promise<AlarmView> {
    return (await this.#json('POST', `/v1/alarms/${encodeURIComponent(id)}/${verb}`)) as AlarmView
  }

  /** A whole list of those that come in pages: `/machines`, `/groups`, `/profiles`, `/v1/keys`, `/v1/alarms`, … */
  async list(path: string): Promise<readonly unknown[]> {
    const items: unknown[] = []
    const asked = new Set<string>()
    for (let next: string | undefined = path; next !== undefined;) {
      requireProgress(asked, next)
      const response = await this.#call('GET', next, { headers: { accept: 'application/json' } })
      const page = await jsonOf(response)
      const part: unknown = isRecord(page) ? page['items'] : page // the lists below /v1 are objects with `items`
      if (!Array.isArray(part)) return [...items, page]
      items.push(...(part as unknown[]))
      next = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]
    }
    return items
  }

  /** Any of the lists a person may read: `profiles`, `groups`, `machines`, with an id for a single one. */
  async get(path: string): Promise<unknown> {
    return this.#json('GET', path)
  }

  /** Any call, whose answer the caller reads; anything but success is thrown as a `Refusal`. */
  async request(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body?: string | Buffer<ArrayBuffer> | Blob,
    limitSeconds = 10,
  ): Promise<Response> {
    return this.#call(method, path, { headers, limitSeconds, ...(body === undefined ? {} : { body }) })
  }

  async #json(
    method: string,
    path: string,
    body?: unknown,
    limitSeconds = 10,
    signal?: AbortSignal,
  ): Promise<unknown> {
    const headers = {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const response = await this.#call(method, path, {
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      limitSeconds,
      ...(signal && { signal }),
    })
    return jsonOf(response).catch((error: unknown) => {
      signal?.throwIfAborted()
      throw error
    })
  }

  async #call(method: string, path: string, init: Call): Promise<Response> {
    const response = await this.#send(method, path, init)
    if (response.ok) return requireOurs(response)
    const token = response.status === 401 && this.#token === undefined ? localToken(this.#base) : undefined
    if (token === undefined) throw await refusal(method, `${this.#base}${path}`, response, this.#token?.from)
    await response.body?.cancel()
    this.#token = token
    return this.#call(method, path, init)
  }

  async #send(method: string, path: string, call: Call): Promise<Response> {
    const { limitSeconds = 10, signal, ...init } = call
    refuseSteps(path)
    if (this.#token) warnOfReadableToken(this.#base)
    const limit = AbortSignal.timeout(limitSeconds * 1000)
    return fetch(`${this.#base}${path}`, {
      ...init,
      // The boot listener sends a GET to another way of writing its path; a body stays with the server it was meant for.
      redirect: method === 'GET' || method === 'HEAD' ? 'follow' : 'error',
      headers: { ...init.headers, ...(this.#token && { authorization: `Bearer ${this.#token.token}` }) },
      method,
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    }).catch((error: unknown) => {
      if (signal?.aborted) throw error
      const within = (error as Error).name === 'TimeoutError' ? ` within ${limitSeconds} s` : ''
      const what = `no answer from the server at ${this.#base}${within}`
      throw new Failure('SERVER_UNREACHABLE', what, remedyWithoutAnswer(this.#base, error), { cause: error })
    })
  }
}

/** A server ends each of its checks after 20 s. */
const DIAGNOSIS_SECONDS = 60

/** What to do where nothing answered, or not so that it is trusted. */
function remedyWithoutAnswer(base: string, error: unknown): string {
  const { code } = ((error as Error).cause ?? error) as { readonly code?: unknown }
  const words = typeof code === 'string' ? code : ''
  if (/SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)/.test(words)) {
    const token = isOnThisHost(new URL(base).hostname) ? tokenPathOf(base) : undefined
    return token === undefined
      ? 'export PILOTLIGHT_CA=STATE/ca.crt   with a copy of that file of the state directory of the server'
      : `export PILOTLIGHT_CA=${pathWord(join(dirname(token), 'ca.crt'))}`
  }
  if (/^(?:EPROTO|ERR_SSL_)/.test(words))
    return `it may speak plain HTTP there:  --server ${base.replace(/^https/, 'http')}`
  if (/^(?:ECONNRESET|UND_ERR_SOCKET|HPE_)/.test(words) && base.startsWith('http:'))
    return `it may speak HTTPS there:  --server ${base.replace(/^http/, 'https')}   or another program listens`
  return 'start it with  pilotlight serve  or name another with --server or PILOTLIGHT_SERVER'
}

/** The answer to an authority that was put; milliseconds since 1970. */
export type AuthorityPut = { readonly changed: boolean; readonly signsUntil: number }

/** What a server found out about itself, and its version. */
export type ServerDiagnosis = { readonly version: string; readonly items: readonly Diagnosis[] }

/** The answer to a site that was put; the warnings are sentences for a person. */
export type SitePut = { readonly changed: boolean; readonly warnings: readonly string[] }

/** Pages of one list that are asked for at most: of a thousand items each that is a hundred times what a server is made for. */
const MOST_PAGES = 10_000

/**
 * Takes note of the next page of a list.
 *
 * @throws {Failure} when it was asked for before, or there are too many: the list would have no end
 */
export function requireProgress(asked: Set<string>, page: string): void {
  if (!asked.has(page) && asked.size < MOST_PAGES) {
    asked.add(page)
    return
  }
  const what = asked.has(page)
    ? 'names a page again that it gave before'
    : `has more than ${MOST_PAGES} pages`
  const remedy = 'name a Pilotlight server with --server or PILOTLIGHT_SERVER'
  throw new Failure('BAD_ANSWER', `a list of the server ${what}`, remedy)
}

/** Refuses a path with a step to another folder: `fetch` would take it, and ask for something else than was named. */
function refuseSteps(path: string): void {
  const [names = ''] = path.split('?', 1)
  const step = names.split('/').find(name => name === '.' || name === '..')
  if (step === undefined) return
  const remedy = `name it without "${step}", as the lists show it`
  throw new Failure('BAD_OPTION', `${decodeURIComponent(names)} is not a path of the server`, remedy)
}

/** What a request has beside its method and path. */
type Call = {
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Buffer<ArrayBuffer> | Blob
  /** Seconds for the answer, 10 unless given. */
  readonly limitSeconds?: number
  readonly signal?: AbortSignal
}
