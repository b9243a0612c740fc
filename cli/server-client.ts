// The server's HTTP API as the command line uses it.

import type { BootEvent, BundleFile, Machine, SiteObjects } from '#server/inventory/objects.ts'
import { CommandError, EXIT } from './exit.ts'

/** A machine as `GET /machines` shows it: the inventory's entry with the state of its last boot. */
export type MachineState = Machine & { readonly phase: string }

/** Calls one server; every call has a limit, and an error that says what to do. */
export class ServerClient {
  readonly #base: string

  /**
   * @param base the server's URL, for example `http://10.20.0.1:8080`
   * @throws {CommandError} (usage) when it is not one of HTTP
   */
  constructor(base: string) {
    const protocol = URL.canParse(base) ? new URL(base).protocol : undefined
    if (protocol !== 'http:' && protocol !== 'https:') {
      const mend = 'give --server or PILOTLIGHT_SERVER a whole URL, for example http://10.20.0.1:8080'
      throw new CommandError(EXIT.usage, `"${base}" is not the URL of a server`, mend)
    }
    this.#base = base.replace(/\/+$/, '')
  }

  /** Replaces all that the server knows of a site; says whether that changed anything. */
  async putSite(name: string, objects: SiteObjects): Promise<boolean> {
    const answer = await this.#json('PUT', `/v1/sites/${encodeURIComponent(name)}`, objects)
    return (answer as { changed: boolean }).changed
  }

  /** Gives the server what a machine fetches once, with its one-time token. */
  async putBundle(machine: string, files: readonly BundleFile[]): Promise<void> {
    await this.#json('PUT', `/v1/machines/${encodeURIComponent(machine)}/bundle`, files)
  }

  /** The machines with their phases. */
  async machines(): Promise<readonly MachineState[]> {
    return (await this.#json('GET', '/machines')) as MachineState[]
  }

  /** The id of the newest event: what comes after it is news. */
  async lastEvent(): Promise<number> {
    const response = await this.#call('GET', '/machines', { headers: { accept: 'application/json' } }, 10)
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
    return (await this.#call('GET', path, { headers: { accept } }, 10)).text()
  }

  /** Any of the lists a person may read: `profiles`, `groups`, `machines`, with an id for a single one. */
  async get(path: string): Promise<unknown> {
    return this.#json('GET', path)
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
    const init = { headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
    const response = await this.#call(method, path, init, limitSeconds, signal)
    return response.json().catch((cause: unknown) => {
      if (signal?.aborted) throw cause
      const said = `${method} ${path} was not answered with JSON`
      throw new CommandError(EXIT.failed, said, `is ${this.#base} a Pilotlight server?`, { cause })
    })
  }

  async #call(
    method: string,
    path: string,
    init: RequestInit,
    limitSeconds: number,
    signal?: AbortSignal,
  ): Promise<Response> {
    const limit = AbortSignal.timeout(limitSeconds * 1000)
    const response = await fetch(`${this.#base}${path}`, {
      ...init,
      method,
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    }).catch((error: unknown) => {
      if (signal?.aborted) throw error
      const mend = 'start it with  pilotlight serve  or name another with --server or PILOTLIGHT_SERVER'
      throw new CommandError(EXIT.unreachable, `no answer from the server at ${this.#base}`, mend, {
        cause: error,
      })
    })
    if (response.ok) return response
    throw await refusal(`${method} ${this.#base}${path}`, response)
  }
}

/** What the server said against a request: the problem's own words (RFC 9457), and what to do about it. */
async function refusal(request: string, response: Response): Promise<CommandError> {
  const text = await response.text().catch(() => '')
  const status = response.status === 404 ? EXIT.notFound : EXIT.failed
  const answered = `${request} was answered ${response.status} ${response.statusText}`.trimEnd()
  const detail = detailOf(text)
  if (detail === undefined) {
    return new CommandError(status, answered, 'is that a Pilotlight server, of the same version as this one?')
  }
  return new CommandError(status, detail, `${mendOf(response)} (${answered})`)
}

function detailOf(text: string): string | undefined {
  try {
    const { detail, title } = JSON.parse(text) as { detail?: unknown; title?: unknown }
    return [detail, title].find(said => typeof said === 'string')
  } catch {
    return /^\s*(<|$)/.test(text) ? undefined : text.trim() // plain words; a page is for browsers
  }
}

function mendOf({ status, headers }: Response): string {
  const later = headers.get('retry-after')
  if (status === 404) return 'what there is: pilotlight get machines, or groups, or profiles'
  if (status === 409) return 'what is stored stands against it: pilotlight get machines'
  if (status === 503) return `not now: run the same again${later === null ? '' : ` in ${later} s`}`
  if (status >= 500) return "the server's own log tells more"
  return 'mend what it names, and run the same again'
}
