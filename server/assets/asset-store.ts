// The assets on disk, by content: each file's bytes are kept once, in .pilotlight/sha256/ab/DIGEST, and its names are hard
// links to them. So other tools see plain files, whose links count who needs the bytes; a name is there as a whole or not
// at all, whenever the process is killed.

import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, type Stats } from 'node:fs'
import {
  chmod,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  unlink,
  utimes,
} from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { sha256OfFile } from '#host/digest.ts'
import { isAlive, markProcess } from '#host/process.ts'
import { DAY_MS } from '#model/time.ts'
import { NotStored } from '../store/errors.ts'
import { AssetInTheWay, DigestMismatch, InvalidAssetName, NoSpace } from './errors.ts'
import { checkAssetName, isPublic, STORE_FOLDER } from './names.ts'

/** A file below the assets directory. */
export type Asset = {
  readonly name: string
  readonly size: number
  /** Milliseconds since 1970. */
  readonly modifiedMs: number
  /** Of its bytes, in hexadecimal; undefined for a file that was put there without the store. */
  readonly sha256: string | undefined
}

/** What must hold for an asset to be kept. */
export type Wanted = {
  /** Digests of the bytes, in hexadecimal. */
  readonly sha256?: string | undefined
  readonly sha512?: string | undefined
  /** Throws when what has the name now is not what the caller thinks; checked just before the name changes. */
  readonly expect?: ((now: Asset | undefined) => void) | undefined
}

/** What became of a write. */
export type Added = Asset & { readonly result: 'created' | 'changed' | 'unchanged' }

/** What a look at kept bytes found: `found` is their digest now, which is `sha256` where all is well. */
export type Checked = {
  readonly sha256: string
  readonly found: string
  readonly size: number
  readonly names: readonly string[]
}

/** What `gc` removed. */
export type Collected = {
  readonly blobs: readonly string[]
  readonly bytes: number
  /** Of adds that were killed, and downloads that were not continued. */
  readonly leftovers: number
}

/** Milliseconds after which what another host or a download left behind counts as abandoned. */
const FORGOTTEN_MS = 7 * DAY_MS

/** One assets directory. Several processes may use it at once; `add` of the same name by two of them ends with either. */
export class AssetStore {
  readonly #root: string
  readonly #own: string
  readonly #incoming: string
  /** Where downloads wait to be complete; they are on the same file system, so that they can be taken over. */
  readonly downloads: string
  /** Names change hands one after the other, so that what `expect` saw still holds. */
  #turn: Promise<unknown> = Promise.resolve()
  /** The first add looks for what killed ones left behind. */
  #isSwept = false

