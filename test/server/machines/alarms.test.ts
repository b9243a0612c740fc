import t from 'tap'
import { Alarms } from '#server/machines/alarms.ts'
import type { NewEvent } from '#server/machines/journal.ts'

t.test('every alarm is counted, and written as often as a person can read', async t => {
  const written: NewEvent[] = []
  const counted: string[] = []
  const logged: string[] = []
  const clock = { now: 0 }
  const journal = { record: (event: NewEvent) => void written.push(event) as never }
  const alarms = new Alarms(
    journal,
    kind => counted.push(kind),
    (level, text) => logged.push(`${level} ${text}`),
    () => clock.now,
  )
  const raise = (text: string, more = {}) =>
    alarms.raise({
      kind: 'refused',
      mac: '52:54:00:20:00:01',
      machine: 'ctl-1',
      layer: 'http',
      text,
      ...more,
    })
  raise('one')
  raise('one')
  t.strictSame([counted.length, written.length, logged], [2, 1, ['warn one']])
  raise('one', { machine: 'cmp-1' })
  raise('one', { kind: 'held' })
  t.equal(written.length, 3, 'another machine, another kind')
  for (let number = 0; number < 100; number += 1) raise(`text ${number} that a sender chose`)
  t.equal(written.length, 12, 'ten of a kind a minute')
  t.equal(counted.length, 104)
  clock.now = 60_001
  raise('one', { boot: 'b-0001' })
  t.match(written.at(-1), { kind: 'refused', text: 'one', boot: 'b-0001' })
})
