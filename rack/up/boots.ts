// Follows the boots of a site's machines, and shows each as a stage that says how far it is.

import { PilotlightError } from '#model/error.ts'
import type { BootEvent } from '#model/boot.ts'
import { cleanText } from '#model/clean.ts'
import { endOf, phaseAfter, stepOf, type Phase } from '#model/phase.ts'
import type { Stage } from '#progress/stage.ts'
import { WaitedTooLong } from '#progress/wait.ts'
import type { ServerClient } from '#client/server.ts'

/** A machine reported that it failed, with its own message. */
export class MachineFailed extends PilotlightError {
  readonly code = 'MACHINE_FAILED'
  constructor(machine: string, event: BootEvent) {
    super(`${machine} failed: ${cleanText(event.text)}`, { remedy: bootOf(machine) })
  }
}

/** How a person finds out why a machine is not ready. */
function bootOf(machine: string): string {
  return `pilotlight journal ${machine}   shows its boot; docs/how-to/a-boot-that-hangs.md has the causes; then run the same again`
}

/** The events of a server. */
type EventSource = Pick<ServerClient, 'events' | 'lastEvent'>

type Watched = {
  stage: Stage
  startedAt: number
  steps: string[]
  settle: () => void
  fail: (error: Error) => void
}

/** Follows the events of a server from a point on, for as many machines as are asked for. */
export class BootWatch {
  readonly #client: EventSource
  readonly #watched = new Map<string, Watched>()
  /** The ends of boots that were not waited for yet. */
  readonly #ended = new Map<string, BootEvent>()
  #lost: Error | undefined
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  readonly #following: Promise<void>

  /** Follows from now on: what happened before is old news. Every wait ends when `signal` is aborted. */
  static async start(client: EventSource, signal: AbortSignal): Promise<BootWatch> {
    return new BootWatch(client, await client.lastEvent(), signal)
  }

  private constructor(client: EventSource, after: number, signal: AbortSignal) {
    this.#client = client
    this.#signal = AbortSignal.any([signal, this.#stop.signal])
    this.#following = this.#follow(after).catch((error: unknown) => {
      this.#lost = error instanceof Error ? error : new Error(String(error)) // the server is lost, or we were stopped
      for (const { fail } of this.#watched.values()) fail(this.#lost)
    })
  }

  /**
   * Resolves when the machine has reported ready.
   *
   * @throws {MachineFailed} when it reports that it failed
   * @throws {WaitedTooLong} when it is not ready within `limitSeconds`
   * @throws {Failure} when the server is lost, and the signal's reason when it is aborted
   */
  async ready(
    name: string,
    stage: Stage,
    limitSeconds: number,
    before: BeforeBoot = { dhcp: 'full' },
  ): Promise<void> {
    this.#signal.throwIfAborted()
    let timer: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((settle, fail) => {
        const watched = { stage, startedAt: Date.now(), steps: [], settle, fail }
        this.#watched.set(name, watched)
        stage.waiting('power: no sign of life yet', limitSeconds)
        const ended = this.#ended.get(name)
        if (ended !== undefined) this.#take(ended)
        if (this.#lost !== undefined) fail(this.#lost)
        timer = setTimeout(
          () =>
            fail(new WaitedTooLong(`${name} ready`, lastWord(watched, before), limitSeconds, bootOf(name))),
          limitSeconds * 1000,
        )
      })
      stage.done(this.#watched.get(name)?.steps.join('  '))
    } catch (error) {
      stage.failed(error)
      throw error
    } finally {
      clearTimeout(timer)
      this.#watched.delete(name)
    }
  }

  /** Stops following. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#following
  }

  async #follow(after: number): Promise<void> {
    for (let cursor = after; ;) {
      const { events, last } = await this.#client.events(cursor, 20, this.#signal)
      for (const event of events) this.#take(event)
      cursor = last
    }
  }

  #take(event: BootEvent): void {
    if (event.machine === undefined) return
    const end = endOf(phaseAfter('new', event))
    if (end !== undefined) this.#ended.set(event.machine, event)
    const watched = this.#watched.get(event.machine)
    if (watched === undefined) return
    const step = stepOf(event.kind)
    if (step !== undefined && !watched.steps.some(done => done.startsWith(`${step} `))) {
      watched.steps.push(`${step} ${((event.at - watched.startedAt) / 1000).toFixed(1)}s`)
    }
    watched.stage.waiting(cleanText(event.text))
    if (end === 'good') watched.settle()
    if (end === 'bad') watched.fail(new MachineFailed(event.machine, event))
  }
}

/** What is known of a machine before its boot is waited for. */
export type BeforeBoot = {
  /** What the site lets our DHCP do. */
  readonly dhcp: 'full' | 'proxy' | 'off'
  /** The phase that it was in; undefined for one that never booted. */
  readonly phase?: Phase
  /** Why it cannot boot, as the server sees it: a cause that is known is named before those that a person must look for. */
  readonly causes?: readonly string[]
}

function lastWord(watched: Watched, { causes = [], ...before }: BeforeBoot): string {
  const seen = lastSeen(watched, before)
  if (causes.length === 0) return seen
  const warned = `The server warned: ${causes.join(' ')}`
  return watched.steps.length > 0
    ? `${seen}. ${warned}`
    : `nothing. ${warned} Where that is as you want it: ${seen}`
}

function lastSeen({ steps }: Watched, { dhcp, phase }: BeforeBoot): string {
  if (steps.length > 0) return steps.join(', ')
  if (phase !== undefined && phase !== 'new')
    return `nothing since this run began; before it, the machine was at "${phase}": does it hang? Look at its console, and switch it off and on`
  if (dhcp === 'off')
    return 'nothing; the site file says dhcp: off, so its requests are not seen here: is it powered, and does the other DHCP server name this one as the boot server?'
  return 'no DHCP request: is it powered, its network port on this network, and network boot its first boot device?'
}
