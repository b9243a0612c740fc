// Kernels, images and boot loaders: whole or in part, with their length, and each download in the machine's journal.

import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { openBelow, sendFile, type OpenFile } from '../assets/files.ts'
import { isUnchanged, mayRange, rangeOf } from '../assets/range.ts'
import type { Loaders } from '../assets/loaders.ts'
import type { Clients } from '../inventory/clients.ts'
import type { Journal } from '../inventory/journal.ts'
import type { Log } from '../log.ts'
import { plain, plainAnswer } from './problems.ts'

/** What these routes need of the service. */
export type AssetNeeds = {
  readonly assetsPath: string | undefined
  readonly loaders: Loaders
  readonly journal: Pick<Journal, 'record'>
  readonly clients: Pick<Clients, 'assetOf' | 'macOf'>
  readonly log: Log
}

/** Milliseconds that a client may leave a download untouched. */
const IDLE_MS = 120_000

/** `GET /assets/*` and `GET /loaders/{name}`. */
export const assetRoutes: FastifyPluginCallback<AssetNeeds> = (app, needs, done) => {
  const { assetsPath, loaders, journal, clients } = needs
  app.setErrorHandler(plainAnswer(needs.log))

  if (assetsPath !== undefined) {
    app.get('/assets/*', async (request, reply) => {
      const path = decodedPath(request)
      const asset = clients.assetOf(request.ip, path)
      const file = await openBelow(assetsPath, path.slice('/assets'.length))
      return await answer(request, reply, file, asset && { ...asset, path })
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
      .header('x-reason', `There is no file ${encodeURI(path)}.`)
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
    const headers = request.headers as Record<string, string | undefined> // none of those read here comes as a list
    void reply.headers({
      'accept-ranges': 'bytes',
      etag: file.etag,
      'last-modified': new Date(file.mtimeMs).toUTCString(),
    })
    if (isUnchanged(headers, file)) return reply.code(304).send()
    const range = mayRange(headers, file) ? rangeOf(headers.range, file.size) : undefined
    if (range === 'unsatisfiable') {
      void reply.header('content-range', `bytes */${file.size}`).header('x-content-type-options', 'nosniff')
      return plain(reply.code(416), 'invalid range: failed to overlap\n')
    }
    const part = range ?? { start: 0, length: file.size }
    if (range !== undefined) {
      reply
        .code(206)
        .header('content-range', `bytes ${part.start}-${part.start + part.length - 1}/${file.size}`)
    }
    void reply.headers({ 'content-type': file.type, 'content-length': part.length })
    reply.hijack()
    const { raw } = reply
    raw.writeHead(reply.statusCode, reply.getHeaders() as Record<string, string>)
    if (request.method === 'HEAD') {
      raw.end()
      return reply
    }
    raw.setTimeout(IDLE_MS, () => raw.destroy())
    const began = performance.now()
    const sent = await sendFile(file.handle, part, raw)
    if (sent === part.length) raw.end()
    else raw.destroy()
    const milliseconds = Math.round(performance.now() - began)
    if (event) tellDownload(event, sent, part.length, milliseconds)
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

/** The path of a request, decoded; a broken escape was refused before. */
function decodedPath(request: FastifyRequest): string {
  return decodeURIComponent((request.raw.url ?? '').split('?', 1)[0] ?? '')
}
