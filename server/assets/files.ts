// Files of one directory by their URL path, and how they are sent: in large pieces, never from outside the directory.

import { open, realpath, type FileHandle } from 'node:fs/promises'
import { extname, join, posix } from 'node:path'
import type { Writable } from 'node:stream'
import { isPublic } from './names.ts'
import { contentTypeOf, SNIFF_BYTES } from './sniff.ts'

/** An open file, and what is told of it; who opens it closes it. */
export type OpenFile = {
  readonly handle: FileHandle
  readonly size: number
  readonly mtimeMs: number
  /** Changes whenever the file does, in quotes. */
  readonly etag: string
  readonly type: string
}

/**
 * Opens the file that `path` (decoded, below the root) means. Undefined when there is none, or it is no plain file, or
 * it lies outside of `root`, or in the store's own folder, once all links are followed.
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
 * Sends `length` bytes of a file from `start` on, and gives how many were sent: fewer when the client went away. While
 * one piece is on its way to the client, the next is read.
 */
export async function sendFile(
  handle: FileHandle,
  { start, length }: { start: number; length: number },
  to: Writable,
): Promise<number> {
  const buffers = [
    Buffer.allocUnsafe(Math.min(PIECE_BYTES, length)),
    Buffer.allocUnsafe(Math.min(PIECE_BYTES, length)),
  ]
  let sent = 0
  let writing: Promise<boolean> = Promise.resolve(true)
  for (let turn = 0, at = 0; at < length; turn ^= 1) {
    const buffer = buffers[turn]! // turn is 0 or 1
    const { bytesRead } = await handle.read(buffer, 0, Math.min(PIECE_BYTES, length - at), start + at)
    if (bytesRead === 0) break // the file became shorter
    if (!(await writing)) return sent
    sent = at
    at += bytesRead
    writing = write(to, buffer.subarray(0, bytesRead))
    if (at >= length && (await writing)) sent = at
  }
  return sent
}

/** Resolves when the bytes have left our hands, so that their buffer may be used again; false when the client is gone. */
function write(to: Writable, bytes: Buffer): Promise<boolean> {
  return new Promise(resolve => {
    if (to.destroyed || to.writableEnded) return resolve(false)
    const gone = () => resolve(false)
    to.once('close', gone)
    to.write(bytes, error => {
      to.removeListener('close', gone)
      resolve(!error)
    })
  })
}

const PIECE_BYTES = 1 << 20

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
