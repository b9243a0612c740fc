// Dates of HTTP (RFC 9110 §5.6.7), read as strictly and as leniently as Go's `http.ParseTime` reads them.

/**
 * A date in any of HTTP's three forms, in milliseconds since 1970; undefined for anything else. As in Go, the day of the
 * week is not compared with the date, names have no case, an hour may have one digit, and a fraction of the second is
 * dropped. A year of two digits is 1969 to 2068. The zone that the RFC 850 form names is not looked up: its time is UTC.
 */
export function httpDateMs(text: string): number | undefined {
  for (const form of FORMS) {
    const parts = form.exec(text)?.groups
    if (parts !== undefined) return millisecondsOf(parts)
  }
  return undefined
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const LONG_DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']

const month = `(?<month>${MONTHS.join('|')})`
const clock = String.raw`(?<hour>\d\d?):(?<minute>\d\d):(?<second>\d\d)(?:[.,]\d+)?`
const hours = String.raw`0*(?:1?\d|2[0-3])`
/** What Go takes for the abbreviation of a zone. */
const zone = String.raw`(?:UTC|GMT(?:[+-]${hours})?|[+-](?=\d\d)${hours}|(?!GMT|UTC)(?:[A-Z]{3}|[A-Z]{3,4}T)|WITA|ChST|MeST)`

/** IMF-fixdate, the form of RFC 850, and that of C's asctime. Names have no case; `GMT` and zones do. */
const FORMS: readonly RegExp[] = [
  String.raw`(?i:(?:${DAYS.join('|')}), +(?<day>\d\d) +${month} +(?<year>\d{4}) +${clock}) +GMT`,
  String.raw`(?i:(?:${LONG_DAYS.join('|')}), +(?<day>\d\d)-${month}-(?<shortYear>\d\d|[+-]\d) +${clock}) +${zone}`,
  String.raw`(?i:(?:${DAYS.join('|')}) +${month} +(?<day>\d\d?) +${clock} +(?<year>\d{4}))`,
].map(form => new RegExp(`^${form}$`))

/** The time of the parts; undefined for a day that its month has not, or an hour, minute or second that is none. */
function millisecondsOf(parts: Readonly<Record<string, string | undefined>>): number | undefined {
  const [day, hour, minute, second] = ['day', 'hour', 'minute', 'second'].map(name => Number(parts[name]))
  const monthIndex = MONTHS.indexOf((parts['month'] ?? '').toLowerCase())
  const short = Number(parts['shortYear'])
  const year = parts['year'] === undefined ? short + (short >= 69 ? 1900 : 2000) : Number(parts['year'])
  if (hour! > 23 || minute! > 59 || second! > 59) return undefined // all four are there, by the forms
  const date = new Date(0)
  date.setUTCFullYear(year, monthIndex, day)
  if (date.getUTCDate() !== day || date.getUTCMonth() !== monthIndex) return undefined
  return date.setUTCHours(hour!, minute, second)
}
