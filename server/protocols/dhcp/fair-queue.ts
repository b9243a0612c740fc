// Packets that wait, those of senders that sent least before those of the others. Pure.

type Level<T> = { readonly items: T[]; taken: number }

/** A queue for each level, of which the lowest goes first; of one level the oldest. */
export class FairQueue<T> {
  readonly #levels: readonly Level<T>[]
  readonly #most: number
  #size = 0

  /**
   * @param levels how many levels there are
   * @param most how many items wait at once, of all levels
   */
  constructor(levels: number, most: number) {
    this.#levels = Array.from({ length: levels }, () => ({ items: [], taken: 0 }))
    this.#most = most
  }

  /** How many wait. */
  get size(): number {
    return this.#size
  }

  /** Adds `item` to a level from 0 on (the last one where it is higher); gives the item that had to make room for it. */
  push(level: number, item: T): T | undefined {
    this.#levels[Math.min(level, this.#levels.length - 1)]!.items.push(item) // there is one level at least
    this.#size += 1
    if (this.#size <= this.#most) return undefined
    return this.#takeOf(this.#levels.findLast(isFilled))
  }

  /** Removes the item that goes next; undefined when none waits. */
  take(): T | undefined {
    return this.#takeOf(this.#levels.find(isFilled))
  }

  #takeOf(level: Level<T> | undefined): T | undefined {
    if (level === undefined) return undefined
    const item = level.items[level.taken]
    level.taken += 1
    this.#size -= 1
    // The items of a long queue are not moved each time.
    if (level.taken === level.items.length || level.taken > this.#most) {
      level.items.splice(0, level.taken)
      level.taken = 0
    }
    return item
  }
}

function isFilled(level: Level<unknown>): boolean {
  return level.taken < level.items.length
}
