// The inventory's routes as the verbs use them: objects with their versions, several writes as one, and the history.

import type { Fault } from '#model/fault.ts'
import type { Kind, KindedObject, WriteResult } from '#model/kinds.ts'
import type { LintFinding } from '#model/finding.ts'
import { requireProgress, ServerClient } from './server.ts'
import { jsonOf } from './refusal.ts'

/** An object in a list; templates come without their content. */
export type ListedObject = {
  readonly id: string
  readonly version: string
  readonly source: 'store' | 'directory'
  readonly site?: string
  readonly modified?: string
  readonly who?: string
  readonly bytes?: number
  readonly object?: Readonly<Record<string, unknown>>
}

/** A change as the server takes it. */
export type SentChange =
  | { readonly action: 'put'; readonly kind: Kind; readonly object: object; readonly expect?: string }
  | { readonly action: 'delete'; readonly kind: Kind; readonly id: string; readonly expect?: string }

/** What became of it; of a dry run with what would change. */
export type ChangeOutcome = {
  readonly kind: Kind
  readonly id: string
  readonly result: WriteResult
  readonly version?: string
  readonly warnings: readonly Fault[]
  readonly diff?: string
}

/** One write of an object. */
export type ObjectRevision = {
  readonly revision: number
  readonly at: string
  readonly who: string
  readonly action: 'put' | 'delete'
  readonly object?: Readonly<Record<string, unknown>>
}

/** Seconds that a transaction of thousands of objects may take. */
const TRANSACTION_SECONDS = 60

/** Changes of one transaction, of which the server takes at most 10,000. */
export const CHANGES_AT_ONCE = 5000

/** Calls the inventory of one server. */
export class InventoryClient {
  readonly #server: ServerClient

  constructor(base: string) {
    this.#server = new ServerClient(base)
  }

  /** All objects of a kind, page by page. */
  async *list(kind: Kind): AsyncIterable<ListedObject> {
    const asked = new Set<string>()
    for (let after: string | undefined; ;) {
      requireProgress(asked, after ?? '')
      const query = `limit=1000${after === undefined ? '' : `&after=${encodeURIComponent(after)}`}`
      const page = (await jsonOf(await this.#server.request('GET', `/v1/${kind}s?${query}`))) as {
        readonly items: readonly ListedObject[]
        readonly next?: string
      }
      yield* page.items
      if (page.next === undefined) return
      after = page.next
    }
  }

  /** The text of one object as its route shows it, with its version. */
  async text(
    kind: Kind,
    id: string,
  ): Promise<{ readonly bytes: Buffer<ArrayBuffer>; readonly etag: string }> {
    const response = await this.#server.request('GET', pathOf(kind, id))
    return { bytes: Buffer.from(await response.arrayBuffer()), etag: response.headers.get('etag') ?? '' }
  }

  /** One object; a template as `{ id, content }`. */
  async object(kind: Kind, id: string): Promise<Readonly<Record<string, unknown>>> {
    return (await this.entry(kind, id)).object
  }

  /** One object, and where it comes from: `store`, `directory`, or the name of a site. */
  async entry(
    kind: Kind,
    id: string,
  ): Promise<{ readonly object: Readonly<Record<string, unknown>>; readonly source: string }> {
    const response = await this.#server.request('GET', pathOf(kind, id), { accept: 'application/json' })
    const object = (await jsonOf(response)) as Record<string, unknown>
    return { object, source: response.headers.get('x-source') ?? '' }
  }

  /** Puts an object in place of the version that was read. */
  async put(
    kind: Kind,
    id: string,
    body: string | Buffer<ArrayBuffer>,
    etag: string,
  ): Promise<ChangeOutcome> {
    const response = await this.#server.request('PUT', pathOf(kind, id), { 'if-match': etag }, body)
    return (await jsonOf(response)) as ChangeOutcome
  }

  /** Makes all changes or none; of a dry run also what the linter says. */
  async transaction(
    changes: readonly SentChange[],
    { dryRun = false } = {},
  ): Promise<{ readonly outcomes: readonly ChangeOutcome[]; readonly lints?: readonly LintFinding[] }> {
    const path = `/v1/transactions${dryRun ? '?dryRun=true' : ''}`
    const body = JSON.stringify({ changes })
    const response = await this.#server.request('POST', path, {}, body, TRANSACTION_SECONDS)
    return (await jsonOf(response)) as { outcomes: ChangeOutcome[]; lints?: LintFinding[] }
  }

  /** What was written to an object, newest first. */
  async history(kind: Kind, id: string): Promise<readonly ObjectRevision[]> {
    const response = await this.#server.request('GET', `/v1/${kind}s/${encodeURIComponent(id)}/history`)
    return ((await jsonOf(response)) as { items: ObjectRevision[] }).items
  }

  /** Makes an object what it was at a revision, unless someone writes it meanwhile. */
  async revert(kind: Kind, id: string, revision: number): Promise<ChangeOutcome> {
    const [newest] = await this.history(kind, id)
    const isGone = newest?.action === 'delete'
    const condition = isGone ? { 'if-none-match': '*' } : { 'if-match': (await this.text(kind, id)).etag }
    const path = `/v1/${kind}s/${encodeURIComponent(id)}/revert`
    const response = await this.#server.request('POST', path, condition, JSON.stringify({ revision }))
    return (await jsonOf(response)) as ChangeOutcome
  }
}

function pathOf(kind: Kind, id: string): string {
  return `/v1/${kind}s/${id.split('/').map(encodeURIComponent).join('/')}`
}

/** What one transaction holds at most, well within what the server takes: characters of JSON, and values in it. */
const MOST = { characters: 16 << 20, values: 250_000 } as const

/** An object to be put; `expect`: the version that has to be there, or `absent`. */
export type PutObject = KindedObject & { readonly expect?: string }

/** The objects as changes, in their order, in as few transactions as the server takes them. */
export function* batchesOf(objects: readonly PutObject[]): Iterable<readonly SentChange[]> {
  let batch: SentChange[] = []
  let characters = 0
  let values = 0
  for (const { kind, object, expect } of objects) {
    const text = JSON.stringify(object)
    const own = text.match(/[,[{]/g)?.length ?? 0 // at least as many as there are values
    const isFull = characters + text.length > MOST.characters || values + own > MOST.values
    if (batch.length > 0 && (isFull || batch.length === CHANGES_AT_ONCE)) {
      yield batch
      ;[batch, characters, values] = [[], 0, 0]
    }
    batch.push({ action: 'put', kind, object, ...(expect !== undefined && { expect }) })
    characters += text.length
    values += own
  }
  if (batch.length > 0) yield batch
}
