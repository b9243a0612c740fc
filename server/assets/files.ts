// Files of one directory by their URL path, and how they are sent: in pieces, never from outside the directory.

import { open, realpath, type FileHandle } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { Writable } from 'node:stream'
import type { BufferShare } from './buffers.ts'
import { isPublic } from './names.ts'
import { contentTypeOf, SNIFF_BYTES } from './sniff.ts'

/** An open file, and what is sent about it; the caller that opens it closes it. */
export type OpenFile = {
  readonly handle: FileHandle
  readonly size: number
  readonly mtimeMs: number
  /** Changes whenever the file does, in quotes. */
  readonly etag: string
  readonly type: string
}

/**
 * Opens the file that `path` (decoded, below the root) means. Undefined when there is none, or it is not a plain file, or
 * it is outside of `root`, or in the store's own folder, once all links are followed.
 */
export async function openBelow(root: string, path: string): Promise<OpenFile | undefined> {
  if (path.includes('\0')) return undefined
  try {
    const top = await realpath(root)
    const real = await realpath(join(top, posix.join('/', path)))
    return real !== top && isPublic(top, real) ? await openFile(real, endingOf(path)) : undefined
  } catch (error) {
    if (MISSING.has((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/** What follows the last point of a path's name, with the point; the name of a link counts, not that of its file. */
function endingOf(path: string): string {
  return /\.[^./]*$/.exec(path)?.[0] ?? ''
}

async function openFile(real: string, ending: string): Promise<OpenFile | undefined> {
  const handle = await open(real, 'r')
  const stat = await handle.stat()
  if (!stat.isFile()) {
    await handle.close()
    return undefined
  }
  const known = TYPES.get(ending.toLowerCase())
  const head =
    known === undefined ? await handle.read(Buffer.alloc(SNIFF_BYTES), 0, SNIFF_BYTES, 0) : undefined
  const type = known ?? contentTypeOf(head?.buffer.subarray(0, head.bytesRead) ?? Buffer.alloc(0))
  const { size, mtimeMs, ino } = stat
  const etag = `"${ino.toString(36)}-${size.toString(36)}-${Math.round(mtimeMs * 1000).toString(36)}"`
  return { handle, size, mtimeMs, etag, type }
}

/**
 * Sends `length` bytes of a file from `start` on, and gives how many were sent: fewer when the client closed, or took less
 * than `share` asks for. Pieces begin small, and grow while the client takes them fast and there is memory; while one is on
 * its way to the client, the next is read.
 */
export async function sendFile(
  handle: FileHandle,
  { start, length }: { start: number; length: number },
  to: Writable,
  share: BufferShare,
): Promise<number> {
  const gone = new AbortController()
  const leave = () => gone.abort()
  to.once('close', leave)
  if (to.destroyed) leave()
  const pieces = new Pieces(share, length)
  try {
    if (!(await pieces.begin(gone.signal))) return 0
    let sent = 0
    let writing: Promise<boolean> = Promise.resolve(true)
    for (let at = 0; at < length;) {
      if (at > 0 && !pieces.isAhead() && !(await writing)) return sent
      const buffer = pieces.next()
      const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, length - at), start + at)
      if (bytesRead === 0) break // the file became shorter
      if (!(await writing)) return sent
      sent = at
      at += bytesRead
      writing = pieces.time(write(to, buffer.subarray(0, bytesRead), share))
      if (at >= length && (await writing)) sent = at
    }
    return sent
  } finally {
    to.removeListener('close', leave)
    pieces.end()
  }
}

/** The buffers of one download: one, and a second to read ahead where there is memory for it. */
class Pieces {
  readonly #share: BufferShare
  readonly #most: number
  readonly #buffers: Buffer[] = []
  #turn = 0
  #wanted: number

  constructor(share: BufferShare, length: number) {
    this.#share = share
    this.#most = Math.min(LARGE_BYTES, length)
    this.#wanted = Math.min(SMALL_BYTES, length)
  }

  /** Waits for the first buffer; resolves to false when the client is gone before. */
  async begin(gone: AbortSignal): Promise<boolean> {
    if (!(await this.#share.wait(this.#wanted, gone))) return false
    this.#buffers.push(Buffer.allocUnsafe(this.#wanted))
    return true
  }

  /** Says whether the next piece has a buffer besides the one that is on its way. */
  isAhead(): boolean {
    if (this.#buffers.length === 1 && this.#share.take(this.#wanted)) {
      this.#buffers.push(Buffer.allocUnsafe(this.#wanted))
    }
    return this.#buffers.length === 2
  }

  /** The buffer of the next piece, which is not on its way. */
  next(): Buffer {
    this.#turn = this.#buffers.length === 2 ? 1 - this.#turn : 0
    if (this.#share.isWanted()) this.#wanted = Math.min(SMALL_BYTES, this.#most)
    const had = this.#buffers[this.#turn]! // it has one, and after isAhead() two
    const more = this.#wanted - had.length
    if (more === 0 || (more > 0 && !this.#share.take(more))) return had
    if (more < 0) this.#share.release(-more)
    return (this.#buffers[this.#turn] = Buffer.allocUnsafe(this.#wanted))
  }

  /** Lets pieces grow after one that the client took fast, and shrink after one that took long. */
  async time(writing: Promise<boolean>): Promise<boolean> {
    const began = performance.now()
    const isSent = await writing
    const milliseconds = performance.now() - began
    if (milliseconds < FAST_MS) this.#wanted = Math.min(this.#most, this.#wanted * 2)
    else if (milliseconds > SLOW_MS) this.#wanted = Math.min(SMALL_BYTES, this.#most)
    return isSent
  }

  end(): void {
    for (const { length } of this.#buffers.splice(0)) this.#share.release(length)
  }
}

/**
 * Resolves when the bytes have left our hands, so that their buffer may be used again; false when the client is gone, or was
 * too slow and is gone now.
 */
function write(to: Writable, bytes: Buffer, share: BufferShare): Promise<boolean> {
  return new Promise(resolve => {
    if (to.destroyed || to.writableEnded) return resolve(false)
    const patienceMs = share.patienceMs(bytes.length)
    const giveUp = () => {
      share.tooSlow()
      to.destroy()
    }
    const timer = patienceMs === undefined ? undefined : setTimeout(giveUp, patienceMs)
    const end = (isSent: boolean) => {
      clearTimeout(timer)
      to.removeListener('close', gone)
      resolve(isSent)
    }
    const gone = () => end(false)
    to.once('close', gone)
    to.write(bytes, error => end(!error))
  })
}

/** A piece at first, and of a client that takes it slowly. */
const SMALL_BYTES = 64 << 10
/** A piece of a fast client: fewer turns of the loop for as many bytes. */
const LARGE_BYTES = 1 << 20
const FAST_MS = 100
const SLOW_MS = 1000

const MISSING: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EISDIR'])

/** The types that Go knows by the ending of a name, besides those that a host adds, and those of boot files. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['.ai', 'application/postscript'],
  ['.apk', 'application/vnd.android.package-archive'],
  ['.apng', 'image/apng'],
  ['.avif', 'image/avif'],
  ['.bin', 'application/octet-stream'],
  ['.bmp', 'image/bmp'],
  ['.com', 'application/octet-stream'],
  ['.css', 'text/css; charset=utf-8'],
  ['.csv', 'text/csv; charset=utf-8'],
  ['.doc', 'application/msword'],
  ['.docx', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
  ['.ehtml', 'text/html; charset=utf-8'],
  ['.eml', 'message/rfc822'],
  ['.eps', 'application/postscript'],
  ['.exe', 'application/octet-stream'],
  ['.flac', 'audio/flac'],
  ['.gif', 'image/gif'],
  ['.gz', 'application/gzip'],
  ['.htm', 'text/html; charset=utf-8'],
  ['.html', 'text/html; charset=utf-8'],
  ['.ico', 'image/vnd.microsoft.icon'],
  ['.ics', 'text/calendar; charset=utf-8'],
  ['.ign', 'application/vnd.coreos.ignition+json'],
  ['.ipxe', 'text/plain; charset=utf-8'],
  ['.jfif', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.jpg', 'image/jpeg'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.json', 'application/json'],
  ['.m4a', 'audio/mp4'],
  ['.mjs', 'text/javascript; charset=utf-8'],
  ['.mp3', 'audio/mpeg'],
  ['.mp4', 'video/mp4'],
  ['.oga', 'audio/ogg'],
  ['.ogg', 'audio/ogg'],
  ['.ogv', 'video/ogg'],
  ['.opus', 'audio/ogg'],
  ['.pdf', 'application/pdf'],
  ['.pjp', 'image/jpeg'],
  ['.pjpeg', 'image/jpeg'],
  ['.png', 'image/png'],
  ['.ppt', 'application/vnd.ms-powerpoint'],
  ['.pptx', 'application/vnd.openxmlformats-officedocument.presentationml.presentation'],
  ['.ps', 'application/postscript'],
  ['.rdf', 'application/rdf+xml'],
  ['.rtf', 'application/rtf'],
  ['.shtml', 'text/html; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
  ['.text', 'text/plain; charset=utf-8'],
  ['.tif', 'image/tiff'],
  ['.tiff', 'image/tiff'],
  ['.txt', 'text/plain; charset=utf-8'],
  ['.vtt', 'text/vtt; charset=utf-8'],
  ['.wasm', 'application/wasm'],
  ['.wav', 'audio/wav'],
  ['.webm', 'audio/webm'],
  ['.webp', 'image/webp'],
  ['.xbl', 'text/xml; charset=utf-8'],
  ['.xbm', 'image/x-xbitmap'],
  ['.xht', 'application/xhtml+xml'],
  ['.xhtml', 'application/xhtml+xml'],
  ['.xls', 'application/vnd.ms-excel'],
  ['.xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
  ['.xml', 'text/xml; charset=utf-8'],
  ['.xsl', 'text/xml; charset=utf-8'],
  ['.zip', 'application/zip'],
])
