// Files of one directory by their URL path, and how they are sent: in pieces, never from outside the directory.

import { open, realpath, type FileHandle } from 'node:fs/promises'
import { extname, join, posix } from 'node:path'
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
    return real !== top && isPublic(top, real) ? await openFile(real) : undefined
  } catch (error) {
    if (MISSING.has((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

async function openFile(real: string): Promise<OpenFile | undefined> {
  const handle = await open(real, 'r')
  const stat = await handle.stat()
  if (!stat.isFile()) {
    await handle.close()
    return undefined
  }
  const known = TYPES.get(extname(real).toLowerCase())
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

const TYPES: ReadonlyMap<string, string> = new Map([
  ['.avif', 'image/avif'],
  ['.css', 'text/css; charset=utf-8'],
  ['.gif', 'image/gif'],
  ['.htm', 'text/html; charset=utf-8'],
  ['.html', 'text/html; charset=utf-8'],
  ['.ign', 'application/vnd.coreos.ignition+json'],
  ['.ipxe', 'text/plain; charset=utf-8'],
  ['.jpeg', 'image/jpeg'],
  ['.jpg', 'image/jpeg'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.json', 'application/json'],
  ['.mjs', 'text/javascript; charset=utf-8'],
  ['.pdf', 'application/pdf'],
  ['.png', 'image/png'],
  ['.svg', 'image/svg+xml'],
  ['.txt', 'text/plain; charset=utf-8'],
  ['.wasm', 'application/wasm'],
  ['.webp', 'image/webp'],
  ['.xml', 'text/xml; charset=utf-8'],
])
