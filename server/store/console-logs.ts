// The console logs of machines, as files below the state directory: those of each start of a kernel apart, the beginning and
// the end of each.
//
// console/MACHINE/BEGAN-BOOT-KERNEL/NUMBER.log: when its first part arrived (milliseconds since 1970), the boot in the journal, the
// kernel's own id of its start (/proc/sys/kernel/random/boot_id), and the place of a piece of 64 KiB in the whole. So a name
// says all that is known of it, and nothing is kept beside it. One that is not known to be the machine's has `-any` at the end.

import { appendFile, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { keepLast } from '../limits/bounded.ts'

/** Bytes of a piece; of each start the first pieces are kept, and the last. */
const PIECE_BYTES = 64 << 10
const FIRST_PIECES = 4
const LAST_PIECES = 4
/** How many starts of a machine are kept. */
const STARTS = 8
/** How many of those that anyone may have sent are kept where the machine's own need the room: they displace none of those. */
const STARTS_OF_ANYONE = 2
/** How many starts of all machines are kept; at most 512 KiB each. */
const ALL_STARTS = 4000
/** How many starts are followed in memory. */
const REMEMBERED = 10_000

const FOLDER = /^(\d{1,15})-(b-[0-9a-f]+|none)-([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(-any)?$/
/** The end of the name of a start that anyone may have sent. */
const OF_ANYONE = '-any'
const PIECE = /^(\d{6,12})\.log$/

/** One start of a machine's kernel. */
export type ConsoleStart = {
  /** Of the kernel: a UUID. */
  readonly kernel: string
  /** The boot in the machine's journal, where one was known. */
  readonly boot?: string
  /** Milliseconds since 1970. */
  readonly began: number
  /** Bytes that were sent, those that are no longer kept included. */
  readonly bytes: number
}

/** What is kept of one start, from a place on. */
export type ConsoleText = {
  readonly text: string
  /** The place after it, to go on from. */
  readonly next: number
  /** Bytes before `text` that are no longer kept. */
  readonly leftOut: number
}

/** What is sent of a start. `isOwn`: by the machine, as its token shows; else anyone may have sent it in its name. */
type Sent = {
  readonly kernel: string
  readonly boot: string | undefined
  readonly part: number
  readonly isOwn: boolean
}

type Followed = { folder: string; bytes: number; part: number }

/** The logs of all machines. */
export class ConsoleLogs {
  readonly #root: string
  readonly #now: () => number
  readonly #followed = new Map<string, Followed>()
  /** What is written of a machine, one after the other. */
  readonly #writing = new Map<string, Promise<unknown>>()
  readonly #wakers = new Map<string, Set<() => void>>()
  #starts: number | undefined

  /**
   * @param root the folder of the logs; made when the first one comes
   * @param now milliseconds since 1970
   */
  constructor(root: string, now: () => number) {
    this.#root = root
    this.#now = now
  }

  /**
   * Adds a part to a start. Parts are numbered by their sender from 1 on: one that was added before is not added again. Says
   * whether it is the first part of this start.
   *
   * @param text cleaned: whole lines
   * @throws {Error} what the disk says
   */
  append(machine: string, of: Sent, text: string): Promise<{ readonly isNew: boolean }> {
    const before = this.#writing.get(machine) ?? Promise.resolve()
    const writing = before.catch(() => {}).then(() => this.#append(machine, of, Buffer.from(text)))
    this.#writing.set(machine, writing)
    const done = () => {
      if (this.#writing.get(machine) === writing) this.#writing.delete(machine)
    }
    writing.then(done, done)
    return writing
  }

  async #append(
    machine: string,
    { kernel, boot, part, isOwn }: Sent,
    bytes: Buffer,
  ): Promise<{ readonly isNew: boolean }> {
    const key = `${machine} ${kernel}`
    const found = this.#followed.get(key) ?? (await this.#find(machine, kernel))
    const start = found ?? (await this.#begin(machine, kernel, { boot, isOwn }))
    if (isOwn && start.folder.endsWith(OF_ANYONE)) await this.#own(machine, start)
    this.#remember(key, start)
    if (part <= start.part) return { isNew: false }
    for (let at = 0; at < bytes.length;) {
      const number = Math.floor(start.bytes / PIECE_BYTES)
      const room = PIECE_BYTES - (start.bytes % PIECE_BYTES)
      const piece = bytes.subarray(at, at + room)
      await appendFile(join(start.folder, nameOf(number)), piece, { mode: 0o600 })
      start.bytes += piece.length
      at += piece.length
      const old = number - LAST_PIECES
      if (old >= FIRST_PIECES) await rm(join(start.folder, nameOf(old)), { force: true })
    }
    start.part = part
    for (const wake of this.#wakers.get(machine) ?? []) wake()
    return { isNew: found === undefined }
  }

  /** The starts of a machine, the latest first. */
  async starts(machine: string): Promise<ConsoleStart[]> {
    const folders = await foldersIn(join(this.#root, machine))
    const starts = await Promise.all(
      folders.map(async ({ name, began, boot, kernel }) => {
        const bytes = await bytesIn(join(this.#root, machine, name))
        return { kernel, began, bytes, ...(boot !== undefined && { boot }) }
      }),
    )
    return starts.toSorted((one, other) => other.began - one.began)
  }

  /** What is kept of a start from the byte `after` on; undefined when there is no such start. */
  async read(machine: string, kernel: string, after = 0): Promise<ConsoleText | undefined> {
    await this.#writing.get(machine)?.catch(() => {})
    const folder = (await foldersIn(join(this.#root, machine))).find(one => one.kernel === kernel)
    if (folder === undefined) return undefined
    const path = join(this.#root, machine, folder.name)
    const parts: Buffer[] = []
    let next = after
    let leftOut = 0
    for (const number of await piecesIn(path)) {
      const start = number * PIECE_BYTES
      const piece = await readFile(join(path, nameOf(number))).catch(() => Buffer.alloc(0)) // it was just dropped
      if (start + piece.length <= next) continue
      if (start > next) {
        leftOut += start - next
        parts.push(Buffer.from(`\n… ${start - next} bytes are no longer kept …\n`))
        next = start
      }
      parts.push(piece.subarray(next - start))
      next = start + piece.length
    }
    // A character of several bytes may be cut between two pieces, never between what is read together.
    return { text: Buffer.concat(parts).toString('utf8'), next, leftOut }
  }

  /** Waits until something of a machine is added; at most so long, or until `signal` is aborted. */
  wait(machine: string, milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const wakers = this.#wakers.get(machine) ?? new Set()
      this.#wakers.set(machine, wakers)
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        wakers.delete(done)
        if (wakers.size === 0) this.#wakers.delete(machine)
        resolve()
      }
      const timer = setTimeout(done, milliseconds)
      wakers.add(done)
      if (signal.aborted) done()
      else signal.addEventListener('abort', done)
    })
  }

  /** A start of an earlier run of the server. */
  async #find(machine: string, kernel: string): Promise<Followed | undefined> {
    const found = (await foldersIn(join(this.#root, machine))).find(one => one.kernel === kernel)
    if (found === undefined) return undefined
    const folder = join(this.#root, machine, found.name)
    return { folder, bytes: await bytesIn(folder), part: 0 }
  }

  async #begin(
    machine: string,
    kernel: string,
    { boot, isOwn }: Pick<Sent, 'boot' | 'isOwn'>,
  ): Promise<Followed> {
    await this.#makeRoom(machine, isOwn)
    const name = `${this.#now()}-${boot ?? 'none'}-${kernel}${isOwn ? '' : OF_ANYONE}`
    const folder = join(this.#root, machine, name)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    this.#starts = (this.#starts ?? 0) + 1
    return { folder, bytes: 0, part: 0 }
  }

  /** A start turns out to be the machine's: it had its bundle meanwhile. */
  async #own(machine: string, start: Followed): Promise<void> {
    await this.#makeRoom(machine, true)
    const folder = start.folder.slice(0, -OF_ANYONE.length)
    await rename(start.folder, folder)
    start.folder = folder
  }

  /** Removes the oldest start of a machine when it has many, and that of all machines when they have. */
  async #makeRoom(machine: string, isOwn: boolean): Promise<void> {
    const all = await foldersIn(join(this.#root, machine))
    const own = all.filter(one => one.isOwn)
    const others = all.filter(one => !one.isOwn)
    const room = isOwn ? STARTS - 1 : Math.max(STARTS_OF_ANYONE, STARTS - own.length) - 1
    const kept = isOwn ? own : others
    for (const { name } of kept.slice(0, Math.max(0, kept.length - room))) await this.#drop(machine, name)
    this.#starts ??= (await this.#all()).length
    if (this.#starts < ALL_STARTS) return
    const everywhere = (await this.#all()).toSorted((one, other) => one.began - other.began)
    // Some more than one, since each look at all of them costs.
    for (const { machine: whose, name } of everywhere.slice(
      0,
      everywhere.length - ALL_STARTS + ALL_STARTS / 100,
    ))
      await this.#drop(whose, name)
    this.#starts = (await this.#all()).length
  }

  async #drop(machine: string, name: string): Promise<void> {
    const [, , , kernel = ''] = FOLDER.exec(name) ?? []
    this.#followed.delete(`${machine} ${kernel}`)
    await rm(join(this.#root, machine, name), { recursive: true, force: true })
    if (this.#starts !== undefined) this.#starts -= 1
  }

  async #all(): Promise<{ readonly machine: string; readonly name: string; readonly began: number }[]> {
    const machines = await namesIn(this.#root)
    const folders = await Promise.all(
      machines.map(async machine =>
        (await foldersIn(join(this.#root, machine))).map(({ name, began }) => ({ machine, name, began })),
      ),
    )
    return folders.flat()
  }

  #remember(key: string, start: Followed): void {
    this.#followed.delete(key)
    this.#followed.set(key, start)
    keepLast(this.#followed, REMEMBERED)
  }
}

function nameOf(number: number): string {
  return `${String(number).padStart(6, '0')}.log`
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  })
}

type Folder = {
  readonly name: string
  readonly began: number
  readonly boot?: string
  readonly kernel: string
  readonly isOwn: boolean
}

/** The folders of a machine's starts, the oldest first. */
async function foldersIn(folder: string): Promise<Folder[]> {
  const found = (await namesIn(folder)).flatMap(name => {
    const [, began, boot, kernel, anyone] = FOLDER.exec(name) ?? []
    if (kernel === undefined) return []
    const of = boot !== undefined && boot !== 'none' ? { boot } : {}
    return [{ name, began: Number(began), kernel, isOwn: anyone === undefined, ...of }]
  })
  return found.toSorted((one, other) => one.began - other.began)
}

/** The numbers of the pieces that are kept, in their order. */
async function piecesIn(folder: string): Promise<number[]> {
  const numbers = (await namesIn(folder)).flatMap(name => {
    const [, number] = PIECE.exec(name) ?? []
    return number === undefined ? [] : [Number(number)]
  })
  return numbers.toSorted((one, other) => one - other)
}

/** Bytes that a start has had: the last piece has its place in its name. */
async function bytesIn(folder: string): Promise<number> {
  const last = (await piecesIn(folder)).at(-1)
  if (last === undefined) return 0
  return last * PIECE_BYTES + (await stat(join(folder, nameOf(last)))).size
}
