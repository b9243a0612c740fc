import t from 'tap'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { renderedIgnition } from '#server/boot/render/ignition.ts'
import { directoryFiles } from '#server/boot/render/directory-files.ts'
import { Templates } from '#server/boot/render/templates.ts'

t.test('a template sees values, filters, and the files beside it', async t => {
  const root = t.testdir({
    ignition: {
      'node.njk': '{{ name | json }} {{ "é\n" | dataurl }} {{ file("units/a.service") }}',
      units: { 'a.service': 'runs {{ name }}' },
    },
  })
  const text = new Templates(directoryFiles(root)).render('ignition/node.njk', { name: 'a "b"' })
  t.equal(text, '"a \\"b\\"" data:;base64,w6kK runs a "b"')
})

t.test('a file is compressed as it is now, and one without tags is put in unchanged', async t => {
  const root = t.testdir({ ignition: { 'node.njk': '{{ file("script") | gzipurl }}', script: 'a\r\n\n' } })
  const templates = new Templates(directoryFiles(root))
  const unpacked = () => {
    const url = templates.render('ignition/node.njk', { name: 'x' })
    t.match(url, /^data:;base64,/)
    return String(gunzipSync(Buffer.from(url.slice('data:;base64,'.length), 'base64')))
  }
  t.equal(unpacked(), 'a\r\n\n')
  writeFileSync(join(root, 'ignition/script'), 'b {# of it #}{{ name }}\n')
  t.equal(unpacked(), 'b x\n')
})

t.test('what is not there is an error, with line and reason', async t => {
  const root = t.testdir({
    'a.njk': 'one\n{{ known }}\n{{ unknown.deep }}',
    'b.njk': '{{ file("c") }}',
    'c.njk': '{% if %}',
    'd.njk': '{{ file("../../etc/hostname") }}',
  })
  const templates = new Templates(directoryFiles(root))
  const render = (name: string) => () => templates.render(name, { known: 1 })
  t.throws(render('a.njk'), {
    code: 'TEMPLATE_FAILED',
    message: /^a.njk cannot .* line 3, column \d+: a value is not defined in "{{ unknown/,
  })
  t.throws(render('b.njk'), { message: /b.njk .*There is no file c in the data directory/ })
  t.throws(render('c.njk'), { message: /^c.njk cannot be rendered: line 1, column \d+: / })
  t.throws(render('d.njk'), { message: /There is no file/ }, 'nothing above the root is read')
  t.throws(render('none.njk'), { code: 'UNKNOWN_TEMPLATE', statusCode: 404 })
})

t.test('a file that changes is read again', async t => {
  const root = t.testdir({ 'a.njk': '{{ file("b") }}', b: 'old' })
  const templates = new Templates(directoryFiles(root))
  t.equal(templates.render('a.njk', {}), 'old')
  writeFileSync(join(root, 'b'), 'renewed')
  t.equal(templates.render('a.njk', {}), 'renewed')
})

t.test('a text that is not an Ignition config is refused with the reason', async t => {
  t.throws(() => renderedIgnition('x', '{"ignition":'), {
    code: 'INVALID_IGNITION',
    message: /^x is not an Ignition config .*line 1, column 13: it ends in the middle/,
  })
  t.throws(() => renderedIgnition('x', '{}'), { message: /3.0.0 to 3.6.0/ })
  t.equal(renderedIgnition('x', '{ "ignition": {"version":"3.6.0"} }'), '{"ignition":{"version":"3.6.0"}}')
})

t.test('a config with files is served as it was rendered, without spaces', async () => {
  const source = fc.oneof(
    fc.string().map(text => `data:;base64,${Buffer.from(text).toString('base64')}`),
    // What looks like a mark, escaped in every way; equal ones; base64 that no encoder writes; and none at all.
    fc.constantFrom(
      'data:;base64,AAAA',
      'data:;base64,AAAB',
      'data:;base64,AA==',
      'data:;base64,',
      'data:,x',
    ),
  )
  const file = fc.record({ source, how: fc.nat(2), isQuoted: fc.boolean() })
  fc.assert(
    fc.property(fc.array(file), files => {
      const all = files.map(({ source: from, how, isQuoted }, at) => {
        const user = isQuoted ? `, "user": { "name": ${JSON.stringify(`"${from}"`)} }` : ''
        return `{ "path": "/f${at}"${user}, "contents": { "source": ${written(from, how)} } }`
      })
      const text = `{ "ignition": { "version": "3.4.0" }, "storage": { "files": [${all.join(', ')}] } }`
      return renderedIgnition('x', text) === JSON.stringify(JSON.parse(text))
    }),
  )
})

t.test('a long text is served beside a key that is there twice', async t => {
  const long = `\\u0041${'x'.repeat(9_000_000)}`
  const files = `"files": [{ "path": "/a", "contents": { "source": "data:,${long}" } }]`
  const text = `{ "ignition": { "version": "3.4.0" },\n "storage": {}, "storage": { ${files} } }`
  const served = renderedIgnition('x', text)
  t.ok(served.startsWith('{"ignition":{"version":"3.4.0"},"storage":{},"storage":{"files":[{"path":"/a",'))
  t.ok(served.endsWith('"}}]}}'))
  t.ok(served.length > 9_000_000)
})

t.test('what is wrong with a config is said with its place, whatever its files contain', async t => {
  const good = `data:;base64,${Buffer.from('long enough to move what follows').toString('base64')}`
  const config = (source: string) =>
    `{ "ignition": { "version": "3.4.0" }, "storage": { "files": [{ "path": "/a", "contents": { "source": "${good}" } }, ` +
    `{ "path": "/b", "contents": { "source": "${source}" } }] } }`
  for (const [bad, reason] of [
    ['data:;base64,A', 'the base64 of this data: URL is broken'],
    ['data:;base64,A-B_', 'the base64 of this data: URL is broken'],
    ['ftp://x', 'does not fetch ftp: URLs'],
  ] as const) {
    const text = config(bad)
    const column = text.lastIndexOf(`"${bad}"`) + 1
    t.throws(() => renderedIgnition('x', text), { message: new RegExp(`column ${column}: .*${reason}`) }, bad)
  }
  t.throws(() => renderedIgnition('x', config(good).slice(0, -1)), { message: /a comma or } is wanted/ })
})

/** A text as JSON, written in one of three ways. */
function written(text: string, how: number): string {
  const json = JSON.stringify(text)
  return how === 0 ? json : how === 1 ? json.replaceAll('A', '\\u0041') : json.replaceAll('/', '\\/')
}
