import t from 'tap'
import type { Raised } from '#server/alarms/transitions.ts'
import { Occurrences } from '#server/machines/occurrences.ts'
import type { NewEvent } from '#server/machines/journal.ts'

t.test('every occurrence is counted, and written as often as a person can read', async t => {
  const written: NewEvent[] = []
  const counted: string[] = []
  const logged: string[] = []
  const clock = { now: 0 }
  const journal = { record: (event: NewEvent) => void written.push(event) as never }
  const raised: Raised[] = []
  const alarms = new Occurrences({
    journal,
    list: { raise: one => void raised.push(one) },
    count: kind => counted.push(kind),
    log: (level, text) => logged.push(`${level} ${text}`),
    clock: () => clock.now,
  })
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
  t.equal(raised.length, 104, 'each is counted in the list of alarms')
  t.match(raised[2], { code: 'PL-7001', entity: 'machine:cmp-1', reason: 'one' })
  t.match(raised[3], { code: 'PL-7003', entity: 'machine:ctl-1' })
  clock.now = 60_001
  raise('one', { boot: 'b-0001' })
  t.match(written.at(-1), { kind: 'refused', text: 'one', boot: 'b-0001' })
})
