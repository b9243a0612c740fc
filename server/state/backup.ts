// A backup of a state directory in one encrypted file, made while the server runs, and the way back. The file is an archive
// (tar) within age's format, so that `age --decrypt FILE | tar --list` reads it without us.

import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { pathWord } from '#host/shell.ts'
import { systemFault } from '#host/system-fault.ts'
import { takeLock } from '#host/lock.ts'
import { makeDirectory } from '#host/make-directory.ts'
import { replaceFile, syncDirectory } from '#host/replace-file.ts'
import { openDatabase } from '#host/sqlite.ts'
import { MalformedTar, readTarHeader, tarEnd, tarHeader, tarPadding } from '#host/tar.ts'
import { NewerStore } from '../errors.ts'
import { BadBackup, NothingToBackUp, StateInUse, StateNotEmpty } from './errors.ts'
import { checkPages, knownSchema } from '../store/sqlite/database.ts'
import { isUnfinished, UNFINISHED } from './lock.ts'
import { diskErrorOf } from '../process/write-failure.ts'

/** What a backup is encrypted with: a passphrase, or age recipients (`age1…`). */
export type BackupSeal = { readonly passphrase: string } | { readonly recipients: readonly string[] }
/** What opens one: the passphrase, or age identities (`AGE-SECRET-KEY-1…`). */
export type BackupKey = { readonly passphrase: string } | { readonly identities: readonly string[] }

/** What a backup holds. */
export type BackupContents = {
  /** ISO 8601. */
  readonly made: string
  /** Of the Pilotlight that made it. */
  readonly version: string
  readonly files: readonly { readonly name: string; readonly bytes: number }[]
}

const STORE = 'pilotlight.db'
/** The first entry of the archive: `BackupContents`. */
const CONTENTS = 'backup.json'
/** The copy of the store that a backup makes within the state directory, since that is private and on our own disk. */
const COPY = 'backup-copy-'
/** What a backup leaves out: assets can be fetched again; the rest belongs to a running process. */
const LEFT_OUT =
  /^(?:assets|console|lock(?:\..*)?|try-write|.*\.new|backup-copy-.*|pilotlight\.db-(?:wal|shm))$/

/**
 * Writes all that the state directory holds into the new file `target`: the store as of one point in time (objects with their
 * history, leases, boots, keys, sealed authorities), the authority of the server, tokens and keys. The server may run.
 * The file is there whole or not at all, readable to its owner only.
 *
 * @throws {NothingToBackUp} when there is no store; {BadBackup} when `target` is there already, or the seal is none;
 *   {BrokenState} when the store is damaged; {CannotWrite}
 */
export async function makeBackup(
  statePath: string,
  target: string,
  { seal, version, now }: { readonly seal: BackupSeal; readonly version: string; readonly now: number },
): Promise<BackupContents> {
  requireStore(statePath)
  if (existsSync(target)) {
    const remedy = `name another file, or move this one:  mv ${pathWord(target)} ${pathWord(`${target}.old`)}`
    throw new BadBackup(target, 'is there already', { remedy })
  }
  const encrypter = await encrypterOf(seal, target)
  for (const name of readdirSync(statePath)) {
    if (name.startsWith(COPY)) rmSync(join(statePath, name), { force: true }) // of a backup that was killed
  }
  const copy = join(statePath, `${COPY}${randomBytes(4).toString('hex')}`)
  const next = `${target}.new`
  try {
    copyStore(join(statePath, STORE), copy)
    // After the store: a key is there before anything is sealed with it.
    const others = filesBelow(statePath).map(name => ({ name, content: readFileSync(join(statePath, name)) }))
    const contents: BackupContents = {
      made: new Date(now).toISOString(),
      version,
      files: [
        { name: STORE, bytes: statSync(copy).size },
        ...others.map(({ name, content }) => ({ name, bytes: content.length })),
      ],
    }
    const plain = archiveOf(contents, copy, others, Math.floor(now / 1000))
    await writeStream(next, await encrypter.encrypt(ReadableStream.from(plain)))
    // Not by replaceFile, which takes a content: a backup is a stream, as large as the store.
    renameSync(next, target)
    syncDirectory(dirname(target))
    return contents
  } catch (error) {
    throw diskErrorOf(error, target) ?? error
  } finally {
    rmSync(copy, { force: true })
    rmSync(next, { force: true })
  }
}

/** A directory that this user may not look into is not one without a store. */
function requireStore(statePath: string): void {
  try {
    statSync(join(statePath, STORE))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException // of node:fs
    throw code === 'ENOENT' || code === 'ENOTDIR' ? new NothingToBackUp(statePath) : error
  }
}

/**
 * Brings a backup into a state directory that is empty or not there. No server may run in it, and none starts in it before
 * the restore is over: one that was cut off is begun again by the same command.
 *
 * @throws {StateInUse} {StateNotEmpty}; {BadBackup} when the file is not a backup, or the key does not open it;
 *   {NewerStore}; {BrokenState} when the store in it is damaged; {CannotWrite}
 */
