// Values are read as Helm reads them: a table by hand, and Helm's own reader over texts that were made at random.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { parseHelmYaml } from '#rack/site/helm-yaml.ts'
import { READER, readAsHelm, skip } from './values-reader/program.ts'

const ROOT = join(import.meta.dirname, '../../..')

const words: readonly [word: string, value: unknown][] = [
  ['yes', true],
  ['Yes', true],
  ['on', true],
  ['ON', true],
  ['y', true],
  ['no', false],
  ['N', false],
  ['Off', false],
  ['yEs', 'yEs'],
  ['nO', 'nO'],
  ['"no"', 'no'],
  ["'on'", 'on'],
  ['!!str no', 'no'],
  ['!!bool "yes"', true],
  ['! off', 'off'],
  ['~', null],
  ['NULL', null],
  ['nULL', 'nULL'],
  ['', null],
  ['0644', 420],
  ['0o644', 420],
  ['"0644"', '0644'],
  ['-0644', -420],
  ['0_7', 7],
  ['08', 8],
  ['09.5', 9.5],
  ['0x1F', 31],
  ['0b101', 5],
  ['1_000', 1000],
  ['_1', '_1'],
  ['12:30:45', '12:30:45'],
  ['1e3', 1000],
  ['1e400', '1e400'],
  ['1.', 1],
  ['.5', 0.5],
  ['._5', '._5'],
  ['.0_5e1_0', 0.05e10],
  ['.5_', '.5_'],
  ['1.10', 1.1],
  ['2024-01-02', '2024-01-02'],
  ['2001-12-14t21:59:43Z', '2001-12-14t21:59:43Z'],
  ['18446744073709551615', 2 ** 64],
  ['9223372036854775808', 2 ** 63],
  ['1e21', 1e21],
  ['9007199254740993', 9007199254740992],
  ['07777777777777777777777777', 7.777777777777778e24],
  ['0xFFFFFFFFFFFFFFFFF', '0xFFFFFFFFFFFFFFFFF'],
  ['10.20.0.1', '10.20.0.1'],
  ['52:54:00:20:00:01', '52:54:00:20:00:01'],
  ['!!binary aGk=', 'hi'],
  ['!mine 7', '7'],
  ['!!float 7', 7],
]

t.test('a word means what it means to Helm', async t => {
  for (const [word, value] of words)
    t.strictSame(parseHelmYaml('values.yaml', `key: ${word}\n`), { key: value }, word)
})

const texts: readonly [what: string, text: string, value: unknown][] = [
  ['keys are texts', 'yes: 1\n8080: 2\n010: 3\nno: 4\n', { true: 1, 8080: 2, 8: 3, false: 4 }],
  [
    'a number is written as Go does',
    '1.5: 1\n1e6: 2\n1.25e25: 3\n9007199254740993: 4\n0.00001: 5\n',
    { '9007199254740993': 4, 1.5: 1, '1e+06': 2, '1.25e+25': 3, '1e-05': 5 },
  ],
  ['the last of two equal keys counts', 'a: 1\na: 2\n', { a: 2 }],
  [
    'a merge takes effect where it is written',
    'b: &b {x: 1}\na: {x: 2, <<: *b}\n',
    { b: { x: 1 }, a: { x: 1 } },
  ],
  ['a merge gives way to what follows', 'b: &b {x: 1}\na: {<<: *b, x: 2}\n', { b: { x: 1 }, a: { x: 2 } }],
  [
    'of merged maps the first wins',
    'b: &b {x: 1}\nc: &c {x: 2, z: 3}\na: {<<: [*b, *c]}\n',
    { b: { x: 1 }, c: { x: 2, z: 3 }, a: { x: 1, z: 3 } },
  ],
  ['a quoted merge key is a key', '"<<": {a: 1}\n', { '<<': { a: 1 } }],
  [
    'an anchor is the last before its alias',
    'a: &x 1\nb: *x\nc: &x no\nd: *x\n',
    { a: 1, b: 1, c: false, d: false },
  ],
  ['only the first document counts', 'a: on\n---\nb: 1\n', { a: true }],
  ['a block text stays a text', 'a: |\n  no\n', { a: 'no\n' }],
  ['a key may be called __proto__', '__proto__: {a: 1}\n', JSON.parse('{"__proto__":{"a":1}}')],
]
for (const [what, text, value] of texts)
  t.test(what, async t => {
    t.strictSame(sorted(parseHelmYaml('values.yaml', text)), sorted(value))
  })

t.test('what Helm refuses is refused with its place', async t => {
  const refused: readonly [text: string, message: RegExp][] = [
    ['a:\n  b: .inf\n', /^values\.yaml:2:6 "\.inf" is not a number that JSON has/],
    ['a: .NaN\n', /^values\.yaml:1:4 /],
    ['~: 1\n', /^values\.yaml:1:1 a key must be a text/],
    ['[1]: 1\n', /a key must be a text/],
    ['1234567.5: 1\n', /a key must be a text: put it in quotes/],
    ['12: 1\n"12": 2\n', /^values\.yaml:2:1 the key "12" is written twice/],
    ['a: &a [*a]\n', /deep/],
    ['a: *b\n', /b/],
    ['a: {<<: 1}\n', /"<<" takes a mapping/],
    ['a: !!int many\n', /not what its tag says/],
    ['a: [\n', /^values\.yaml:/],
  ]
  for (const [text, message] of refused)
    t.throws(() => parseHelmYaml('values.yaml', text), { code: 'NOT_FOR_HELM', message }, text)
})

