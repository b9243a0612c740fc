// What `pilotlight help` knows of errors, and that the page lists every code of the server.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { helpTopic } from '#cli/about/help.ts'

const ROOT = join(import.meta.dirname, '../../..')
const PAGE = join(ROOT, 'docs/errors.md')

/** Code and status of each error class of the server, as its source has them. */
const codes = [
  ...readFileSync(join(ROOT, 'server/errors.ts'), 'utf8').matchAll(
    / code = '(\w+)'\n +readonly statusCode = (\d+)/g,
  ),
].map(([, code = '', status = '']) => `${code} ${status}`)

t.test(
  'the page lists every code of the server, with its status, and none that it does not have',
  async t => {
    const rows = readFileSync(PAGE, 'utf8').matchAll(/^\| `(\w+)` \| (\d{3}) \| [^|]+\. \| [^|]+\. \|$/gm)
    const listed = [...rows].map(([, code = '', status = '']) => `${code} ${status}`)
    t.ok(codes.length > 40, 'the source is read as it is written')
    t.strictSame(listed, [...new Set([...codes, 'INTERNAL 500'])].toSorted())
  },
)

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
  t.match(await helpTopic('SECRET_IN_CLEAR', PAGE), /keys over plain HTTP\n/)
  t.equal(await helpTopic('NO_SUCH_CODE', PAGE), undefined)
})
