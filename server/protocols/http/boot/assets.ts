// Kernels, images and boot loaders: whole or in part, with their length, and each download in the machine's journal.

import { posix } from 'node:path'
import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { textOf } from '#model/text.ts'
import type { DownloadBuffers } from '../../../assets/buffers.ts'
import { openBelow, sendFile, type OpenFile } from '../../../assets/files.ts'
import { folderBelow, listingPage, type Folder } from '../../../assets/listing.ts'
import { planOf, type ConditionalHeaders, type Range } from '../../../assets/range.ts'
import type { Loaders } from '../../../assets/loaders.ts'
import type { Clients } from '../../../machines/clients.ts'
import type { Journal } from '../../../machines/journal.ts'
import type { Log } from '../../../log.ts'
import { apartFromPage, contentRange, multipart, refuseRange } from '../wire/content.ts'
import { plain } from '../wire/replies.ts'
import { plainAnswer } from '../wire/problems.ts'

/** What these routes need of the service. */
export type AssetNeeds = {
  readonly assetsPath: string | undefined
  readonly loaders: Loaders
  readonly journal: Pick<Journal, 'record'>
  readonly clients: Pick<Clients, 'assetOf' | 'macOf'>
  readonly downloads: Pick<DownloadBuffers, 'shareOf'>
  readonly log: Log
}

/** `GET /assets/*` and `GET /loaders/{name}`. */
export const assetRoutes: FastifyPluginCallback<AssetNeeds> = (app, needs, done) => {
  const { assetsPath, loaders, journal, clients, downloads } = needs
  app.setErrorHandler(plainAnswer(needs.log))

  if (assetsPath !== undefined) {
    // As on all boot routes, the method makes no difference and a body is let pass.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_, payload, parsed) => {
      payload.resume()
      parsed(null)
    })
    app.all('/assets/*', async (request, reply) => {
      const path = decodedPath(request)
      const below = path.slice('/assets'.length)
      const asset = clients.assetOf(request.ip, path)
      const event = asset && { ...asset, path }
      if (below.endsWith('/index.html')) return redirect(request, reply, './')
      const folder = await folderBelow(assetsPath, below)
      if (folder === undefined) {
        const file = await openBelow(assetsPath, below.replace(/\/$/, ''))
        if (file === undefined || !below.endsWith('/')) return await answer(request, reply, file, event)
        await file.handle.close()
        return redirect(request, reply, `../${basename(below)}`)
      }
      if (!below.endsWith('/')) return redirect(request, reply, `${basename(below)}/`)
      const index = await openBelow(assetsPath, `${below}index.html`)
      if (index !== undefined) return await answer(request, reply, index, event)
      return list(request, reply, folder)
    })
  }

  app.get<{ Params: { name: string } }>('/loaders/:name', (request, reply) => {
    const { name } = request.params
    const mac = clients.macOf(request.ip)
    const event = mac === undefined ? undefined : { mac, kind: 'loader', path: `/loaders/${name}` }
    const loader = loaders.get(name)
    if (loader === undefined) return missing(reply, event, `/loaders/${name}`)
    if (event && request.method === 'GET') {
      tell(event, 'loader', `fetched ${event.path}`, { path: event.path, bytes: loader.bytes.length })
    }
    return reply.type('application/octet-stream').send(loader.bytes)
  })

  done()

  async function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    file: OpenFile | undefined,
    event: Download | undefined,
  ): Promise<FastifyReply> {
    if (file === undefined) return missing(reply, event, decodedPath(request))
    try {
      return await send(request, reply, file, event)
    } finally {
      await file.handle.close()
    }
  }

  function missing(reply: FastifyReply, event: Download | undefined, path: string): FastifyReply {
    void reply
      .header('x-reason', `There is no file ${encodeURI(path.toWellFormed())}.`)
      .header('x-content-type-options', 'nosniff')
    if (event) tell(event, 'refused', `asked for ${path}, which is not there`, { status: 404 })
    return plain(reply.code(404), '404 page not found\n')
  }

  async function send(
    request: FastifyRequest,
    reply: FastifyReply,
    file: OpenFile,
    event: Download | undefined,
  ): Promise<FastifyReply> {
    const headers = request.headers as ConditionalHeaders // none of those read there comes as a list
    void reply.headers({
      'accept-ranges': 'bytes',
      etag: file.etag,
      'last-modified': new Date(file.mtimeMs).toUTCString(),
    })
    const plan = planOf(request.method === 'HEAD' ? 'HEAD' : 'GET', headers, file)
    if (plan.status === 416) return refuseRange(reply, plan.reason, file.size)
    void reply.code(plan.status)
    if (plan.status === 304 || plan.status === 412) return reply.send()
    const parts: readonly Range[] = plan.status === 206 ? plan.parts : [{ start: 0, length: file.size }]
    const [first] = plan.status === 206 ? plan.parts : []
    if (first !== undefined) void reply.header('content-range', contentRange(first, file.size))
    const { frames, end, type } = framesOf(parts, file)
    if (parts.length > 1) void reply.removeHeader('content-range')
    const texts = [...frames, end].map(text => Buffer.from(text))
    const length = [...texts, ...parts].reduce((sum, piece) => sum + piece.length, 0)
    void reply.headers({ 'content-type': type, 'content-length': length, ...apartFromPage(file.type) })
    reply.hijack()
    const { raw } = reply
    raw.writeHead(reply.statusCode, reply.getHeaders() as Record<string, string>)
    if (request.method === 'HEAD') {
      raw.end()
      return reply
    }
    const began = performance.now()
    const wanted = parts.reduce((sum, part) => sum + part.length, 0)
    let sent = 0
    const share = downloads.shareOf(request.ip)
    for (const [turn, part] of parts.entries()) {
      if ((texts[turn]?.length ?? 0) > 0) raw.write(texts[turn])
      sent += await sendFile(file.handle, part, raw, share)
    }
    if (sent === wanted) raw.end(texts.at(-1))
    else raw.destroy()
    const milliseconds = Math.round(performance.now() - began)
    if (event) tellDownload(event, sent, wanted, milliseconds)
    return reply
  }

  function tellDownload(event: Download, sent: number, length: number, milliseconds: number): void {
    const detail = { path: event.path, bytes: sent, milliseconds }
    const size = `${(sent / 1e6).toFixed(1)} MB of ${event.path} in ${(milliseconds / 1000).toFixed(2)} s`
    if (sent === length) tell(event, event.kind, `fetched ${size}`, detail)
    else
      tell(
        event,
        'broken',
        `broke off after ${size}, ${((length - sent) / 1e6).toFixed(1)} MB were left`,
        detail,
      )
  }

  function tell(
    { mac }: Download,
    kind: string,
    text: string,
    detail: Record<string, string | number>,
  ): void {
    journal.record({ mac, layer: 'http', kind, text, detail })
  }
}

