// The server's HTTP API as the command line uses it.

import type { BootEvent, BundleFile, Machine, SiteObjects } from '#server/inventory/objects.ts'
import { CommandError, EXIT } from './exit.ts'

/** A machine as `GET /machines` shows it: the inventory's entry with the state of its last boot. */
export type MachineState = Machine & { readonly phase: string }

/** Calls one server; every call has a limit, and an error that says what to do. */
export class ServerClient {
  readonly #base: string

  constructor(base: string) {
    this.#base = base.replace(/\/$/, '')
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
    return response.json()
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
    throw await refusal(method, path, response)
  }
}

async function refusal(method: string, path: string, response: Response): Promise<CommandError> {
  const text = await response.text()
  let problem: { detail?: string; title?: string; mend?: string } = {}
  try {
    problem = JSON.parse(text) as typeof problem
  } catch {
    problem = { detail: text.trim() }
  }
  const status = response.status === 404 ? EXIT.notFound : EXIT.failed
  const said = problem.detail ?? problem.title ?? response.statusText
  return new CommandError(status, said, problem.mend ?? `${method} ${path} answered ${response.status}`)
}
