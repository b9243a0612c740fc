// What the routes of the inventory have in common: conditions, dry runs, bodies, and how an outcome is answered.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { LintFinding } from '#model/finding.ts'
import type { Kind, Objects } from '#model/kinds.ts'
import { textOf } from '#model/text.ts'
import { BadRequest } from '../../../errors.ts'
import { placeAt } from '../../../formats/ignition/tree.ts'
import { faultIn } from '../../../formats/ignition/json.ts'
import type { Change, Entry, Outcome } from '../../../inventory/changes.ts'
import { unifiedDiff } from '../../../inventory/diff.ts'
import type { Inventory } from '../../../inventory/inventory.ts'
import type { Sources } from '../../../boot/render/answers.ts'
import type { Log } from '../../../log.ts'
import { isWithin, type JsonShape } from '../../../limits/json-shape.ts'
import { auditingOf, noteAudited } from './audit.ts'
import { lintChanges } from '../../../boot/lint/catalog.ts'

/** What these routes need of the service. */
export type WriteNeeds = {
  /** What the linter judges the changes by. */
  readonly sources: () => Sources
  readonly assetsPath: string | undefined
  readonly inventory: Pick<Inventory, 'get' | 'list' | 'write' | 'history' | 'revert'>
  readonly log: Log
}

/** Bytes that a template may have, or a transaction, which may hold many. */
export const LARGEST_BODY = 64 << 20

/** Bytes that any other body may have. */
export const LARGEST_OBJECT = 4 << 20

/** How deep and wide the JSON of an object may be: a parser takes 30 ms for it. */
const OBJECT_SHAPE = { depth: 100, values: 100_000 } as const

/** That of a transaction: 100 values in each change of an import. */
export const TRANSACTION_SHAPE = { depth: 100, values: 500_000 } as const

/** The folder of each kind's routes. */
export function pluralOf(kind: Kind): `${Kind}s` {
  return `${kind}s`
}

/** The version of an entry as an ETag. */
export function etagOf(version: string): string {
  return `"${version}"`
}

/** Says whether an ETag is among those of a header; `*` means any, even that of a file without one. */
export function isListed(tags: string | undefined, etag: string | undefined): boolean {
  return tags?.split(',').some(tag => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag) ?? false
}

/**
 * What a client wants to be there before it writes: `If-Match: "12"` or `*`, `If-None-Match: *`. Undefined when it does
 * not care.
 */
export function expectationOf(
  { headers }: Pick<FastifyRequest, 'headers'>,
  entry: Entry | undefined,
): string | undefined {
  const { 'if-match': wanted, 'if-none-match': unwanted } = headers
  if (unwanted !== undefined) {
    if (unwanted.trim() === '*') return 'absent'
    throw new BadRequest('If-None-Match of a write takes only *, which means: when there is nothing yet.')
  }
  if (wanted === undefined) return undefined
  if (wanted.trim() === '*') return 'present'
  const versions = wanted.split(',').map(one => one.trim().replace(/^"(.*)"$/, '$1'))
  return versions.find(version => version === entry?.version) ?? versions[0]
}

/** Says whether a write is only to be tried: `?dryRun=true`. */
export function isDryRun({ query }: Pick<FastifyRequest, 'query'>): boolean {
  const { dryRun, ...others } = query as { dryRun?: string | string[] } // a query is texts by name
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) {
    throw new BadRequest(`A write takes dryRun=true, and no "${unknown}". Nothing was written.`)
  }
  if (dryRun === undefined || dryRun === 'false') return false
  if (dryRun === 'true' || dryRun === '') return true
  throw new BadRequest(`dryRun is ${JSON.stringify(dryRun)}; it takes true or false. Nothing was written.`)
}

/**
 * Reads a body as JSON.
 *
 * @throws {BadRequest} 400, also when it is wider or deeper than `most`: no other request is served while it is parsed
 */
export function jsonBody({ body }: Pick<FastifyRequest, 'body'>, most: JsonShape = OBJECT_SHAPE): unknown {
  const text = textBody({ body })
  if (!isWithin(text, most)) {
    throw new BadRequest(
      `The body has more than ${most.values} values, or more than ${most.depth} levels. Send less at once.`,
    )
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    const fault = faultIn(text)
    if (fault === undefined) throw new BadRequest(`The body is not JSON: ${(error as SyntaxError).message}.`)
    const { line, column } = placeAt(text, fault.offset)
    throw new BadRequest(`The body is not JSON: line ${line}, column ${column}: ${fault.message}.`)
  }
}

/** A body as it was received. */
export function textBody({ body }: Pick<FastifyRequest, 'body'>): string {
  return Buffer.isBuffer(body) ? textOf(body) : ''
}

/** Makes changes, or tries them and asks the linter what it says of the result. */
export async function writeChanges(
  request: FastifyRequest,
  changes: readonly Change[],
  needs: WriteNeeds,
): Promise<{ readonly outcomes: readonly Outcome[]; readonly lints?: readonly LintFinding[] }> {
  const who = request.identity.name
  if (!isDryRun(request)) {
    const outcomes = await needs.inventory.write(changes, { who, audit: auditingOf(request) })
    noteAudited(request)
    return { outcomes }
  }
  let lints: readonly LintFinding[] = []
  const look = () => {
    lints = lintChanges(changes, needs.sources(), needs.assetsPath)
  }
  const outcomes = await needs.inventory.write(changes, { who, dryRun: true, look })
  noteAudited(request)
  return { outcomes, lints }
}

/** Answers with the outcome of one change; `lints` are those of a dry run. */
export function answerOutcome(
  reply: FastifyReply,
  outcome: Outcome,
  lints: readonly LintFinding[] | undefined,
): FastifyReply {
  const dryRun = lints !== undefined
  const { kind, id, result, version } = outcome
  if (version !== undefined && !dryRun) void reply.header('etag', etagOf(version))
  if (result === 'created' && !dryRun) {
    void reply
      .code(201)
      .header('location', `/v1/${pluralOf(kind)}/${id.split('/').map(encodeURIComponent).join('/')}`)
  }
  return reply
    .type('application/json')
    .send(`${JSON.stringify({ ...outcomeView(outcome, dryRun), lints }, null, 2)}\n`)
}

/** An outcome as clients see it: of a dry run also what would change, line by line. */
export function outcomeView(
  { kind, id, result, version, before, after, warnings }: Outcome,
  dryRun: boolean,
): object {
  if (!dryRun) return { kind, id, result, ...(version === undefined ? {} : { version }), warnings }
  const diff = unifiedDiff(`${kind}/${id}`, textFor(kind, before), textFor(kind, after))
  return { kind, id, result, dryRun, warnings, diff }
}

function textFor(kind: Kind, object: Objects[Kind] | undefined): string | undefined {
  if (object === undefined) return undefined
  return kind === 'template'
    ? (object as Objects['template']).content
    : `${JSON.stringify(object, null, 2)}\n`
}
