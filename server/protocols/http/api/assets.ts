// Assets over the API: uploaded in a stream, with digests and conditions (RFC 9110 §13, RFC 9530), listed and removed.
// What machines fetch them by is /assets/.

import { Readable } from 'node:stream'
import type { FastifyPluginCallback, FastifyRequest } from 'fastify'
import { AssetStore, type Asset, type Wanted } from '../../../assets/asset-store.ts'
import { BadRequest, NoAssets } from '../../../errors.ts'
import { NotStored, PreconditionFailed } from '../../../store/errors.ts'
import type { Log } from '../../../log.ts'
import { problemAnswer } from '../wire/problems.ts'
import { pretty } from '../wire/replies.ts'
import { noteAudited, noteChange } from './audit.ts'
import { etagOf, isListed } from './writes.ts'
import { problem } from './openapi.ts'

/** What these routes need of the service. */
export type AssetStoreNeeds = {
  /** The assets directory; undefined where none is served. */
  readonly assetsPath: string | undefined
  readonly log: Log
}

type ByName = { Params: { '*': string } }

const text = { type: 'string' } as const
const asset = {
  type: 'object',
  properties: {
    name: { ...text, description: 'Its path below /assets/' },
    size: { type: 'integer', description: 'In bytes' },
    modified: { ...text, format: 'date-time' },
    sha256: { ...text, description: 'In hexadecimal; absent for a file that was put there past the store' },
  },
} as const
const outcome = {
  type: 'object',
  properties: {
    ...asset.properties,
    result: { enum: ['created', 'changed', 'unchanged', 'deleted'] },
  },
} as const
const tags = ['assets']

/** `GET /v1/assets`, and `GET`, `PUT`, `DELETE` of `/v1/assets/{name}`. */
export const assetStoreRoutes: FastifyPluginCallback<AssetStoreNeeds> = (app, { assetsPath, log }, done) => {
  const opened = assetsPath === undefined ? undefined : new AssetStore(assetsPath)
  const store = (): AssetStore => {
    if (opened !== undefined) return opened
    throw new NoAssets()
  }
  app.setErrorHandler(problemAnswer(log))
  // A body is taken as it comes, piece by piece.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_, payload, parsed) => parsed(null, payload))

  const list = { type: 'object', properties: { items: { type: 'array', items: asset } } } as const
  app.get(
    '/v1/assets',
    {
      schema: {
        tags,
        summary: 'Lists the assets, in the byte order of their names',
        response: { 200: list },
      },
    },
    async (_, reply) => pretty(reply, { items: (await store().list()).map(assetView) }),
  )

  app.get<ByName>(
    '/v1/assets/*',
    { schema: { tags, summary: 'What is known of an asset', response: { 200: asset, '4xx': problem } } },
    async (request, reply) => {
      const name = request.params['*']
      const found = await store().get(name)
      if (found === undefined) throw new NotStored('asset', name)
      const etag = assetEtag(found)
      if (etag !== undefined) void reply.header('etag', etag)
      if (isListed(request.headers['if-none-match'], etag)) return reply.code(304).send()
      return pretty(reply, assetView(found))
    },
  )

  app.put<ByName>(
    '/v1/assets/*',
    {
      config: { access: 'objects', audit: 'asset.put', longBody: true },
      schema: {
        tags,
        summary: 'Uploads an asset, of any size; it takes its name once all of it is on disk',
        response: { 200: outcome, 201: outcome, '4xx': problem },
      },
    },
    async (request, reply) => {
      const name = request.params['*']
      if (request.headers['content-range'] !== undefined) {
        throw new BadRequest('An asset is uploaded as a whole, without Content-Range. Nothing was kept.')
      }
      const wanted = { ...digestsOf(request), expect: expectationOf(request, name) }
      const { result, ...added } = await store()
        .add(name, bytesOf(request), wanted)
        .catch((error: unknown) => {
          if (request.raw.complete || !request.raw.destroyed) throw error
          throw new BadRequest(`The upload of "${name}" broke off. Nothing was kept.`, { cause: error })
        })
      if (result === 'unchanged') noteAudited(request)
      else noteChange(request, { summary: `${added.size} bytes, sha256 ${added.sha256 ?? 'unknown'}` })
      log('info', `asset ${result}`, { asset: name, bytes: added.size, who: request.identity.name })
      const place = name.split('/').map(encodeURIComponent).join('/')
      if (result === 'created') void reply.code(201).header('location', `/v1/assets/${place}`)
      void reply.header('etag', assetEtag(added))
      return pretty(reply, { ...assetView(added), result })
    },
  )

  app.delete<ByName>(
    '/v1/assets/*',
    {
      config: { access: 'objects', audit: 'asset.delete' },
      schema: {
        tags,
        summary: 'Takes the name of an asset away; `pilotlight assets gc` frees its bytes',
        response: { 200: outcome, '4xx': problem },
      },
    },
    async (request, reply) => {
      const name = request.params['*']
      await store().remove(name, expectationOf(request, name))
      log('info', 'asset deleted', { asset: name, who: request.identity.name })
      return pretty(reply, { name, result: 'deleted' })
    },
  )
  done()
}