t.test('aliases that unfold to millions of values end soon', async t => {
  const levels = Array.from({ length: 12 }, (_, at) => `l${at + 1}: &l${at + 1} [${`*l${at}, `.repeat(9)}]`)
  const merges = Array.from(
    { length: 12 },
    (_, at) => `m${at + 1}: &m${at + 1} {<<: [${`*m${at}, `.repeat(9)}]}`,
  )
  const start = performance.now()
  for (const lines of [
    ['l0: &l0 x', ...levels],
    ['m0: &m0 {a: 1}', ...merges],
  ])
    t.throws(() => parseHelmYaml('values.yaml', `${lines.join('\n')}\n`), /unfold to more than/)
  t.ok(performance.now() - start < 10_000)
})

t.test('the reader that ours is compared with is the one in our Helm', async t => {
  const { module, version } = READER
  t.match(readFileSync(join(ROOT, 'images/go/helm/go.mod'), 'utf8'), `${module} ${version}`)
})

/** Words near the borders of what go-yaml knows, plain and in quotes. */
const word = fc.oneof(
  fc.constantFrom(...words.map(([text]) => text)),
  fc.constantFrom(
    'y',
    'n',
    'Y',
    'yes',
    'NO',
    'off',
    'true',
    'TRUE',
    'tRUE',
    'null',
    'Null',
    '.5',
    '+.5',
    '-.5e1',
    '+12',
  ),
  fc.stringMatching(/^[-+]?[0-9][0-9_]{0,20}$/),
  fc.stringMatching(/^[-+]?0[xobXOB]?[0-9a-f_]{0,18}$/),
  fc
    .stringMatching(/^[-+]?[0-9]{0,4}\.[0-9_]{0,4}([eE][-+]?[0-9]{1,3})?$/)
    .filter(it => it !== '-' && it !== '+'),
  fc.stringMatching(/^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([tT ][0-9]{1,2}:[0-9]{2}:[0-9]{2})?Z?$/),
  fc.stringMatching(/^[yYnNtTfFoO~][a-zA-Z]{0,4}$/),
  fc
    .tuple(
      fc.constantFrom('!!str ', '!!int ', '!!float ', '!!bool ', '!!null ', '! '),
      fc.constantFrom('1', '"1"', 'yes', '"no"', '0x10', '~', '1.5', 'x'),
    )
    .map(it => it.join('')),
  fc.string({ maxLength: 6 }).map(it => JSON.stringify(it)),
)
const key = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'c',
    'd',
    'yes',
    'off',
    '07',
    '12',
    '"12"',
    '<<',
    '1.5',
    '-2.50',
    '1e9',
    '0.00001',
    '2024-01-02',
    'true',
  ),
  fc.stringMatching(/^-?([1-9][0-9]{0,17}|0[0-7]{1,9}|[0-9]{1,3}\.[0-9]{1,3})$/),
  fc.stringMatching(/^[a-z][a-z0-9_-]{0,6}$/),
)
const tree: fc.Arbitrary<string> = fc.letrec<{ value: string }>(tie => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    word,
    fc.array(tie('value'), { maxLength: 3 }).map(items => `[${items.join(', ')}]`),
    fc
      .array(fc.tuple(key, tie('value')), { maxLength: 4 })
      .map(pairs => `{${pairs.map(([name, value]) => `${name}: ${value}`).join(', ')}}`),
  ),
})).value

/** The result of ours in the same form. */
function ours(text: string): { value?: unknown; error?: string } {
  try {
    return { value: parseHelmYaml('values.yaml', text) ?? {} }
  } catch (error) {
    return { error: (error as Error).message }
  }
}

t.test('reads what Helm reads, over made texts', { skip }, async t => {
  const made = fc.sample(fc.array(fc.tuple(key, tree), { minLength: 1, maxLength: 4 }), {
    numRuns: Number(process.env['RUNS'] ?? 3000),
    ...(process.env['SEED'] && { seed: Number(process.env['SEED']) }),
  })
  await compare(
    t,
    made.map(pairs => pairs.map(([name, value]) => `${name}: ${value}\n`).join('')),
  )
})

t.test('reads what Helm reads, of every values file and Chart.yaml of our charts', { skip }, async t => {
  const files = globSync('rack/charts/services/**/{values,Chart}.yaml', { cwd: ROOT })
  t.ok(files.length > 10)
  await compare(
    t,
    files.map(file => readFileSync(join(ROOT, file), 'utf8')),
  )
})

/** Fails for a text that both read with other values, or that we read and Helm does not. */
async function compare(t: Test, texts: readonly string[]): Promise<void> {
  const helm = await readAsHelm(texts)
  t.equal(helm.length, texts.length)
  for (const [at, text] of texts.entries()) {
    const [own, { value, error }] = [ours(text), helm[at]!] // one result each
    if (own.error !== undefined && error !== undefined) continue
    if (own.error !== undefined) {
      if (own.error.includes('is written twice')) continue // Helm takes either, by chance
      t.fail(`refused here: ${own.error}`, { text, value })
      continue
    }
    // JSON has no -0 that JavaScript would write.
    const [one, other] = [own.value, value ?? {}].map(it => JSON.stringify(sorted(it)))
    if (error !== undefined || one !== other)
      t.fail('read otherwise', { text, ours: one, helm: error ?? other })
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, own]) => [name, sorted(own)])
}