type Download = { readonly mac: string; readonly kind: string; readonly path: string }

/** What stands around the parts of an answer: nothing, unless there are several. */
function framesOf(
  parts: readonly Range[],
  { type, size }: OpenFile,
): { readonly frames: readonly string[]; readonly end: string; readonly type: string } {
  if (parts.length === 1) return { frames: [''], end: '', type }
  const { boundary, frames, end } = multipart(parts, type, size)
  return { frames, end, type: `multipart/byteranges; boundary=${boundary}` }
}

/** Sends the names in a folder, unless the client has them already. */
function list(request: FastifyRequest, reply: FastifyReply, { names, mtimeMs }: Folder): FastifyReply {
  void reply.header('last-modified', new Date(mtimeMs).toUTCString())
  const { 'if-modified-since': since } = request.headers
  const plan = planOf('GET', { 'if-modified-since': since }, { size: 0, mtimeMs })
  if (plan.status === 304) return reply.code(304).send()
  return reply.type('text/html; charset=utf-8').send(listingPage(names))
}

/** Sends the client to a place beside the one that it asked for, with the query that it sent. */
function redirect(request: FastifyRequest, reply: FastifyReply, to: string): FastifyReply {
  const [, query] = /^[^?]*\?(.*)$/s.exec(request.raw.url ?? '') ?? []
  const bytes = Buffer.from(to).map(byte => (byte < 0x20 || byte === 0x7f ? 0x20 : byte))
  const place = Buffer.from(bytes).toString('latin1')
  return reply
    .code(301)
    .header('location', query === undefined ? place : `${place}?${query}`)
    .send()
}

function basename(path: string): string {
  return posix.basename(posix.join('/', path))
}

/** The path of a request, decoded; a broken escape was refused before. */
function decodedPath(request: FastifyRequest): string {
  const path = (request.raw.url ?? '').split('?', 1)[0] ?? ''
  const bytes = path.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return textOf(Buffer.from(bytes, 'latin1'))
}
