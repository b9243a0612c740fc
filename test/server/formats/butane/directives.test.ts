// Directives and document markers of YAML, of which Go's parser takes fewer than ours.

import t from 'tap'
import { firstDocument, parseYaml, refuseDirectives, yamlScalar } from '#server/formats/butane/yaml.ts'

t.test('version 1.1 is the one that may be named, once', async t => {
  for (const text of [
    '%YAML 1.1\n---\na: 1\n',
    '# c\n\n%YAML\t1.1 # c\n---\na: 1\n',
    '%TAG ! tag:x,2000:\n---\na: 1\n',
    '%YAML 01.1\n---\na: 1\n',
    '%YAML 1.01#c\n--- # c\na: 1\n',
    '\uFEFF%YAML 1.1\n---\na: 1\n',
    'a: 1\n%YAML 1.1\n',
    'a: 1\n%YAML 1.1\n---\nb',
    'a: "x\n  %FOO"\n',
    'a: 1\n...\n%YAML 1.2\n',
  ])
    t.equal(parseYaml(text).kind, 'object', text)
  for (const version of ['1.0', '1.2', '1.3', '2.0', '1', ''])
    t.throws(() => parseYaml(`%YAML ${version}\n---\na: 1\n`), { code: 'BAD_YAML' }, version)
  t.throws(() => refuseDirectives('%YAML 1.1\n%YAML 1.1\n---\n'), { code: 'BAD_YAML', offset: 10 })
  t.throws(() => refuseDirectives('%FOO bar\n---\n'), { code: 'BAD_YAML', offset: 0 })
  for (const text of [
    '%TAG !e! tag:x:\n%TAG !e! tag:y:\n---\na: 1\n',
    '%TAG !e x\n---\na: 1\n',
    '%YAML 1.1\na: 1\n',
    'a: 1\n...\n%FOO\n',
    'a: 1\n%FOO\n',
    'a: 1\n---\n%FOO\n',
  ])
    t.throws(() => parseYaml(text), { code: 'BAD_YAML' }, text)
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

const valueOf = (text: string) => {
  const root = parseYaml(`a:\n  b: ${text}\n`)
  const [outer] = root.kind === 'object' ? root.members : []
  const [inner] = outer?.value.kind === 'object' ? outer.value.members : []
  return inner?.value
}

t.test('quoted texts have the escapes of Go, and go on in any column', async t => {
  const rows = [
    ['"it\\\'s"', "it's"],
    ['"a\\\\\'b"', "a\\'b"],
    ['"a\n\n b"', 'a\nb'],
    ['"a \n b\n\n\nc"', 'a b\n\nc'],
    ['"a \\\n b"', 'a b'],
    ['"a\\\\\n b"', 'a\\ b'],
    ["'it''s\n\nb'", "it's\nb"],
  ] as const
  for (const [text, value] of rows) t.match(valueOf(text), { kind: 'string', value }, text)
  for (const text of ['"a\\/b"', '"\\ud83d\\ude00"', '"\\U0000d83d"', '"a\n--- b"'])
    t.throws(() => valueOf(text), { code: 'BAD_YAML' }, text)
  t.throws(() => parseYaml('a: "b\n'.repeat(50)), { code: 'BAD_YAML' })
})

t.test('a tag asks for its type of a text in quotes, too', async t => {
  t.match(valueOf('!!int "0x10"'), { kind: 'number', value: 16 })
  t.match(valueOf('!!float 3'), { kind: 'number', value: 3 })
  t.match(valueOf('!!bool "true"'), { kind: 'boolean', value: true })
  t.match(valueOf('!!null ""'), { kind: 'null' })
  t.match(valueOf('!root'), { kind: 'string', value: '' }, 'any other tag makes a text')
  t.match(valueOf('! 5'), { kind: 'number', value: 5 })
  for (const text of ['!!int 1.5', '!!int x', '!!bool "yes"', '!!null x', '!!float "x"'])
    t.throws(() => valueOf(text), { code: 'BAD_YAML' }, text)
})

const integer = (text: string) => yamlScalar(valueOf(text)!, 'integer')

t.test('an integer has 64 bits', async t => {
  t.equal(integer('9223372036854775807'), 9223372036854775807n)
  t.equal(integer('0x7fff_ffff_ffff_ffff'), 9223372036854775807n)
  t.equal(integer('-9223372036854775808'), -9223372036854775808n)
  t.equal(integer('-0o17'), -15)
  t.equal(integer('1.9'), 1)
  for (const text of ['9223372036854775808', '18446744073709551616', '1e300', 'x'])
    t.equal(integer(text), undefined, text)
})

t.test('a line begins with a tab only in brackets, in quotes, or behind a plain text', async t => {
  for (const text of [
    'a: {}\n\t\n',
    'a: {}\n \t# c\n',
    '\t\na: 1\n',
    '---\n \t\na: 1\n',
    'a:\n\t\n  b: 1\n',
    'a: |\n  x\n\t\n',
    'a: x\n\t\n',
    'a:\n    x\n\t\n',
  ])
    t.throws(() => parseYaml(text), { code: 'BAD_YAML' }, JSON.stringify(text))
  for (const text of [
    'a: x\n  \t\n',
    'a: x\n \t# c\nb: 1\n',
    'a: "x\n\ty"\n',
    'a: |\n  x\n  \ty\n',
    'a: 1 \t\n',
  ])
    t.equal(parseYaml(text).kind, 'object', JSON.stringify(text))
})

const plain = (text: string) =>
  JSON.stringify(parseYaml(text), (key, value: unknown) => (key === 'at' ? undefined : value))

t.test('what is in brackets may be in any column', async t => {
  for (const [text, same] of [
    ['a: {b: [\n]}\nc: 1\n', 'a: {b: []}\nc: 1\n'],
    ["a: {b: [ # it's {\n{c: d}, # ]\n\n\t{c: 'e'}\n]\n}\n", "a: {b: [{c: d}, {c: 'e'}]}\n"],
    ['a: {b: [\nc\nd\n\ne, "#\n ]"]}\n', 'a: {b: ["c d\\ne", "# ]"]}\n'],
    ['a: {\r\n"b": 1\r\n}\r\n', 'a: {"b": 1}\n'],
  ] as const)
    t.equal(plain(text), plain(same), text)
  for (const text of ['a: {b: [\n{c\n: d}]}\n', 'a: {b: [\n{c: d}\n', 'a: {b: [\n- c]}\n', 'a: {b: [\n]]}\n'])
    t.throws(() => parseYaml(text), { code: 'BAD_YAML' }, text)
})

t.test('a text of a megabyte is read or refused at once', async t => {
  const most = 1 << 20
  const fill = (part: string, head = '', tail = '') => head + part.repeat((most - 100) / part.length) + tail
  for (const text of [
    fill('\n'),
    fill('\n', '', 'a: 1\n'),
    fill(' # c\n', '', 'a: 1\n'),
    fill('\n', 'a: x', '\t\nb: 1\n'),
    fill('\n', 'a: [\n{', '\n}]\n'),
    fill('\n', 'a: {b: [c', ',\n]}\n'),
    fill('"', 'a: [\n', '\n]'),
    fill('\n', 'a: "b', '"\n'),
    fill("\\'", 'a: "', '"\n'),
    fill('[\n]\n', 'a: [\n', ']\n'),
    fill('\n', 'a: 1\n...', '%FOO\n'),
    fill('\n', 'a: 1\n...\n'),
  ]) {
    const before = performance.now()
    try {
      firstDocument(text)
      parseYaml(text)
    } catch (error) {
      t.match(error, { code: 'BAD_YAML' })
    }
    t.ok(performance.now() - before < 10_000, JSON.stringify(text.slice(0, 20)))
  }
})
