// What a site needs done, as data: the steps of `pilotlight up`, which `pilotlight plan` prints and `up` runs.

/** A step by its name, which is also its stage on the screen. */
export type StepId =
  'charts' | 'publish' | 'power on' | 'approve' | 'boot' | 'cluster' | 'openstack' | 'verify'

/** What a step can wait for: the end of another one, or a point on its way. */
export type Point = StepId | 'controllers ready' | 'nodes labelled'

/** One step. It may be run again at any time: what is done already is only checked. */
export type UpStep = {
  readonly id: StepId
  /** It starts as soon as all of these are reached. */
  readonly needs: readonly Point[]
  /** The points that it reaches before its end, in their order. */
  readonly reaches: readonly Point[]
}

/** What `up` can be asked for, in this order: machines that are ready, also a cluster of them, also the cloud on it. */
export const UNTIL = ['boot', 'cluster', 'openstack'] as const

/** The last thing that `up` is asked for. */
export type Until = (typeof UNTIL)[number]

const STEPS: readonly (UpStep & { readonly of: Until })[] = [
  // While the machines are still off: a mistake in a chart costs no boot, and rendering no second.
  { id: 'charts', of: 'openstack', needs: [], reaches: [] },
  { id: 'publish', of: 'boot', needs: ['charts'], reaches: [] },
  { id: 'power on', of: 'boot', needs: ['publish'], reaches: [] },
  { id: 'boot', of: 'boot', needs: ['power on'], reaches: ['controllers ready'] },
  { id: 'cluster', of: 'cluster', needs: ['controllers ready'], reaches: ['nodes labelled'] },
  // Beside the pivot: pods wait by themselves for what is not there yet.
  { id: 'openstack', of: 'openstack', needs: ['nodes labelled'], reaches: [] },
  // The verification waits by itself for each service: its guest boots seconds after the last one is up.
  { id: 'verify', of: 'openstack', needs: ['nodes labelled'], reaches: [] },
  { id: 'approve', of: 'boot', needs: ['power on'], reaches: [] },
]

/** The steps that make a site true, each behind those that it needs. */
export function stepsOf(until: Until): UpStep[] {
  const wanted = STEPS.filter(step => UNTIL.indexOf(step.of) <= UNTIL.indexOf(until))
  const points = new Set(wanted.flatMap(({ id, reaches }) => [id, ...reaches]))
  return wanted.map(({ id, needs, reaches }) => ({
    id,
    needs: needs.filter(need => points.has(need)),
    reaches,
  }))
}

/**
 * Runs steps, each as soon as what it needs is reached; so steps overlap wherever their needs allow. The first failure
 * aborts the signal of the others, and no further step starts.
 *
 * @param work does one step, and calls `reached` with each of its points; all of them are reached once it ends
 * @throws what the first step that failed threw, or the reason of `signal`, once all steps have ended
 */
export async function runSteps(
  steps: readonly UpStep[],
  signal: AbortSignal,
  work: (id: StepId, reached: (point: Point) => void, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failure = new AbortController()
  const ends = AbortSignal.any([signal, failure.signal])
  const points = new Map(
    steps.flatMap(({ id, reaches }) =>
      [id, ...reaches].map(point => [point, Promise.withResolvers<void>()] as const),
    ),
  )
  const pointOf = (point: Point) => {
    const found = points.get(point)
    if (found === undefined) throw new Error(`no step reaches "${point}"`) // a fault of the table
    return found
  }
  const reached = (point: Point) => pointOf(point).resolve()
  const aborted = whenAborted(ends)
  await Promise.all(
    steps.map(async ({ id, needs, reaches }) => {
      try {
        await Promise.race([Promise.all(needs.map(need => pointOf(need).promise)), aborted])
        ends.throwIfAborted()
        await work(id, reached, ends)
        for (const point of [...reaches, id]) reached(point)
      } catch (error) {
        failure.abort(error)
      }
    }),
  )
  failure.signal.throwIfAborted()
}

/** Rejects with the signal's reason once it is aborted. */
function whenAborted(signal: AbortSignal): Promise<never> {
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
  aborted.catch(() => {}) // where no step waits
  return aborted
}
