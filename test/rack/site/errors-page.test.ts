// The page on errors and the codes in the program say the same.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ALARM_CODES, ALARMS } from '#model/alarm.ts'
import { LINT_CODES } from '#model/finding.ts'
import { problemCodes } from '#rack/site/problems.ts'

t.test('each code has a paragraph with its title, and each paragraph a code', async t => {
  const page = await readFile(join(import.meta.dirname, '../../../docs/errors.md'), 'utf8')
  const titles = [...page.matchAll(/^## (PL-\d+) (.+)$/gm)].map(([, code, title]) => [code, title])
  const alarms = ALARM_CODES.map(code => [code, ALARMS[code].title])
  t.strictSame(titles, [...Object.entries({ ...problemCodes, ...LINT_CODES }), ...alarms])
})
