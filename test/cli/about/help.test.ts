// What `pilotlight help` knows of errors, and that the page lists every code of the server.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { helpTopic } from '#cli/about/help.ts'
import { describeError, withoutLinks } from '#cli/error-report.ts'
import { EXIT, statusOf } from '#cli/exit.ts'
import { ERROR_CODES, Failure } from '#model/error.ts'

const ROOT = join(import.meta.dirname, '../../..')
const PAGE = join(ROOT, 'docs/errors.md')

/** Where the server's classes of errors are. */
const SOURCES = globSync('server/**/*errors.ts', { cwd: ROOT }).map(path => join(ROOT, path))

/** Code and status of each error class of the server, as its source has them. */
const codes = SOURCES.flatMap(path => [
  ...readFileSync(path, 'utf8').matchAll(/ code = '(\w+)'\n +readonly statusCode = (\d+)/g),
]).map(([, code = '', status = '']) => `${code} ${status}`)

t.test(
  'the page lists every code of the server, with its status, and none that it does not have',
  async t => {
    t.ok(codes.length > 40, 'the source is read as it is written')
    t.strictSame(rowsOf('server'), [...new Set([...codes, 'BODY_TOO_LARGE 413', 'INTERNAL 500'])].toSorted())
  },
)

t.test('the page lists every other code, with the exit status that the command line gives it', async t => {
  const ofServer = new Set(['BODY_TOO_LARGE', 'INTERNAL', ...codes.map(code => code.split(' ')[0])])
  const others = ERROR_CODES.filter(code => !ofServer.has(code))
  const anyStatus = ['UP_FAILED', 'VERIFICATION_FAILED'] // that of the cause
  const statuses = others.map(code =>
    anyStatus.includes(code) ? `${code} any` : `${code} ${statusOf(new Failure(code, '', ''))}`,
  )
  t.strictSame(rowsOf('commands'), statuses)
})

t.test('a code of the server ends a command with the exit status of its HTTP status', async t => {
  const kinds: Readonly<Record<string, number>> = {
    401: EXIT.refused,
    403: EXIT.refused,
    404: EXIT.notFound,
    409: EXIT.refused,
    412: EXIT.refused,
    421: EXIT.refused,
  }
  const given = ['BAD_BACKUP', 'INVALID_ASSET_NAME'] // by a person, on the command line
  for (const code of ERROR_CODES) {
    const http = codes.find(row => row.startsWith(`${code} `))?.split(' ')[1]
    if (http === undefined) continue
    const wanted = given.includes(code) ? EXIT.usage : (kinds[http] ?? EXIT.failed)
    t.equal(statusOf(new Failure(code, '', '')), wanted, code)
  }
})

t.test('help has a page with a remedy for every code that an error can have', async t => {
  for (const code of ERROR_CODES)
    t.match(await helpTopic(code, PAGE), new RegExp(`^${code} [^]*\\n.*\\w`), code)
  // Codes that are given without a class: their texts are in the source of what answers.
  const answers = readFileSync(join(ROOT, 'server/protocols/http/wire/problems.ts'), 'utf8')
  const literal = [...answers.matchAll(/'([A-Z]+(?:_[A-Z]+)+)'/g)].map(([, code = '']) => code)
  t.ok(literal.includes('BODY_TOO_LARGE'), 'the source is read as it is written')
  for (const code of literal.filter(one => !one.startsWith('FST_')))
    t.ok(
      ERROR_CODES.some(known => known === code),
      code,
    )
})

t.test('help knows every code of the server', async t => {
  for (const code of codes) {
    const [name = ''] = code.split(' ')
    t.match(await helpTopic(name.toLowerCase(), PAGE), new RegExp(`^${name} [^]*\\n.*\\w`), name)
  }
})

t.test('help shows a row as lines, and a paragraph without what is below it', async t => {
  t.equal(
    await helpTopic('NEVER_BOOTED', PAGE),
    'NEVER_BOOTED (HTTP 404)\nThe machine has no journal yet.\nSwitch it on in the provisioning network.',
  )
  t.notMatch(await helpTopic('PL-1009', PAGE), /data directory/)
  t.match(await helpTopic('NO_HELM', PAGE), /^NO_HELM \(exit status 2\)\nThere is no helm\./)
  t.match(await helpTopic('SECRET_IN_CLEAR', PAGE), /keys over plain HTTP\n/)
  t.equal(await helpTopic('NO_SUCH_CODE', PAGE), undefined)
})

/** The rows of one of the two tables of codes: code and status. */
function rowsOf(table: 'server' | 'commands'): string[] {
  const [, part = ''] = readFileSync(PAGE, 'utf8').split(
    new RegExp(`^# All codes of (?:the )?${table}$`, 'm'),
  )
  const [text = ''] = part.split(/^# /m)
  const rows = text.matchAll(/^\| `(\w+)` \| (\d{1,3}|any) \| [^|]+\. \| [^|]+\. \|$/gm)
  return [...rows].map(([, code = '', status = '']) => `${code} ${status}`)
}

t.test('help and the fix of an error show a link as the path of its page', async t => {
  const page = 'docs/how-to/secure-boot.md'
  t.match(await helpTopic('UNFIT_SIGNING_KEY', PAGE), new RegExp(`how to make a pair: ${page}\\.$`))
  t.match(
    describeError(new Failure('UNFIT_SIGNING_KEY', 'a key', '')),
    `fix: The message says which, and how to make a pair: ${page}\n`,
  )
  t.equal(withoutLinks('see [a](b.md#c), [d](e.md)'), 'see docs/b.md, docs/e.md')
})
