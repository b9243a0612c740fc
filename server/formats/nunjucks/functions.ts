// The functions that nunjucks gives every template.

import type { Budget } from './budget.ts'
import { Callable, textOf, wholeOf } from './values.ts'

/** `range`, `cycler` and `joiner`. */
export const FUNCTIONS: ReadonlyMap<string, Callable> = new Map([
  ['range', new Callable('range', ([start, stop, step], _, budget) => range(start, stop, step, budget))],
  ['cycler', new Callable('cycler', items => cycler(items))],
  ['joiner', new Callable('joiner', ([by], _, budget) => joiner(by ? textOf(by, budget) : ','))],
])

/** Numbers from `start`, or from 0 to it. */
function range(start: unknown, stop: unknown, step: unknown, budget: Budget): number[] {
  const [from, to] = stop === undefined ? [0, number(start)] : [number(start), number(stop)]
  const by = step === undefined || step === 0 ? 1 : number(step)
  const count = Math.max(Math.ceil((to - from) / by), 0)
  budget.step(count)
  return Array.from({ length: count }, (_, at) => from + at * by)
}

function number(value: unknown): number {
  const whole = wholeOf(value, Number.NaN)
  if (!Number.isFinite(whole)) throw new Error('range takes whole numbers')
  return whole
}

/** Gives one item after the other, again and again. */
function cycler(items: readonly unknown[]): Readonly<Record<string, Callable>> {
  let at = -1
  const next = () => {
    at = (at + 1) % items.length
    return items[at]
  }
  const reset = () => {
    at = -1
    return ''
  }
  return { next: new Callable('next', next), reset: new Callable('reset', reset) }
}

/** Gives nothing the first time, then `by`. */
function joiner(by: string): Callable {
  let text = ''
  return new Callable('joiner', () => {
    const now = text
    text = by
    return now
  })
}