/** The body as it comes. Who stops reading it early leaves the connection open, to answer why. */
function bytesOf({ body }: FastifyRequest): AsyncIterable<Uint8Array> {
  const stream = body as Readable | undefined // of the parser above; without a body there is none
  return (stream ?? Readable.from([])).iterator({ destroyOnReturn: false })
}

function assetView({ name, size, modifiedMs, sha256 }: Asset): object {
  return {
    name,
    size,
    modified: new Date(modifiedMs).toISOString(),
    ...(sha256 === undefined ? {} : { sha256 }),
  }
}

function assetEtag({ sha256 }: Asset): string | undefined {
  return sha256 === undefined ? undefined : etagOf(sha256)
}

/** The digests that the client announces: `Repr-Digest` (RFC 9530), or `x-sha256` in hexadecimal. */
function digestsOf({ headers }: FastifyRequest): Pick<Wanted, 'sha256' | 'sha512'> {
  const digests: { sha256?: string; sha512?: string } = {}
  const { 'repr-digest': announced, 'x-sha256': hex } = headers
  if (hex !== undefined) {
    if (typeof hex !== 'string' || !/^[0-9a-f]{64}$/i.test(hex)) {
      throw new BadRequest('x-sha256 takes 64 hexadecimal digits. Nothing was kept.')
    }
    digests.sha256 = hex.toLowerCase()
  }
  for (const part of typeof announced === 'string' ? announced.split(',') : []) {
    const [, algorithm, encoded = ''] = /^\s*([a-z0-9-]+)=:([A-Za-z0-9+/]+={0,2}):\s*$/.exec(part) ?? []
    if (algorithm === undefined) {
      throw new BadRequest(`Repr-Digest is "${part.trim()}"; it takes sha-256=:BASE64:. Nothing was kept.`)
    }
    if (algorithm === 'sha-256') digests.sha256 = Buffer.from(encoded, 'base64').toString('hex')
    if (algorithm === 'sha-512') digests.sha512 = Buffer.from(encoded, 'base64').toString('hex')
  }
  return digests
}

/** What the client thinks has the name now: `If-Match`, `If-None-Match`. */
function expectationOf({ headers }: FastifyRequest, name: string): Wanted['expect'] {
  const { 'if-match': wanted, 'if-none-match': unwanted } = headers
  return now => {
    const etag = now && assetEtag(now)
    const isGood =
      (wanted === undefined || (now !== undefined && isListed(wanted, etag))) &&
      (unwanted === undefined || now === undefined || !isListed(unwanted, etag))
    if (!isGood) throw new PreconditionFailed('asset', name, now && (now.sha256 ?? 'unknown'))
  }
}
