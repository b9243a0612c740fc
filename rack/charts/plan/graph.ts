// The order of the chart stage: steps that need other steps, run as parallel as their needs allow. What can start,
// and what a failure leaves out, is decided by pure functions; `runGraph` only starts what they name.

import { ChartPlanError } from '../errors.ts'

/** One thing to do, by its id, after all that it needs. */
export type Step = { readonly id: string; readonly needs: readonly string[] }

/** Where a step is. `blocked`: something that it needs, however far down, failed. */
export type StepState = 'waiting' | 'running' | 'done' | 'failed' | 'blocked'

/** How a run of the graph ended, for every step. */
export type GraphOutcome = {
  readonly states: ReadonlyMap<string, StepState>
  readonly errors: ReadonlyMap<string, unknown>
}

/**
 * Checks that every need is a step and that no step needs itself in the end.
 *
 * @throws {ChartPlanError} naming the step and what is wrong
 */
export function checkGraph(steps: readonly Step[]): void {
  const byId = new Map(steps.map(step => [step.id, step]))
  if (byId.size < steps.length) {
    const twice = steps.find(step => byId.get(step.id) !== step)?.id
    throw new ChartPlanError(`The plan has ${twice} twice. Give each release its own name.`)
  }
  for (const { id, needs } of steps) {
    const unknown = needs.find(need => !byId.has(need))
    if (unknown !== undefined)
      throw new ChartPlanError(`${id} needs ${unknown}, which is not in the plan. Add it, or drop the need.`)
  }
  const order = new Set<string>()
  for (const { id } of steps) follow(id, [])

  function follow(id: string, way: readonly string[]): void {
    if (order.has(id)) return
    if (way.includes(id)) {
      const circle = [...way.slice(way.indexOf(id)), id].join(' -> ')
      throw new ChartPlanError(
        `The needs go in a circle: ${circle}. One of them must start without the other.`,
      )
    }
    for (const need of byId.get(id)?.needs ?? []) follow(need, [...way, id])
    order.add(id)
  }
}

/** The steps that may start now, in the plan's order: they wait, and all that they need is done. */
export function startable(steps: readonly Step[], states: ReadonlyMap<string, StepState>): Step[] {
  return steps.filter(
    ({ id, needs }) =>
      stateOf(states, id) === 'waiting' && needs.every(need => stateOf(states, need) === 'done'),
  )
}

/** The waiting steps that can never start, because something that they need failed or is blocked itself. */
export function newlyBlocked(steps: readonly Step[], states: ReadonlyMap<string, StepState>): Step[] {
  const blocked = new Map(states)
  const found: Step[] = []
  for (let before = -1; before !== found.length;) {
    before = found.length
    for (const step of steps) {
      if (stateOf(blocked, step.id) !== 'waiting') continue
      if (!step.needs.some(need => ['failed', 'blocked'].includes(stateOf(blocked, need)))) continue
      blocked.set(step.id, 'blocked')
      found.push(step)
    }
  }
  return found
}

/**
 * Runs every step once its needs are done, all that may run at the same time. A failure stops only the steps that
 * need it; the others go on to their end. Never throws for a step: the outcome says it.
 *
 * @throws {ChartPlanError} before anything is started, when the graph cannot be run
 */
export async function runGraph<T extends Step>(
  steps: readonly T[],
  work: (step: T) => Promise<void>,
): Promise<GraphOutcome> {
  checkGraph(steps)
  const states = new Map<string, StepState>(steps.map(({ id }) => [id, 'waiting']))
  const errors = new Map<string, unknown>()
  const running = new Map<string, Promise<void>>()
  for (;;) {
    for (const step of startable(steps, states) as T[]) {
      states.set(step.id, 'running')
      const ended = work(step).then(
        () => void states.set(step.id, 'done'),
        (error: unknown) => {
          states.set(step.id, 'failed')
          errors.set(step.id, error)
        },
      )
      running.set(
        step.id,
        ended.finally(() => running.delete(step.id)),
      )
    }
    for (const { id } of newlyBlocked(steps, states)) states.set(id, 'blocked')
    if (running.size === 0) return { states, errors }
    await Promise.race(running.values())
  }
}

function stateOf(states: ReadonlyMap<string, StepState>, id: string): StepState {
  return states.get(id) ?? 'waiting'
}
