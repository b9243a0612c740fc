// Waits: they end with the value, with the last reason, or with the caller's signal.

import t from 'tap'
import { sleep, WaitedTooLong, waitUntil } from '#progress/wait.ts'

t.test('a wait ends with the value as soon as the probe sees it', async t => {
  let looks = 0
  const probe = async () => (++looks < 3 ? { not: `${looks} of 3` } : { value: 'here' })
  t.equal(await waitUntil('it', { limitSeconds: 5, everyMs: 1 }, probe), 'here')
})

t.test('a wait that is too long says what it saw last', async t => {
  const waiting = waitUntil('nodes Ready', { limitSeconds: 0.02, everyMs: 5 }, async () => ({
    not: '1 of 2',
  }))
  await t.rejects(waiting, new WaitedTooLong('nodes Ready', '1 of 2', 0.02))
})

t.test('an error of the probe is a reason to go on, not to stop', async t => {
  const waiting = waitUntil('API', { limitSeconds: 0.02, everyMs: 5 }, () =>
    Promise.reject(new Error('refused')),
  )
  await t.rejects(waiting, { message: /Last seen: refused/ })
})

t.test('an aborted signal ends the wait at once with its reason', async t => {
  const stop = new AbortController()
  const waiting = waitUntil('API', { limitSeconds: 60, signal: stop.signal }, async () => ({ not: 'yet' }))
  stop.abort(new Error('enough'))
  await t.rejects(waiting, { message: 'enough' })
})

t.test('a probe that hangs outlives neither the limit nor the signal', async t => {
  let looks = 0
  const hanging = () => (++looks === 1 ? Promise.resolve({ not: 'half' }) : new Promise<never>(() => {}))
  const limited = waitUntil('API', { limitSeconds: 0.05, everyMs: 1 }, hanging)
  await t.rejects(limited, new WaitedTooLong('API', 'half', 0.05))
  const stop = new AbortController()
  const stopped = waitUntil('API', { limitSeconds: 60, signal: stop.signal }, hanging)
  stop.abort(new Error('enough'))
  await t.rejects(stopped, { message: 'enough' })
})

t.test('the result of a probe after the wait has ended is ignored', async t => {
  const waiting = waitUntil('API', { limitSeconds: 0.01 }, () =>
    sleep(60).then(() => Promise.reject(new Error('too late'))),
  )
  await t.rejects(waiting, { code: 'WAITED_TOO_LONG' })
  await sleep(80)
})

t.test('sleep does not begin under a signal that is aborted already', async t => {
  await t.rejects(sleep(60_000, AbortSignal.abort(new Error('enough'))), { message: 'enough' })
})
