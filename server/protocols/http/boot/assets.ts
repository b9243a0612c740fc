// Kernels, images and boot loaders: whole or in part, with their length, and each download in the machine's journal.

import { posix } from 'node:path'
import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { textOf } from '#model/text.ts'
import type { LocalBoots } from '../../../disks/local-boots.ts'
import type { DownloadBuffers } from '../../../assets/buffers.ts'
import { openBelow, sendFile, type OpenFile } from '../../../assets/files.ts'
import { folderBelow, listingPage, type Folder } from '../../../assets/listing.ts'
import { planOf, type Range } from '../../../assets/range.ts'
import type { Loaders } from '../../../assets/loaders.ts'
import type { Clients } from '../../../machines/clients.ts'
import type { Journal } from '../../../machines/journal.ts'
import type { Log } from '../../../log.ts'
import { apartFromPage, conditionsOf, contentRange, multipart, refuseRange } from '../wire/content.ts'
import { targetOf } from '../wire/raw-targets.ts'
import { plain } from '../wire/replies.ts'
import { plainAnswer } from '../wire/problems.ts'

/** What these routes need of the service. */
export type AssetNeeds = {
  readonly assetsPath: string | undefined
  readonly loaders: Loaders
  readonly journal: Pick<Journal, 'record'>
  readonly clients: Pick<Clients, 'assetOf' | 'dhcp' | 'whoIsAt'>
  readonly localBoots: Pick<LocalBoots, 'isOnItsWay'>
  readonly downloads: Pick<DownloadBuffers, 'shareOf'>
  readonly log: Log
}

/** `GET /assets/*` and `GET /loaders/{name}`. */
export const assetRoutes: FastifyPluginCallback<AssetNeeds> = (app, needs, done) => {
  const { assetsPath, clients } = needs
  const events = new DownloadEvents(needs.journal)
  app.setErrorHandler(plainAnswer(needs.log))

  // As on all boot routes, the method makes no difference and a body is let pass.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_, payload, parsed) => {
    payload.resume()
    parsed(null)
  })
  app.all('/assets/*', async (request, reply) => {
    const path = decodedPath(request)
    // As in Go, which takes the name of the folder off the path as it was sent, too.
    if (!request.raw.url?.startsWith('/assets/')) return missing(reply, undefined, path)
    const asset = clients.assetOf(request.ip, path)
    const download = asset && { ...asset, path }
    // Without a folder of them a machine that asks is in the journal all the same: its boot ends here.
    const found = assetsPath === undefined ? NO_FILE : await foundAt(assetsPath, path.slice('/assets'.length))
    if ('redirect' in found) return redirect(request, reply, found.redirect)
    if ('folder' in found) return list(request, reply, found.folder)
    return await answer(request, reply, found.file, download)
  })

  app.get<{ Params: { name: string } }>('/loaders/:name', (request, reply) => {
    const path = `/loaders/${request.params.name}`
    const { mac, machine } = clients.whoIsAt(request.ip)
    const download = mac === undefined ? undefined : { mac, kind: 'loader', path }
    // UEFI's HTTP Boot, after iPXE by TFTP was told to leave the boot to the firmware. The ipxe.efi of Debian 12 does not come back to
    // OVMF from there; firmware goes on to its next option, in the end the disk, where there is no loader.
    const elsewhere = clients.dhcp === 'off' && request.ip !== machine?.address ? request.ip : undefined
    if (machine !== undefined && needs.localBoots.isOnItsWay(machine.name, elsewhere)) {
      if (download && request.method === 'GET') events.withheld(download)
      return plain(reply.code(404), '404 page not found\n')
    }
    const loader = needs.loaders.get(request.params.name)
    if (loader === undefined) return missing(reply, download, path)
    if (download && request.method === 'GET') events.loader(download, loader.bytes.length)
    return reply.type('application/octet-stream').send(loader.bytes)
  })
  done()

  async function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    file: OpenFile | undefined,
    download: Download | undefined,
  ): Promise<FastifyReply> {
    if (file === undefined) return missing(reply, download, decodedPath(request))
    try {
      return await send(request, reply, file, download)
    } finally {
      await file.handle.close()
    }
  }

  function missing(reply: FastifyReply, download: Download | undefined, path: string): FastifyReply {
    void reply
      .header('x-reason', `There is no file ${encodeURI(path.toWellFormed())}.`)
      .header('x-content-type-options', 'nosniff')
    if (download) events.missing(download, path, assetsPath !== undefined || download.kind === 'loader')
    return plain(reply.code(404), '404 page not found\n')
  }

  async function send(
    request: FastifyRequest,
    reply: FastifyReply,
    file: OpenFile,
    download: Download | undefined,
  ): Promise<FastifyReply> {
    const content = contentFor(request, reply, file)
    if (content === undefined) return reply
    const { parts, frames, end } = content
    const texts = [...frames, end].map(text => Buffer.from(text))
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
    const share = needs.downloads.shareOf(request.ip)
    for (const [turn, part] of parts.entries()) {
      if ((texts[turn]?.length ?? 0) > 0) raw.write(texts[turn])
      sent += await sendFile(file.handle, part, raw, share)
    }
    if (sent === wanted) raw.end(texts.at(-1))
    else raw.destroy()
    const milliseconds = Math.round(performance.now() - began)
    if (download) events.ended(download, { sent, wanted, milliseconds })
    return reply
  }
}

/** What is at a path below the assets directory. */
type Found =
  { readonly redirect: string } | { readonly folder: Folder } | { readonly file: OpenFile | undefined }

