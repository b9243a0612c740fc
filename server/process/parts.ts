// What a process has open: parts are opened one after another, and closed in the reverse order.

import { messageOf } from '#progress/wait.ts'

/** Something that was opened. */
export interface Part {
  close(): void | Promise<void>
}

/** Seconds that a part may take to close, unless it was added with another limit. */
const CLOSE_SECONDS = 10

type Added = { readonly name: string; readonly part: Part; readonly limitSeconds: number }

/**
 * The parts of a process that are open. Each is closed after all that were opened after it, since those may use it; or all at
 * once, where none of them uses another one and each may wait for its clients.
 */
export class Parts implements Part {
  readonly #order: 'in reverse' | 'at once'
  readonly #added: Added[] = []
  #closing: Promise<void> | undefined

  constructor(order: 'in reverse' | 'at once' = 'in reverse') {
    this.#order = order
  }

  /**
   * Keeps a part until it is closed, and returns it. `name` is for the error of one that fails to close. One that has not
   * closed after `limitSeconds` is left, and the next is closed.
   */
  add<P extends Part>(name: string, part: P, limitSeconds = CLOSE_SECONDS): P {
    this.#added.push({ name, part, limitSeconds })
    return part
  }

  /**
   * Closes all parts, also after one that fails or takes too long. Called again, it returns the same promise.
   *
   * @throws {AggregateError} when a part could not be closed, with the reason of each
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#closeAll())
  }

  async #closeAll(): Promise<void> {
    const failures: unknown[] = []
    const closed = (added: Added) => closeInTime(added).catch(error => failures.push(error))
    if (this.#order === 'at once') await Promise.all(this.#added.map(closed))
    else for (const added of this.#added.toReversed()) await closed(added)
    if (failures.length === 0) return
    throw new AggregateError(failures, `Some parts did not close: ${failures.map(messageOf).join('; ')}`)
  }
}

async function closeInTime({ name, part, limitSeconds }: Added): Promise<void> {
  const isLate = Promise.withResolvers<never>()
  const late = new Error(`${name} was still closing after ${limitSeconds} s`)
  const limit = setTimeout(() => isLate.reject(late), limitSeconds * 1000)
  try {
    await Promise.race([part.close(), isLate.promise])
  } catch (error) {
    throw error === late ? error : new Error(`${name}: ${messageOf(error)}`, { cause: error })
  } finally {
    clearTimeout(limit)
  }
}
