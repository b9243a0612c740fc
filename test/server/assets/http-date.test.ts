import t from 'tap'
import { httpDateMs } from '#server/assets/http-date.ts'

const MOMENT = Date.parse('2001-09-09T01:46:40Z')

t.test('the three forms of RFC 9110 are one time', async t => {
  for (const text of [
    'Sun, 09 Sep 2001 01:46:40 GMT',
    'Sunday, 09-Sep-01 01:46:40 GMT',
    'Sun Sep  9 01:46:40 2001',
    // As Go reads them: any day of the week, any case, an hour of one digit, a fraction, a named zone, further spaces.
    'Fri, 09 Sep 2001 01:46:40 GMT',
    'sUN, 09 sEP 2001 1:46:40 GMT',
    'Sun,  09  Sep  2001  01:46:40.999  GMT',
    'Sunday, 09-Sep-01 01:46:40 CEST',
    'Sunday, 09-Sep-01 01:46:40 GMT-7',
    'Sun Sep 9 01:46:40 2001',
    'Sun Sep 09 01:46:40,5 2001',
  ])
    t.equal(httpDateMs(text), MOMENT, text)
})

t.test('a year of two digits is 1969 to 2068', async t => {
  t.equal(httpDateMs('Friday, 13-May-69 12:00:00 GMT'), Date.parse('1969-05-13T12:00:00Z'))
  t.equal(httpDateMs('Friday, 13-May-68 12:00:00 GMT'), Date.parse('2068-05-13T12:00:00Z'))
})

t.test('anything else is not a date', async t => {
  for (const text of [
    '',
    'yesterday',
    '2001-09-09T01:46:40Z',
    '1000000000',
    'Sun, 9 Sep 2001 01:46:40 GMT',
    'Sun, 09 Sep 01 01:46:40 GMT',
    'Sun, 09 Sep 2001 01:46:40 gmt',
    'Sun, 09 Sep 2001 01:46:40 UTC',
    'Sun, 09 Sep 2001 01:46:40 +0000',
    'Sun, 09 Sep 2001 01:46:40',
    'Sun, 09 Sep 2001 01:46:40 GMT;',
    'Sun, 09 Sep 2001 1:6:40 GMT',
    'Sun, 09 Sep 2001 24:00:00 GMT',
    'Sun, 09 Sep 2001 23:60:00 GMT',
    'Sun, 09 Sep 2001 23:59:60 GMT',
    'Sun, 31 Sep 2001 01:46:40 GMT',
    'Thu, 29 Feb 2001 01:46:40 GMT',
    'Sun, 00 Sep 2001 01:46:40 GMT',
    'Sonntag, 09-Sep-01 01:46:40 GMT',
    'Sun, 09-Sep-01 01:46:40 GMT',
    'Sunday, 09-Sep-2001 01:46:40 GMT',
    'Sunday, 09-Sep-01 01:46:40 GMT+24',
    'Sun Sep 9 01:46:40 GMT 2001',
  ])
    t.equal(httpDateMs(text), undefined, text)
})
