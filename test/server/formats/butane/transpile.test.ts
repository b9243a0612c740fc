// Butane to Ignition, judged by the real butane where it is at hand, by what it said otherwise, and by ignition-validate.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { CommandFailed, run } from '#host/command.ts'
import { localFilesBelow } from '#server/formats/butane/local-files.ts'
import { transpile } from '#server/formats/butane/transpile.ts'
import { findingText } from '#server/formats/ignition/findings.ts'
import { writeIgnition } from '#server/formats/ignition/write.ts'
import { butaneIgnition } from '#server/boot/render/butane.ts'
import { isAccepted, skip as noTools, tools } from '../ignition/oracle.ts'
import { beside, SAMPLES } from './samples.ts'

const golden = join(import.meta.dirname, 'golden/transpiled.json')
const REFUSED = 'refused'

/** What a text gives: Ignition as Butane writes it, with compressed content in the open, because no two gzips agree. */
function outcome(text: string, folder: string): string {
  const { good } = transpile(text, localFilesBelow(folder))
  return good === undefined ? REFUSED : opened(writeIgnition(good.config, good.spec, { emptyObjects: false }))
}

function opened(json: string): string {
  return json.replaceAll(
    /("compression":"gzip","source":")data:;base64,([A-Za-z0-9+/=]{20,})"/g,
    (_, head, data) => {
      return `${String(head)}gzip of ${gunzipSync(Buffer.from(String(data), 'base64')).toString()}"`
    },
  )
}

t.test('every sample gives what the golden file says', async t => {
  const folder = t.testdir(beside)
  const found = Object.fromEntries(
    Object.entries(SAMPLES).map(([name, text]) => [name, outcome(text, folder)]),
  )
  if (process.env['UPDATE_GOLDEN'] === '1') {
    writeFileSync(golden, `${JSON.stringify(found, null, 2)}\n`)
    t.fail('golden file rewritten')
  }
  t.strictSame(found, JSON.parse(readFileSync(golden, 'utf8')))
})

t.test('every sample gives what butane gives', { skip: noTools }, async t => {
  const folder = t.testdir(beside)
  for (const [name, input] of Object.entries(SAMPLES)) {
    const real = await run(join(tools ?? '', 'butane'), ['--files-dir', folder], {
      limitSeconds: 20,
      input,
    }).then(
      ({ stdout }) => opened(stdout.trim()),
      (error: unknown) => {
        if (error instanceof CommandFailed) return REFUSED
        throw error
      },
    )
    t.equal(outcome(input, folder), real, name)
  }
})

t.test('ignition-validate takes whatever comes out', { skip: noTools }, async t => {
  const folder = t.testdir({ ...beside, out: {} })
  for (const [name, text] of Object.entries(SAMPLES)) {
    const files = localFilesBelow(folder)
    if (transpile(text, files).good === undefined) continue
    t.ok(await isAccepted(butaneIgnition(name, text, files), join(folder, 'out', 'config.ign')), name)
  }
})

t.test('a finding has its place in the YAML', async t => {
  const files = localFilesBelow(t.testdir(beside))
  const said = (text: string) => transpile(text, files).findings.map(findingText)
  t.strictSame(said(SAMPLES['a relative path'] ?? ''), [
    'line 5, column 13: storage.files[0].path: "etc/x" is relative; write it from /',
  ])
  t.strictSame(said(SAMPLES['an unknown key'] ?? ''), [
    'line 3, column 1: orchard: this key is not known, and is ignored',
    'line 4, column 28: passwd.users[0].colour: this key is not known, and is ignored',
  ])
  t.match(said(SAMPLES['content: from outside'] ?? ''), [
    /^line 7, column 16: .*local: .* leads out of the data/,
  ])
  t.match(said(SAMPLES['broken YAML'] ?? ''), [/^line 3, column \d+: /])
})

t.test('a link that leads out of the data directory is not followed', async t => {
  const folder = t.testdir({ data: { link: t.fixture('symlink', '../secret') }, secret: 'x' })
  t.match(localFilesBelow(join(folder, 'data')).read('link'), /leads out of the data directory/)
})

t.test('the state of the server is not read, where it is in the data directory', async t => {
  const folder = t.testdir({ state: { key: 'x' }, text: 'y' })
  const files = localFilesBelow(folder, join(folder, 'state'))
  t.match(files.read('state/key'), /in the server's own state/)
  t.match(files.tree('state'), /in the server's own state/)
  t.same(files.read('text'), Buffer.from('y'))
  t.match(files.tree('.'), /holds the server's own state/)
})

t.test('aliases that unfold without end are refused', async t => {
  const bomb = Array.from(
    { length: 30 },
    (_, level) => `a${level}: &a${level} [${`*a${level - 1}, `.repeat(level && 9)}]`,
  )
  const { findings } = transpile(bomb.join('\n'), localFilesBelow('.'))
  t.match(findings.map(findingText), [/alias/])
})

t.test('no text makes it throw', async t => {
  const files = localFilesBelow(t.testdir({}))
  const word = fc.constantFrom(
    '- ',
    ': ',
    '\n',
    '  ',
    'storage',
    'files',
    'path',
    '{',
    '}',
    '[',
    ']',
    '&a',
    '*a',
    '<<: ',
    '"',
    '|',
    '0x',
    '!!int ',
  )
  const body = fc.oneof(
    fc.string(),
    fc.array(word, { maxLength: 30 }).map(words => words.join('')),
  )
  fc.assert(
    fc.property(body, text => {
      transpile(`variant: fcos\nversion: 1.5.0\n${text}`, files)
      transpile(text, files)
    }),
    { numRuns: 300 },
  )
  t.pass()
})
