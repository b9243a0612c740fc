// Directives and document markers of YAML, of which Go's parser takes fewer than ours.

import t from 'tap'
import { firstDocument, parseYaml, refuseDirectives } from '#server/formats/butane/yaml.ts'

t.test('version 1.1 is the one that may be named, once', async t => {
  for (const text of [
    '%YAML 1.1\n---\na: 1\n',
    '# c\n\n%YAML\t1.1 # c\n---\na: 1\n',
    '%TAG ! tag:x,2000:\n---\na: 1\n',
  ])
    t.equal(parseYaml(text).kind, 'object', text)
  for (const version of ['1.0', '1.2', '1.3', '2.0', '1', ''])
    t.throws(() => parseYaml(`%YAML ${version}\n---\na: 1\n`), { code: 'BAD_YAML' }, version)
  t.throws(() => refuseDirectives('%YAML 1.1\n%YAML 1.1\n---\n'), { code: 'BAD_YAML', offset: 10 })
  t.throws(() => refuseDirectives('%FOO bar\n---\n'), { code: 'BAD_YAML', offset: 0 })
  t.doesNotThrow(() => refuseDirectives('a: |\n  x\n%FOO\n'), 'in the document it is content')
})

t.test('the first document ends where another begins', async t => {
  t.equal(firstDocument('a: 1\n---\nx: [\n'), 'a: 1\n')
  t.equal(firstDocument('---\na: 1\n---\n- x\n'), '---\na: 1\n')
  t.equal(firstDocument('# c\n%YAML 1.1\n--- a\n...\n'), '# c\n%YAML 1.1\n--- a\n')
  t.equal(firstDocument('a: 1\n...\n# c\n%YAML 1.1\n---\nb: 2\n'), 'a: 1\n')
  t.equal(firstDocument('a: ---\n--- b\n'), 'a: ---\n')
  t.equal(firstDocument('a: 1\n'), 'a: 1\n')
  t.throws(() => firstDocument('a: 1\n...\nx\n'), { code: 'BAD_YAML' })
})
