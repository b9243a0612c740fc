// What a power supply does with orders, in every phase of a machine; the machine here is one that does as ordered.

import t from 'tap'
import type { RunningMachine } from '#lab/machines/hardware.ts'
import { PowerSupply } from '#lab/machines/power-supply.ts'
import type { PowerState, PowerVerb } from '#lab/state.ts'
import { waitUntil } from '#progress/wait.ts'

/** A supply whose machine shuts down when it gets `end`, and its state. */
function supplied(options: { start?: () => Promise<void>; reset?: boolean } = {}) {
  const did: string[] = []
  let state: Omit<PowerState, 'supervisor'> | undefined
  let end: ((how: 'reset' | 'off') => void) | undefined
  const supply = new PowerSupply(1, {
    start: async (): Promise<RunningMachine> => {
      await options.start?.()
      did.push('start')
      return {
        ended: new Promise(resolve => {
          end = resolve
        }),
        pressPower: () => void did.push('press'),
        cutPower: () => {
          did.push('cut')
          end?.('off')
        },
        ...(options.reset && { reset: () => did.push('reset') > 0 }),
      }
    },
    clean: async () => void did.push('clean'),
    keep: kept => {
      state = kept
    },
    say: () => {},
  })
  let number = 1
  return {
    did,
    state: () => state,
    end: (how: 'reset' | 'off') => end?.(how),
    run: supply.run(),
    order: (verb: PowerVerb, { hard = false, graceSeconds = 30 } = {}) => {
      number += 1
      supply.take({ number, verb, hard, graceSeconds })
      return number
    },
    isOn: (times = 1) =>
      waitUntil('it is on', { limitSeconds: 2, everyMs: 1 }, async () =>
        did.filter(it => it === 'start').length === times ? { value: true } : { not: did.join() },
      ),
  }
}

t.test('a machine that shuts down when it is switched off ends its supply', async t => {
  const it = supplied()
  await it.isOn()
  const number = it.order('off')
  t.match(it.state(), { order: number, ending: { next: 'off' }, ended: undefined })
  it.end('off')
  await it.run
  t.strictSame(it.did, ['start', 'press', 'clean'])
  t.match(it.state(), { ended: { how: 'shut down' }, ending: undefined })
})

t.test('a machine that is switched on while it shuts down is on again afterwards', async t => {
  const it = supplied()
  await it.isOn()
  it.order('off')
  const number = it.order('on')
  t.match(it.state(), { order: number, ending: { next: 'on' } })
  it.end('off')
  await it.isOn(2)
  t.match(it.state(), { starts: 2, ending: undefined, ended: undefined })
  it.order('off', { hard: true })
  await it.run
})

t.test('the last of several orders decides, and the button is pressed once', async t => {
  const it = supplied()
  await it.isOn()
  for (const verb of ['off', 'on', 'cycle', 'off', 'on', 'off'] as const) it.order(verb)
  it.end('off')
  await it.run
  t.strictSame(it.did, ['start', 'press', 'clean'])
})

t.test('a machine that does not shut down in time loses its power, and the state says so', async t => {
  const it = supplied()
  await it.isOn()
  it.order('off', { graceSeconds: 0.05 })
  await it.run
  t.strictSame(it.did, ['start', 'press', 'cut', 'clean'])
  t.match(it.state(), { ended: { how: 'cut' } })
})

t.test('a second order to shut down does not put the cut off', async t => {
  const it = supplied()
  await it.isOn()
  it.order('off', { graceSeconds: 0.05 })
  it.order('off', { graceSeconds: 1000 })
  await it.run
  t.match(it.state(), { ended: { how: 'cut' } })
})

t.test('a power cut needs no answer of the machine, also while it shuts down', async t => {
  const it = supplied()
  await it.isOn()
  it.order('off')
  it.order('off', { hard: true })
  await it.run
  t.strictSame(it.did, ['start', 'press', 'cut', 'clean'])
})

t.test('an order that comes while a machine starts is carried out once it has power', async t => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const it = supplied({ start: () => promise })
  const number = it.order('off', { hard: true })
  t.equal(it.state()?.order, number, 'it is taken at once')
  resolve()
  await it.run
  t.strictSame(it.did, ['start', 'cut', 'clean'])
})

t.test('a reboot starts the machine over, and one that was switched off meanwhile stays off', async t => {
  const it = supplied()
  await it.isOn()
  it.end('reset')
  await it.isOn(2)
  it.order('off')
  it.end('reset')
  await it.run
  t.strictSame(it.did, ['start', 'clean', 'start', 'press', 'clean'])
})

t.test('the reset button starts over at once: in the machine where it has one, else by a cut', async t => {
  const own = supplied({ reset: true })
  await own.isOn()
  own.order('reset')
  t.match(own.state(), { starts: 2 })
  own.order('off', { hard: true })
  await own.run
  t.strictSame(own.did, ['start', 'reset', 'cut', 'clean'])

  const none = supplied()
  await none.isOn()
  none.order('reset')
  await none.isOn(2)
  none.order('off', { hard: true })
  await none.run
  t.strictSame(none.did, ['start', 'cut', 'clean', 'start', 'cut', 'clean'])
})

t.test('a supply that is about to end takes no order, so that another one is started for it', async t => {
  const it = supplied()
  await it.isOn()
  it.end('off')
  await it.run
  const number = it.order('on')
  t.not(it.state()?.order, number)
})

t.test('a machine that cannot get power ends its supply, and the state says so', async t => {
  const it = supplied({ start: () => Promise.reject(new Error('no QEMU')) })
  await t.rejects(it.run, { message: 'no QEMU' })
  t.match(it.state(), { ended: { how: 'failed' } })
})