  /** @param root the assets directory, which is there */
  constructor(root: string) {
    this.#root = root
    this.#own = join(root, STORE_FOLDER)
    this.#incoming = join(this.#own, 'incoming')
    this.downloads = join(this.#own, 'downloads')
  }

  /**
   * Keeps bytes under a name, in place of what had it. Resolves when they are on disk.
   *
   * @throws {InvalidAssetName} {DigestMismatch} {AssetInTheWay} {NoSpace}, what `expect` throws, or what `bytes` throws
   */
  async add(name: string, bytes: AsyncIterable<Uint8Array>, wanted: Wanted = {}): Promise<Added> {
    return this.#keeping(name, wanted, async incoming => {
      const hashes = hashesFor(wanted)
      const file = await open(incoming, 'wx', 0o644)
      try {
        await file.writeFile(hashed(bytes, hashes))
        await file.sync()
      } finally {
        await file.close()
      }
      return hashes
    })
  }

  /** Keeps the file at `path`, which must be on the same file system and is gone afterwards. Throws as `add` does. */
  async adopt(name: string, path: string, wanted: Wanted = {}): Promise<Added> {
    return this.#keeping(name, wanted, async incoming => {
      await rename(path, incoming)
      const hashes = hashesFor(wanted)
      for await (const piece of createReadStream(incoming)) {
        for (const hash of Object.values(hashes)) hash.update(piece as Buffer) // of a stream without encoding
      }
      await syncPath(incoming)
      return hashes
    })
  }

  /** The asset with this name; undefined when there is none. */
  async get(name: string): Promise<Asset | undefined> {
    const path = await this.#pathOf(name)
    const seen = await fileAt(path, await realpath(this.#root))
    return seen && assetOf(name, seen, await this.#digests())
  }

  /** All files, in the byte order of their names. */
  async list(): Promise<Asset[]> {
    const digests = await this.#digests()
    const assets: Asset[] = []
    for await (const { name, stats } of this.#files()) assets.push(assetOf(name, stats, digests))
    return assets.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
  }

  /** Reads all kept bytes again, and reports for each whether they are still what was kept. */
  async *verify(signal?: AbortSignal): AsyncGenerator<Checked> {
    const names = new Map<string, string[]>()
    for await (const { name, stats } of this.#files()) {
      names.set(inodeOf(stats), [...(names.get(inodeOf(stats)) ?? []), name])
    }
    for await (const { digest, path, stats } of this.#blobs()) {
      signal?.throwIfAborted()
      const found = await digestOf(path)
      if (found === undefined) continue // removed meanwhile
      yield { sha256: digest, found, size: stats.size, names: names.get(inodeOf(stats))?.toSorted() ?? [] }
    }
  }

  /** Removes bytes that have no name (any more), and what killed processes left behind. */
  async gc(): Promise<Collected> {
    let leftovers = await this.#sweep()
    leftovers += await removeOlder(this.downloads, FORGOTTEN_MS)
    const blobs: string[] = []
    let bytes = 0
    for await (const { digest, path, stats } of this.#blobs()) {
      if (stats.nlink > 1) continue
      // Set aside first and checked again: an add in between has either named it, or writes its own bytes.
      const away = join(this.#incoming, `${digest}${UNUSED}`)
      await mkdir(this.#incoming, { recursive: true })
      if (!(await succeeded(rename(path, away), 'ENOENT'))) continue
      if (!(await this.#discard(away, digest))) continue
      blobs.push(digest)
      bytes += stats.size
    }
    return { blobs, bytes, leftovers }
  }

  /**
   * Takes a name away, and folders that are empty then; `gc` removes the bytes.
   *
   * @throws {NotStored} 404, {InvalidAssetName}, or what `expect` throws
   */
  async remove(name: string, expect?: Wanted['expect']): Promise<void> {
    const path = await this.#pathOf(name)
    await this.#inTurn(async () => {
      const now = await this.get(name)
      expect?.(now)
      if (now === undefined) throw new NotStored('asset', name)
      await unlink(path)
      await syncPath(dirname(path))
      const top = await realpath(this.#root)
      for (let folder = dirname(path); folder !== top; folder = dirname(folder)) {
        if (!(await succeeded(rmdir(folder), 'ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR', 'EBUSY'))) break
      }
    })
  }

  /** Has `write` fill an incoming file, checks it, and gives it its name; whatever happens, nothing else is left. */
  async #keeping(
    name: string,
    { sha256, sha512, expect }: Wanted,
    write: (incoming: string) => Promise<Hashes>,
  ): Promise<Added> {
    const path = await this.#pathOf(name)
    if (expect !== undefined) expect(await this.get(name))
    const incoming = this.#newIncoming()
    try {
      if (!this.#isSwept) await this.#sweep()
      this.#isSwept = true
      await mkdir(this.#incoming, { recursive: true })
      const hashes = await write(incoming)
      const found = hashes.sha256.digest('hex')
      checkDigest(name, 'SHA-256', sha256, found)
      if (hashes.sha512 !== undefined) checkDigest(name, 'SHA-512', sha512, hashes.sha512.digest('hex'))
      await chmod(incoming, 0o444) // its names share it: to change one, replace it
      return await this.#inTurn(async () => {
        const before = await this.get(name)
        expect?.(before)
        await this.#share(incoming, found)
        if (before?.sha256 !== found) {
          // Bytes that were kept before are new under this name: clients that compare dates must see that.
          const now = new Date()
          await utimes(incoming, now, now)
        }
        await placeAt(incoming, path)
        const result =
          before === undefined ? 'created' : before.sha256 === found ? 'unchanged' : ('changed' as const)
        const { size, mtimeMs } = await stat(path)
        return { name, size, modifiedMs: mtimeMs, sha256: found, result }
      })
    } catch (error) {
      throw refusalOf(name, error)
    } finally {
      await rm(incoming, { force: true })
    }
  }

  /** Makes `incoming` a link to the kept bytes with its digest: its own, or those that are there already. */
  async #share(incoming: string, digest: string): Promise<void> {
    const blob = join(this.#own, 'sha256', digest.slice(0, 2), digest)
    await mkdir(dirname(blob), { recursive: true })
    while (!(await succeeded(link(incoming, blob), 'EEXIST'))) {
      const kept = await stat(blob).catch(missing)
      const found = await digestOf(blob)
      if (kept === undefined || found === undefined) continue // collected meanwhile
      if (found !== digest) {
        await this.#repair(incoming, blob, inodeOf(kept))
        break
      }
      const twin = this.#newIncoming()
      if (!(await succeeded(link(blob, twin), 'ENOENT'))) continue
      await rename(twin, incoming)
      break
    }
    await syncPath(dirname(blob))
  }

  /** Puts good bytes in place of bad ones, under all of their names. */
  async #repair(good: string, blob: string, badInode: string): Promise<void> {
    const bad = [blob]
    for await (const { name, stats } of this.#files()) {
      if (inodeOf(stats) === badInode) bad.push(join(this.#root, name))
    }
    for (const path of bad) {
      const twin = this.#newIncoming()
      await link(good, twin)
      await rename(twin, path)
    }
  }

  /** Removes bytes that were set aside for collection; false when they were given a name meanwhile: then they stay. */
  async #discard(away: string, digest: string): Promise<boolean> {
    const { nlink } = await stat(away)
    if (nlink > 1) {
      const blob = join(this.#own, 'sha256', digest.slice(0, 2), digest)
      await succeeded(link(away, blob), 'EEXIST')
    }
    await unlink(away)
    return nlink === 1
  }

  /** Removes incoming files whose writers are gone; gives how many. */
  async #sweep(): Promise<number> {
    let count = 0
    for (const entry of await readdir(this.#incoming).catch(() => [])) {
      const path = join(this.#incoming, entry)
      if (entry.endsWith(UNUSED)) await this.#discard(path, entry.slice(0, -UNUSED.length)).catch(missing)
      else if (await isForgotten(path, entry)) await rm(path, { force: true })
      else continue
      count += 1
    }
    return count
  }

  #newIncoming(): string {
    const { pid, startTicks } = OURSELVES
    return join(this.#incoming, `${pid}.${startTicks}.${randomBytes(8).toString('hex')}.${hostname()}`)
  }

  /** Digests of the kept bytes by inode. */
  async #digests(): Promise<ReadonlyMap<string, string>> {
    const digests = new Map<string, string>()
    for await (const { digest, stats } of this.#blobs()) digests.set(inodeOf(stats), digest)
    return digests
  }

  async *#blobs(): AsyncGenerator<{ digest: string; path: string; stats: Stats }> {
    const folder = join(this.#own, 'sha256')
    for (const part of await readdir(folder).catch(none)) {
      for (const digest of await readdir(join(folder, part)).catch(none)) {
        const path = join(folder, part, digest)
        const stats = await stat(path).catch(missing)
        if (stats !== undefined && /^[0-9a-f]{64}$/.test(digest)) yield { digest, path, stats }
      }
    }
  }

  /** All public files with their names; links to files count as files, unless they lead away. */
  async *#files(folder = ''): AsyncGenerator<{ name: string; stats: Stats }> {
    const top = await realpath(this.#root)
    for (const entry of await readdir(join(top, folder), { withFileTypes: true }).catch(none)) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (!isPublic(top, join(top, name))) continue
      if (entry.isDirectory()) yield* this.#files(name)
      else {
        const stats = await fileAt(join(top, name), top)
        if (stats !== undefined) yield { name, stats }
      }
    }
  }

  /**
   * The path of a name. The folders above it may be links, as long as they stay in the assets directory.
   *
   * @throws {InvalidAssetName}
   */
  async #pathOf(name: string): Promise<string> {
    const top = await realpath(this.#root)
    const path = join(top, checkAssetName(name))
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      const real = await realpath(folder).catch(missing)
      if (real === undefined) continue
      if (isPublic(top, real)) return join(real, relative(folder, path))
      throw new InvalidAssetName(name, 'a link in it leads outside of the assets directory')
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => {})
    return done
  }
}

/** The ending of bytes that are about to be collected. */
const UNUSED = '.unused'

const OURSELVES = markProcess(process.pid) ?? { pid: process.pid, startTicks: 0 }

type Hashes = {
  readonly sha256: ReturnType<typeof createHash>
  readonly sha512?: ReturnType<typeof createHash>
}

function hashesFor({ sha512 }: Wanted): Hashes {
  const sha256 = createHash('sha256')
  return sha512 === undefined ? { sha256 } : { sha256, sha512: createHash('sha512') }
}

async function* hashed(bytes: AsyncIterable<Uint8Array>, hashes: Hashes): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    for (const hash of Object.values(hashes)) hash.update(piece)
    yield piece
  }
}

/** The SHA-256 of a file, in hexadecimal; undefined when there is none. */
async function digestOf(path: string): Promise<string | undefined> {
  return sha256OfFile(path).catch(missing)
}

function checkDigest(name: string, algorithm: string, wanted: string | undefined, found: string): void {
  if (wanted !== undefined && wanted.toLowerCase() !== found) {
    throw new DigestMismatch(name, algorithm, wanted, found)
  }
}

/** Gives an incoming file its name, and puts that on disk. */
async function placeAt(incoming: string, path: string): Promise<void> {
  const folder = dirname(path)
  for (let tries = 1; ; tries += 1) {
    const first = await mkdir(folder, { recursive: true })
    if (await succeeded(rename(incoming, path), ...(tries < 5 ? ['ENOENT'] : []))) {
      await syncPath(folder)
      if (first !== undefined) await syncPath(dirname(first))
      return
    } // another process removed the folder with the last name in it
  }
}

/** The state of a plain file, or of what a link leads to inside of `top`. */
async function fileAt(path: string, top: string): Promise<Stats | undefined> {
  const stats = await lstat(path).catch(missing)
  if (stats?.isFile()) return stats
  if (!stats?.isSymbolicLink()) return undefined
  const real = await realpath(path).catch(missing)
  if (real === undefined || !isPublic(top, real)) return undefined
  const target = await stat(real).catch(missing)
  return target?.isFile() ? target : undefined
}

function assetOf(name: string, stats: Stats, digests: ReadonlyMap<string, string>): Asset {
  return { name, size: stats.size, modifiedMs: stats.mtimeMs, sha256: digests.get(inodeOf(stats)) }
}

function inodeOf({ dev, ino }: Stats): string {
  return `${dev}:${ino}`
}

/** Says whether an incoming file has no writer any more. For writers on other hosts only its age shows that. */
async function isForgotten(path: string, name: string): Promise<boolean> {
  const [, pid, startTicks, host] = /^(\d+)\.(\d+)\.[0-9a-f]+\.(.+)$/.exec(name) ?? []
  if (host === hostname()) return !isAlive({ pid: Number(pid), startTicks: Number(startTicks) })
  const stats = await stat(path).catch(missing)
  return stats !== undefined && Date.now() - stats.mtimeMs > FORGOTTEN_MS
}

async function removeOlder(folder: string, ageMs: number): Promise<number> {
  let count = 0
  for (const entry of await readdir(folder).catch(() => [])) {
    const stats = await stat(join(folder, entry)).catch(missing)
    if (stats === undefined || Date.now() - stats.mtimeMs <= ageMs) continue
    await rm(join(folder, entry), { force: true })
    count += 1
  }
  return count
}

/** Puts a file or a folder on disk. */
async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Waits for a call; false when it failed with one of these codes. */
async function succeeded(call: Promise<unknown>, ...codes: readonly string[]): Promise<boolean> {
  try {
    await call
    return true
  } catch (error) {
    if (codes.includes(codeOf(error))) return false
    throw error
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? ''
}

/** Undefined for what is not there; any other error goes on. */
function missing(error: unknown): undefined {
  if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error))) return undefined
  throw error
}

function none(error: unknown): [] {
  missing(error)
  return []
}

/** Why the file system refused a write, as a text; other errors are unchanged. */
function refusalOf(name: string, error: unknown): unknown {
  const code = codeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') return new NoSpace(name, { cause: error })
  const reason = REASONS[code]
  return reason === undefined ? error : new AssetInTheWay(name, reason, { cause: error })
}

const REASONS: Readonly<Record<string, string>> = {
  EISDIR: 'there is a folder of that name',
  ENOTEMPTY: 'there is a folder of that name',
  EEXIST: 'a part of its path is a file, or a broken link',
  ENOTDIR: 'a part of its path is a file',
  ENOENT: 'a part of its path is a link that leads nowhere',
  EXDEV: 'that folder is on another file system than the assets directory',
  EACCES: 'the assets directory may not be written',
  EPERM: 'the file system has no hard links, or they are not allowed',
  EROFS: 'the assets directory is read-only',
}
