// What one rendering may cost. Templates are written by others: none of them may hold up the event loop or fill the memory.

/** Values, calls and turns of loops of one rendering: about 20 ms. */
const MOST_STEPS = 200_000
/** Characters that one rendering may write or put together; what it uses of templates counts, too (`costOf`). */
const MOST_CHARACTERS = 8 << 20
/** Templates and macros inside of each other. */
const MOST_LEVELS = 64

/** A rendering exceeded its budget. */
export class OverBudget extends Error {
  readonly code = 'OVER_BUDGET'
}

/** The steps, characters and levels of one rendering, counted up to their limits. */
export class Budget {
  #steps = 0
  #characters = 0
  #levels = 0

  /**
   * Counts `count` steps, before they are made.
   *
   * @throws {OverBudget} also where `count` is below zero or not a number: no count gives anything back
   */
  step(count = 1): void {
    refuseNegative(count, 'steps')
    this.#steps += count
    if (!(this.#steps <= MOST_STEPS)) throw new OverBudget(`it takes more than ${MOST_STEPS} steps`)
  }

  /**
   * Counts `count` characters, before they are made.
   *
   * @throws {OverBudget} as `step`
   */
  write(count: number): void {
    refuseNegative(count, 'characters')
    this.#characters += count
    if (!(this.#characters <= MOST_CHARACTERS))
      throw new OverBudget(`it makes more than ${MOST_CHARACTERS >> 20} million characters`)
  }

  /**
   * Goes a level deeper; `leave` is to be called in any case.
   *
   * @throws {OverBudget}
   */
  enter(): void {
    this.#levels += 1
    if (this.#levels > MOST_LEVELS)
      throw new OverBudget(`more than ${MOST_LEVELS} templates or macros are inside of each other`)
  }

  /** Ends the level that `enter` began. */
  leave(): void {
    this.#levels -= 1
  }
}

function refuseNegative(count: number, unit: string): void {
  if (!(count >= 0)) throw new OverBudget(`${count} ${unit} cannot be counted`)
}
