import t from 'tap'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderedIgnition } from '#server/render/ignition.ts'
import { directoryFiles } from '#server/render/directory-files.ts'
import { Templates } from '#server/render/templates.ts'

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

t.test('what is no Ignition config is refused with the reason', async t => {
  t.throws(() => renderedIgnition('x', '{"ignition":'), {
    code: 'INVALID_IGNITION',
    message: /^x is not an Ignition config .*line 1, column 13: it ends in the middle/,
  })
  t.throws(() => renderedIgnition('x', '{}'), { message: /3.0.0 to 3.6.0/ })
  t.equal(renderedIgnition('x', '{ "ignition": {"version":"3.6.0"} }'), '{"ignition":{"version":"3.6.0"}}')
})
