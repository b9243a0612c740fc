// One thing that a verification looks at, with its time: how long its service was waited for, and how long the thing itself
// took. The first check that fails ends the waits of all others.

import { silentStage, type Stage } from '#progress/stage.ts'
import { messageOf, waitUntil, type Seen } from '#progress/wait.ts'
import type { ServiceType } from '../catalog.ts'

/** Between two looks at the same thing: each costs a busy cloud some of what it works with. */
const ASK_EVERY_MS = 500

/** The result of a check. */
export type CheckResult = {
  readonly name: string
  /** `skipped` says in its note why it cannot be made here; `stopped`: another check failed meanwhile. */
  readonly state: 'passed' | 'skipped' | 'failed' | 'stopped'
  /** Seconds until the services that it needs answered; next to nothing in a cloud that is up. */
  readonly waited: number
  /** Seconds that the thing itself took. */
  readonly seconds: number
  /** What was seen. */
  readonly note: string
}

/** What a running check may do. */
export interface Check {
  /** Asks a service until it answers as wanted; this is the time that counts as waiting. */
  service<T>(type: ServiceType, probe: () => Promise<Seen<T>>, everyMs?: number): Promise<T>
  /** Waits until `probe` sees something, at most so many seconds. */
  until<T>(what: string, limitSeconds: number, probe: () => Promise<Seen<T>>): Promise<T>
  /** Keeps what was seen. */
  note(text: string): void
  /** Makes this a check that cannot be made here, and says why. */
  skip(reason: string): void
}

/** The checks of one run. */
export class Checks {
  /** In the order in which they ended. */
  readonly results: CheckResult[] = []
  /** The services that have answered. */
  readonly reached = new Set<ServiceType>()
  readonly #stage: Stage
  readonly #serviceSeconds: number
  readonly #failure = new AbortController()
  readonly #signal: AbortSignal

  /** A service is waited for at most `serviceSeconds`. */
  constructor(stage: Stage, serviceSeconds: number, signal?: AbortSignal) {
    this.#stage = stage
    this.#serviceSeconds = serviceSeconds
    this.#signal = AbortSignal.any([this.#failure.signal, ...(signal ? [signal] : [])])
  }

  /** Makes one check. @throws what `work` throws, once it is among the results */
  run<T>(name: string, work: (check: Check) => Promise<T>): Promise<T> {
    return this.#run(name, work, this.#signal)
  }

  /** Makes a check which neither a failure nor an interruption stops: for putting things away. */
  last<T>(name: string, work: (check: Check) => Promise<T>): Promise<T> {
    return this.#run(name, work, new AbortController().signal)
  }

  async #run<T>(name: string, work: (check: Check) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    const stage = this.#stage.child(name)
    const began = performance.now()
    let waitedMs = 0
    let note = ''
    let skipped = false
    const until = <S>(
      what: string,
      limitSeconds: number,
      probe: () => Promise<Seen<S>>,
      everyMs = ASK_EVERY_MS,
    ) => {
      const reporting = { ...silentStage, waiting: (text: string) => stage.waiting(text, limitSeconds) }
      return waitUntil(what, { limitSeconds, everyMs, stage: reporting, signal }, probe)
    }
    const check: Check = {
      until,
      service: async (type, probe, everyMs) => {
        const asked = performance.now()
        const seen = await until(`the ${type} service answers`, this.#serviceSeconds, probe, everyMs)
        waitedMs += performance.now() - asked
        this.reached.add(type)
        return seen
      },
      note: text => {
        note = text
      },
      skip: reason => {
        note = reason
        skipped = true
      },
    }
    const keep = (state: CheckResult['state']) => {
      const seconds = (performance.now() - began - waitedMs) / 1000
      this.results.push({ name, state, waited: waitedMs / 1000, seconds, note })
    }
    try {
      const value = await work(check)
      keep(skipped ? 'skipped' : 'passed')
      if (skipped) stage.skipped(note)
      else stage.done(note)
      return value
    } catch (error) {
      const stopped = signal.aborted && error === signal.reason
      note = messageOf(error)
      keep(stopped ? 'stopped' : 'failed')
      stage.failed(error)
      this.#failure.abort(error)
      throw error
    }
  }
}