export async function restoreBackup(
  file: string,
  statePath: string,
  key: BackupKey,
): Promise<BackupContents> {
  const plain = await decrypted(file, key) // before anything is touched
  makeDirectory(statePath, { mode: 0o700 })
  const owner = statSync(statePath)
  const unlock = takeLock(join(statePath, 'lock'), holder => new StateInUse(statePath, holder))
  try {
    emptyUnfinished(statePath)
    const there = readdirSync(statePath).filter(name => name !== 'assets' && !name.startsWith('lock'))
    if (there.length > 0) throw new StateNotEmpty(statePath, there)
    replaceFile(join(statePath, UNFINISHED), `${file}\n`)
    try {
      const contents = await unpack(plain, statePath, file)
      checkStore(join(statePath, STORE))
      endTokens(join(statePath, STORE))
      // A restore by root gives the files to the owner of the directory, which is the server's user.
      if (process.getuid?.() === 0) {
        for (const { name } of contents.files) chownSync(join(statePath, name), owner.uid, owner.gid)
      }
      syncDirectory(statePath)
      rmSync(join(statePath, UNFINISHED))
      syncDirectory(statePath)
      return contents
    } catch (error) {
      emptyUnfinished(statePath)
      if (error instanceof MalformedTar)
        throw new BadBackup(file, `is not a backup: ${error.message}`, { cause: error })
      throw diskErrorOf(error, statePath) ?? error
    }
  } finally {
    unlock()
  }
}

/** Copies the store as of one point in time, whatever is written meanwhile. What was erased from it is not in the copy. */
function copyStore(path: string, copy: string): void {
  writeFileSync(copy, '', { mode: 0o600, flag: 'wx' })
  const sqlite = openDatabase(path, 10_000, { readonly: true })
  try {
    checkPages(sqlite, path)
    sqlite.prepare('VACUUM INTO ?').run(copy)
  } finally {
    sqlite.close()
  }
  const file = openSync(copy, 'r+')
  fsyncSync(file)
  closeSync(file)
}

function checkStore(path: string): void {
  const sqlite = openDatabase(path, 5000, { readonly: true })
  try {
    checkPages(sqlite, path)
    const schema = sqlite.pragma('user_version', { simple: true }) as number // SQLite's own, an integer
    if (schema > knownSchema()) throw new NewerStore(path, schema, knownSchema())
  } finally {
    sqlite.close()
  }
}

/**
 * Ends the tokens that no bundle was given for yet: whether one was given since the backup, the store does not say. A machine that
 * boots fetches its config again; one that runs keeps the token of its boot, with which it renews its certificates.
 */
function endTokens(path: string): void {
  const sqlite = openDatabase(path, 5000)
  try {
    const knowsBoots =
      sqlite.prepare("SELECT 1 FROM sqlite_master WHERE name = 'machine_boots'").all().length > 0
    const given = knowsBoots ? 'SELECT token FROM machine_boots WHERE token IS NOT NULL' : "''"
    sqlite.exec(`DELETE FROM tokens WHERE hash NOT IN (${given})`)
    sqlite.pragma('wal_checkpoint(TRUNCATE)')
  } finally {
    sqlite.close()
  }
}

/** The names of the files to keep, `/` between folders, without the store. */
function filesBelow(statePath: string): string[] {
  const found: string[] = []
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(statePath, folder), { withFileTypes: true })) {
      if (LEFT_OUT.test(entry.name)) continue
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) walk(name)
      else if (entry.isFile() && name !== STORE) found.push(name)
    }
  }
  walk('')
  return found.toSorted()
}

async function* archiveOf(
  contents: BackupContents,
  copy: string,
  others: readonly { readonly name: string; readonly content: Uint8Array }[],
  modifiedSeconds: number,
): AsyncGenerator<Uint8Array> {
  const small = (path: string, content: Uint8Array) => [
    tarHeader({ path, mode: 0o600, size: content.length, modifiedSeconds }),
    content,
    tarPadding(content.length),
  ]
  yield* small(CONTENTS, Buffer.from(`${JSON.stringify(contents, undefined, 2)}\n`))
  const { size } = statSync(copy)
  yield tarHeader({ path: STORE, mode: 0o600, size, modifiedSeconds })
  for await (const piece of createReadStream(copy)) yield piece as Uint8Array // without an encoding it gives bytes
  yield tarPadding(size)
  for (const { name, content } of others) yield* small(name, content)
  yield tarEnd
}