/** Looks for a file or a folder as Go's file server does: the path of a folder ends with `/`, and its `index.html` is served for it. */
async function foundAt(assetsPath: string, below: string): Promise<Found> {
  if (below.endsWith('/index.html')) return { redirect: './' }
  const folder = await folderBelow(assetsPath, below)
  if (folder === undefined) {
    const file = await openBelow(assetsPath, below.replace(/\/$/, ''))
    if (file === undefined || !below.endsWith('/')) return { file }
    await file.handle.close()
    return { redirect: `../${basename(below)}` }
  }
  if (!below.endsWith('/')) return { redirect: `${basename(below)}/` }
  const index = await openBelow(assetsPath, `${below}index.html`)
  return index === undefined ? { folder } : { file: index }
}

/** What of a file is sent: its parts, and the texts before each of them and after the last. */
type Content = {
  readonly parts: readonly Range[]
  readonly frames: readonly string[]
  readonly end: string
}

/** Sets status and headers of a file; undefined when the whole answer was sent, because none of the file is. */
function contentFor(request: FastifyRequest, reply: FastifyReply, file: OpenFile): Content | undefined {
  void reply.headers({ etag: file.etag, ...lastModified(file) })
  const plan = planOf(request.method, conditionsOf(request), file)
  if (plan.status === 416) return void refuseRange(reply, plan.reason, file.size)
  void reply.code(plan.status)
  if (plan.status === 304 || plan.status === 412) return void reply.send()
  const parts: readonly Range[] = plan.status === 206 ? plan.parts : [{ start: 0, length: file.size }]
  const [only, ...others] = plan.status === 206 ? plan.parts : []
  if (only !== undefined && others.length === 0) {
    void reply.header('content-range', contentRange(only, file.size))
  }
  const { frames, end, type } = framesOf(parts, file)
  const texts = [...frames, end].map(text => Buffer.byteLength(text))
  const length = [...texts, ...parts.map(part => part.length)].reduce((sum, bytes) => sum + bytes, 0)
  void reply.headers({
    'accept-ranges': 'bytes',
    'content-type': type,
    'content-length': length,
    ...apartFromPage(file.type),
  })
  return { parts, frames, end }
}

/** The header with the time of a file or folder; none for the first instant of 1970, which says that there is no time. */
function lastModified({ mtimeMs }: { readonly mtimeMs: number }): Readonly<Record<string, string>> {
  return mtimeMs === 0 ? {} : { 'last-modified': new Date(mtimeMs).toUTCString() }
}

/** A file that a machine fetches: `kind` is the kind of the event in its journal. */
type Download = { readonly mac: string; readonly kind: string; readonly path: string }

const NO_FILE: Found = { file: undefined }

/** What the journal of a machine keeps of its downloads. */
class DownloadEvents {
  readonly #journal: AssetNeeds['journal']

  constructor(journal: AssetNeeds['journal']) {
    this.#journal = journal
  }

  /** A boot loader of so many bytes was sent. */
  loader(download: Download, bytes: number): void {
    this.#record(download, 'loader', `fetched ${download.path}`, { path: download.path, bytes })
  }

  /** A boot loader was not sent, so that the firmware goes on to its next option. */
  withheld(download: Download): void {
    const text = `asked for ${download.path} on its way to its disk, and got none`
    this.#record(download, 'loader', text, { path: download.path, local: 1 })
  }

  /** There is no such file. */
  missing(download: Download, path: string, isServed: boolean): void {
    const why = isServed ? 'which is not there' : 'and this server has no assets folder (serve --assets-path)'
    this.#record(download, 'refused', `asked for ${path}, ${why}`, { status: 404 })
  }

  /** A file was sent, as a whole or until its client closed the connection. */
  ended(
    download: Download,
    { sent, wanted, milliseconds }: { sent: number; wanted: number; milliseconds: number },
  ): void {
    const { path, kind } = download
    const detail = { path, bytes: sent, milliseconds }
    const size = `${megabytes(sent)} of ${path} in ${(milliseconds / 1000).toFixed(2)} s`
    if (sent === wanted) this.#record(download, kind, `fetched ${size}`, detail)
    else {
      const text = `broke off after ${size}, ${megabytes(wanted - sent)} were left`
      this.#record(download, 'broken', text, detail)
    }
  }

  #record({ mac }: Download, kind: string, text: string, detail: Record<string, string | number>): void {
    this.#journal.record({ mac, layer: 'http', kind, text, detail })
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

/** The texts around the parts of an answer: empty, unless there are several parts. */
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
  void reply.headers(lastModified({ mtimeMs }))
  const { 'if-modified-since': since } = conditionsOf(request)
  const plan = planOf(request.method, { 'if-modified-since': since }, { size: 0, mtimeMs })
  if (plan.status === 304) return reply.code(304).send()
  return reply.type('text/html; charset=utf-8').send(listingPage(names))
}

/** Sends the client to a place beside the one that it asked for, with the query that it sent. */
function redirect(request: FastifyRequest, reply: FastifyReply, to: string): FastifyReply {
  const [, query = ''] = /^[^?]*\?(.*)$/s.exec(targetOf(request.raw)) ?? []
  const bytes = Buffer.from(to).map(byte => (byte < 0x20 || byte === 0x7f ? 0x20 : byte))
  const place = Buffer.from(bytes).toString('latin1')
  return reply
    .code(301)
    .header('location', query === '' ? place : `${place}?${query}`)
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
