// How long a request may take: a time, and a signal of the caller.

/** Ends what takes longer than `seconds`, or what `outer` ends before. Its maker calls `end`, or the timer keeps the process alive until it is over. */
export class Deadline {
  readonly seconds: number
  readonly signal: AbortSignal
  /** Called when the time is over, before `signal` is aborted. */
  onOver: (() => void) | undefined
  readonly #outer: AbortSignal | undefined
  readonly #over = new AbortController()
  readonly #timer: NodeJS.Timeout

  constructor(seconds: number, outer?: AbortSignal) {
    this.seconds = seconds
    this.#outer = outer
    this.signal = outer === undefined ? this.#over.signal : AbortSignal.any([outer, this.#over.signal])
    this.#timer = setTimeout(() => {
      this.onOver?.()
      this.#over.abort()
    }, seconds * 1000)
  }

  get isOver(): boolean {
    return this.#over.signal.aborted
  }

  /** Gives the whole time once more. */
  restart(): void {
    this.#timer.refresh()
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  /** @throws the reason of `outer`, when that is what ended it */
  throwIfAborted(): void {
    this.#outer?.throwIfAborted()
  }
}
