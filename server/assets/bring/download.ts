// Downloads: a URL becomes a file, in as many attempts as it takes. What is there already is not fetched again, as long as
// the server says that it is still the same file.

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { PilotlightError } from '#model/error.ts'
import { messageOf, sleep } from '#progress/wait.ts'

/** How a download goes about it. */
export type DownloadOptions = {
  readonly signal?: AbortSignal
  /** Seconds without a byte after which a connection is given up; 30 by default. */
  readonly stallSeconds?: number
  /** Attempts in a row that bring nothing, after which it is given up; 6 by default. */
  readonly attempts?: number
  /** Milliseconds before the second attempt, doubled for each one after it, up to 15 s; 500 by default. */
  readonly backoffMs?: number
  /** Hears how many bytes are here, of how many as far as that is known, and why it waits, if it does. */
  readonly onProgress?: (here: number, total: number | undefined, waiting?: string) => void
}

/** A download that cannot be had. */
export class DownloadFailed extends PilotlightError {
  readonly code = 'DOWNLOAD_FAILED'
  constructor(url: string, reason: string, options?: ErrorOptions) {
    super(
      `${url} could not be fetched: ${reason}. Run the same again: it goes on where it broke off.`,
      options,
    )
  }
}

/** What a part of a file was a part of. */
type Kept = { readonly url: string; readonly etag?: string; readonly modified?: string }

/**
 * Fetches `url` into the file `path`. Until all of it is here it is in `path.part`, and what it is a part of in
 * `path.part.json`; a later call goes on with them.
 *
 * @throws {DownloadFailed} {the signal's reason}
 */
export async function download(url: string, path: string, options: DownloadOptions = {}): Promise<void> {
  const { attempts = 6, backoffMs = 500, signal, onProgress } = options
  let tries = 0
  for (;;) {
    const before = await sizeOf(`${path}.part`)
    try {
      await attempt(url, path, options)
      return
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof DownloadFailed) throw error
      if (error instanceof Unusable) await rm(`${path}.part`, { force: true })
      const here = await sizeOf(`${path}.part`)
      tries = here > before ? 1 : tries + 1
      const reason = reasonOf(error)
      if (tries >= attempts) {
        throw new DownloadFailed(url, `${reason} (${tries} attempts brought nothing more)`, { cause: error })
      }
      const waitMs = Math.min(backoffMs * 2 ** (tries - 1), LONGEST_BACKOFF_MS)
      onProgress?.(here, undefined, `${reason}; again in ${(waitMs / 1000).toFixed(1)} s`)
      await sleep(waitMs, signal)
    }
  }
}

const LONGEST_BACKOFF_MS = 15_000
const USUAL_STALL_SECONDS = 30

/** Statuses of a server that may answer otherwise soon. */
const SOON = new Set([408, 425, 429, 500, 502, 503, 504])

async function attempt(url: string, path: string, options: DownloadOptions): Promise<void> {
  const part = `${path}.part`
  const kept = await readKept(part, url)
  const here = kept === undefined ? 0 : await sizeOf(part)
  const validator = kept?.etag ?? kept?.modified
  const stall = stallTimer(options.stallSeconds ?? USUAL_STALL_SECONDS)
  const signal = options.signal === undefined ? stall.signal : AbortSignal.any([options.signal, stall.signal])
  try {
    const headers = {
      'accept-encoding': 'identity', // the bytes as they are stored
      ...(here > 0 && validator !== undefined ? { range: `bytes=${here}-`, 'if-range': validator } : {}),
    }
    const response = await fetch(url, { headers, signal })
    const { start, total } = await placeOf(url, response, here)
    if (start === 0) await keep(part, url, response)
    if (start !== undefined) {
      await receive(response, part, { start, total, stall, signal, onProgress: options.onProgress })
    }
    const size = await sizeOf(part)
    if (total !== undefined && size !== total) throw new Error(`it broke off after ${size} of ${total} bytes`)
    await rename(part, path)
    await rm(`${part}.json`, { force: true })
  } finally {
    stall.end()
  }
}

/**
 * Where an answer goes on: `start` is 0 for the whole file, undefined when all of it is here already.
 *
 * @throws {DownloadFailed} when asking again would not help; else an error that may pass
 */
async function placeOf(
  url: string,
  response: Response,
  here: number,
): Promise<{ readonly start: number | undefined; readonly total: number | undefined }> {
  const { status, headers } = response
  const length = headers.get('content-length')
  if (status === 200) return { start: 0, total: length === null ? undefined : Number(length) }
  const [, first, size] = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? []
  if (status === 206 && Number(first) === here && size !== undefined)
    return { start: here, total: Number(size) }
  await response.body?.cancel()
  if (status === 416 && Number(size) === here) return { start: undefined, total: here }
  if (status === 206 || status === 416) throw new Unusable('the server answered with another part')
  const reason = `the server answered ${status} ${response.statusText}`.trimEnd()
  if (SOON.has(status)) throw new Error(reason)
  throw new DownloadFailed(url, reason)
}

/** An answer that does not fit what is here, which is forgotten then. */
class Unusable extends Error {}

/** Writes an answer's bytes from `start` on; those received before it broke off stay. */
async function receive(
  { body }: Response,
  part: string,
  {
    start,
    total,
    stall,
    signal,
    onProgress,
  }: {
    readonly start: number
    readonly total: number | undefined
    readonly stall: StallTimer
    readonly signal: AbortSignal
    readonly onProgress: DownloadOptions['onProgress']
  },
): Promise<void> {
  let here = start
  async function* counted(pieces: AsyncIterable<Uint8Array>) {
    for await (const piece of pieces) {
      stall.touch()
      here += piece.length
      onProgress?.(here, total)
      yield piece
    }
  }
  const flags = start === 0 ? 'w' : 'a'
  const bytes = body === null ? Readable.from([]) : Readable.fromWeb(body as ReadableStream<Uint8Array>)
  const file = createWriteStream(part, { flags })
  try {
    await pipeline(bytes, counted, file, { signal })
  } finally {
    // What is still being written belongs to this attempt: the next one goes on behind it.
    if (!file.closed) await once(file, 'close')
  }
}

type StallTimer = { readonly signal: AbortSignal; touch(): void; end(): void }

function stallTimer(seconds: number): StallTimer {
  const stalled = new AbortController()
  const abort = () => stalled.abort(new Error(`no byte received for ${seconds} s`))
  const timer = setTimeout(abort, seconds * 1000)
  return { signal: stalled.signal, touch: () => timer.refresh(), end: () => clearTimeout(timer) }
}

async function keep(part: string, url: string, { headers }: Response): Promise<void> {
  const etag = headers.get('etag')
  const modified = headers.get('last-modified')
  // A weak ETag says nothing of single bytes (RFC 9110 §13.1.5).
  const isStrong = etag !== null && !etag.startsWith('W/')
  const kept: Kept = { url, ...(isStrong ? { etag } : modified === null ? {} : { modified }) }
  await rm(part, { force: true })
  await writeFile(`${part}.json`, JSON.stringify(kept))
}

async function readKept(part: string, url: string): Promise<Kept | undefined> {
  try {
    const kept = JSON.parse(await readFile(`${part}.json`, 'utf8')) as Kept // written by us
    return kept.url === url ? kept : undefined
  } catch {
    return undefined // none, or half written: begin again
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0
}

/** The innermost reason: fetch hides it. */
function reasonOf(error: unknown): string {
  let innermost = error
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause
  return messageOf(innermost)
}
