import t from 'tap'
import { ProcessClock } from '#server/process/clock.ts'

t.test('gives whole milliseconds, which the store keeps', async t => {
  let steady = 0.25
  const clock = new ProcessClock({ wall: () => 1_000, steady: () => (steady += 0.3) })
  t.teardown(() => clock.close())
  const times = Array.from({ length: 100 }, () => clock.now())
  t.ok(times.every(Number.isInteger), times.slice(0, 3).join(' '))
})