/** Writes the entries of an archive into the directory, readable to their owner only. */
async function unpack(plain: Bytes, statePath: string, file: string): Promise<BackupContents> {
  let contents: BackupContents | undefined
  const wanted = new Map<string, number>()
  for (;;) {
    const entry = readTarHeader(await plain.take(512))
    if (entry === undefined) break
    const { path, size } = entry
    if (contents === undefined) {
      if (path !== CONTENTS || size > 1 << 20) throw new MalformedTar('It does not begin with its contents.')
      contents = JSON.parse(new TextDecoder().decode(await plain.take(size))) as BackupContents // by makeBackup
      for (const { name, bytes } of contents.files) wanted.set(name, bytes)
    } else {
      const isName =
        path.split('/').every(part => part !== '' && part !== '.' && part !== '..') && !LEFT_OUT.test(path)
      if (!isName || wanted.get(path) !== size)
        throw new MalformedTar(`It has a file "${path}" beyond its contents.`)
      wanted.delete(path)
      const target = join(statePath, path)
      makeDirectory(dirname(target), { mode: 0o700 })
      await plain.copy(size, target)
      chmodSync(target, path.endsWith('.crt') ? 0o644 : 0o600)
    }
    await plain.take(tarPadding(size).length)
  }
  if (contents === undefined || wanted.size > 0) throw new BadBackup(file, 'does not hold all that it lists')
  return contents
}

/** Removes what a restore that did not end has left; a directory without its mark is not touched. */
function emptyUnfinished(statePath: string): void {
  if (!isUnfinished(statePath)) return
  for (const name of readdirSync(statePath)) {
    if (name === UNFINISHED || name === 'assets' || name.startsWith('lock')) continue
    rmSync(join(statePath, name), { recursive: true, force: true })
  }
  rmSync(join(statePath, UNFINISHED), { force: true })
}

async function encrypterOf(seal: BackupSeal, target: string) {
  const { Encrypter } = await import('age-encryption')
  const encrypter = new Encrypter()
  if ('passphrase' in seal) {
    if (seal.passphrase.length < SHORTEST) {
      throw new BadBackup(target, `cannot be sealed with a passphrase of fewer than ${SHORTEST} characters`, {
        remedy: 'make a longer one:  openssl rand -base64 24',
      })
    }
    encrypter.setPassphrase(seal.passphrase)
    return encrypter
  }
  for (const recipient of seal.recipients) {
    try {
      encrypter.addRecipient(recipient)
    } catch (cause) {
      const what = `cannot be sealed to "${recipient.slice(0, 80)}", which is not an age recipient (age1…)`
      throw new BadBackup(target, what, {
        cause,
        remedy: 'age-keygen   prints one, and the identity that opens it',
      })
    }
  }
  return encrypter
}

/** Characters of a passphrase: anyone who has the file can try without end. */
const SHORTEST = 12

async function decrypted(file: string, key: BackupKey): Promise<Bytes> {
  const { Decrypter } = await import('age-encryption')
  const decrypter = new Decrypter()
  try {
    if ('passphrase' in key) decrypter.addPassphrase(key.passphrase)
    else for (const identity of key.identities) decrypter.addIdentity(identity)
    const sealed = ReadableStream.from(createReadStream(file) as AsyncIterable<Uint8Array>) // without an encoding it gives bytes
    return new Bytes(await decrypter.decrypt(sealed), file)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== undefined) {
      const { why, fix } = systemFault(cause as Error, file)
      throw new BadBackup(file, `cannot be read: ${why}`, { cause, remedy: fix })
    }
    throw new BadBackup(file, 'cannot be opened with this key, or is not a backup', { cause })
  }
}

/** A stream of bytes that is read in portions. */
class Bytes {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #file: string
  #rest = new Uint8Array()

  constructor(stream: ReadableStream<Uint8Array>, file: string) {
    this.#reader = stream.getReader()
    this.#file = file
  }

  /** So many bytes, which are few. */
  async take(size: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    await this.#each(size, part => parts.push(part))
    return Buffer.concat(parts)
  }

  /** Writes so many bytes to a new file; they are on disk when it resolves. */
  async copy(size: number, path: string): Promise<void> {
    const file = openSync(path, 'wx', 0o600)
    try {
      await this.#each(size, part => writeAll(file, part))
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  }

  async #each(size: number, use: (part: Uint8Array) => void): Promise<void> {
    for (let left = size; left > 0;) {
      if (this.#rest.length === 0) this.#rest = await this.#next()
      const part = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(part.length)
      left -= part.length
      use(part)
    }
  }

  async #next(): Promise<Uint8Array<ArrayBuffer>> {
    let read: { readonly done: boolean; readonly value?: Uint8Array | undefined }
    try {
      read = await this.#reader.read()
    } catch (cause) {
      throw new BadBackup(this.#file, 'was cut or changed', { cause }) // age checks every piece
    }
    if (read.value === undefined) throw new BadBackup(this.#file, 'ends too early')
    return read.value as Uint8Array<ArrayBuffer> // made by the decrypter, never shared
  }
}

async function writeStream(path: string, stream: ReadableStream<Uint8Array>): Promise<void> {
  const file = openSync(path, 'w', 0o600)
  try {
    for await (const part of stream) writeAll(file, part)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function writeAll(file: number, part: Uint8Array): void {
  for (let at = 0; at < part.length;) at += writeSync(file, part, at)
}
