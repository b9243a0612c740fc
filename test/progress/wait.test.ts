// Waits: they end with the value, with the last reason, or with the caller's signal.

import t from 'tap'
import { WaitedTooLong, waitUntil } from '#progress/wait.ts'

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
