// The table of alarms, and how its times are given.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ALARM_CODES, ALARMS, alarmSchema, CODE_OF, type Alarm } from '#model/alarm.ts'
import { shown, shownSchema } from '#model/time.ts'

t.test('each kind is one word and belongs to one code', async t => {
  const kinds = ALARM_CODES.map(code => ALARMS[code].kind)
  t.strictSame(kinds, [...new Set(kinds)])
  for (const kind of kinds) t.match(kind, /^[a-z]+$/)
  for (const code of ALARM_CODES) t.equal(CODE_OF[ALARMS[code].kind], code)
})

t.test('the page says the severity of each, and whether an operator clears it', async t => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/errors.md'), 'utf8')
  for (const code of ALARM_CODES) {
    const paragraph = page.split(/^##? /m).find(part => part.startsWith(code)) ?? ''
    const [, text = ''] = paragraph.split(/\n(.*)/s)
    const { severity, endsBy } = ALARMS[code]
    t.match(text, new RegExp(`^${severity}\\.`, 'i'), `${code} is ${severity}`)
    t.match(
      text.replaceAll('\n', ' '),
      endsBy === 'operator' ? /An operator clears it\./ : / is cleared (?:when|by itself|then)/,
      `${code} ends by ${endsBy}`,
    )
  }
})

t.test('times are numbers inside and ISO 8601 outside, at every depth', async t => {
  const alarm: Alarm = {
    id: 'PL-7007:pool:10.20.0.100',
    code: 'PL-7007',
    severity: 'major',
    entity: 'pool:10.20.0.100',
    state: 'cleared',
    since: 0,
    lastSeen: 60_000,
    count: 2,
    reason: '91 of 100 addresses are leased.',
    repair: 'pilotlight get leases',
    cleared: { at: Date.UTC(2026, 10, 30) },
  }
  t.match(shown(alarmSchema, alarm), {
    since: '1970-01-01T00:00:00.000Z',
    lastSeen: '1970-01-01T00:01:00.000Z',
    count: 2,
    cleared: { at: '2026-11-30T00:00:00.000Z' },
  })
  const { properties } = shownSchema(alarmSchema)
  t.match(properties?.['since'], { type: 'string', format: 'date-time' })
  t.match(properties?.['cleared']?.properties?.['at'], { type: 'string', format: 'date-time' })
  t.strictSame(properties?.['count'], alarmSchema.properties.count, 'others are as they were')
})
