// The seeded mistakes of test/lint/mistakes, each with its place; whatever else is found is wrong.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { lintDirectory } from '#server/boot/lint/directory.ts'
import { LINT_CODES } from '#model/finding.ts'
import { lintText } from '#server/boot/lint/findings.ts'

const ROOT = join(import.meta.dirname, '../../../..')
const MISTAKES = join(ROOT, 'test/lint/mistakes')

const EXPECTED: readonly (readonly [code: keyof typeof LINT_CODES, place: string])[] = [
  ['PL-2036', 'cloud/shell.sh:1'],
  ['PL-2033', 'generic/open.tmpl:2'],
  ['PL-2034', 'generic/open.txt.njk:2'],
  ['PL-2004', 'groups/aimless.json:1'],
  ['PL-2010', 'groups/bad-mac.json:5'],
  ['PL-2010', 'groups/bad-network.json:5'],
  ['PL-2014', 'groups/below.json:4'],
  ['PL-2010', 'groups/empty-list.json:5'],
  ['PL-2002', 'groups/flat.json:5'],
  ['PL-2038', 'groups/hidden.json:8'],
  ['PL-2013', 'groups/loud-label.json:4'],
  ['PL-2011', 'groups/loud-label.json:5'],
  ['PL-2012', 'groups/mac-1.json:5'],
  ['PL-2013', 'groups/mac-2.json:4'],
  ['PL-2001', 'groups/marked.json:1'],
  ['PL-2006', 'groups/misnamed.json:2'],
  ['PL-2014', 'groups/network-2.json:5'],
  ['PL-2020', 'groups/no-such-profile.json:3'],
  ['PL-2008', 'groups/notes.txt:1'],
  ['PL-2010', 'groups/number.json:4'],
  ['PL-2016', 'groups/pattern-1.json:5'],
  ['PL-2008', 'groups/racks/nested.json:1'],
  ['PL-2005', 'groups/repeated.json:5'],
  ['PL-2006', 'groups/same-id-2.json:2'],
  ['PL-2007', 'groups/same-id.json:2'],
  ['PL-2011', 'groups/short-uuid.json:5'],
  ['PL-2013', 'groups/tie-1.json:4'],
  ['PL-2013', 'groups/tie-2.json:4'],
  ['PL-2001', 'groups/torn.json:4'],
  ['PL-2014', 'groups/twin-2.json:4'],
  ['PL-2003', 'groups/typo.json:4'],
  ['PL-2030', 'ignition/broken.ign:4'],
  ['PL-2029', 'ignition/forgotten.ign:1'],
  ['PL-2043', 'ignition/legacy.yaml:1'],
  ['PL-2030', 'ignition/relative.ign:4'],
  ['PL-2039', 'ignition/secret.bu:6'],
  ['PL-2037', 'ignition/secret.bu:9'],
  ['PL-2035', 'ignition/templated.ign.njk:4'],
  ['PL-2031', 'ignition/unknown.ign:3'],
  ['PL-2032', 'ignition/wrong.bu:6'],
  ['PL-2002', 'machines/three.json:6'],
  ['PL-2015', 'machines/two.json:6'],
  ['PL-2002', 'profiles/args.json:5'],
  ['PL-2042', 'profiles/braces.json:10'],
  ['PL-2026', 'profiles/broken-line.json:6'],
  ['PL-2027', 'profiles/climbing.json:12'],
  ['PL-2024', 'profiles/huge.json:5'],
  ['PL-2025', 'profiles/nameless.json:5'],
  ['PL-2023', 'profiles/no-asset.json:4'],
  ['PL-2022', 'profiles/no-kernel.json:3'],
  ['PL-2021', 'profiles/no-template.json:12'],
  ['PL-2022', 'profiles/nothing.json:1'],
  ['PL-2028', 'profiles/unused.json:2'],
]

/** Those of a directory as a whole: test/cases/lint.test.ts has them. */
const ELSEWHERE = ['PL-2040', 'PL-2041', 'PL-2044']

function run(...args: string[]) {
  return spawnSync(join(ROOT, 'bin/pilotlight'), ['lint', ...args], { encoding: 'utf8', timeout: 20_000 })
}

/** A copy with the one file that is too large to keep. */
function mistakes(t: Test): string {
  const folder = join(t.testdir(), 'data')
  cpSync(MISTAKES, folder, { recursive: true })
  const huge = join(folder, 'assets/huge.img')
  writeFileSync(huge, '')
  truncateSync(huge, 5 * 2 ** 30)
  return folder
}

t.test('lint names every seeded mistake by file and line, and nothing else', async t => {
  const found = lintDirectory(mistakes(t))
  t.strictSame(
    found.map(({ code, file, line }) => `${code} ${file}:${line}`),
    EXPECTED.map(([code, place]) => `${code} ${place}`),
  )
  for (const finding of found) t.ok(finding.remedy.length > 10, lintText(finding))
})

t.test('each rule has a seeded mistake, and a paragraph in docs/errors.md', async t => {
  const page = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8')
  const seeded = new Set<string>([...EXPECTED.map(([code]) => code), ...ELSEWHERE])
  for (const [code, title] of Object.entries(LINT_CODES)) {
    t.ok(seeded.has(code), `${code} is seeded`)
    t.match(page, `## ${code} ${title}\n`)
  }
})

t.test('what a fresh server serves is clean', async t => {
  t.strictSame(lintDirectory(ROOT, ''), [])
})

t.test(
  'the command exits with 1 when something is found, 0 when nothing is, 2 without a directory',
  async t => {
    const text = run(MISTAKES)
    t.equal(text.status, 1)
    t.match(text.stdout, /^PL-2001 groups\/torn.json:4:1 error: a key in quotes is wanted\n {2}fix the JSON/m)
    t.match(text.stderr, /^\S+: \d+ errors, \d+ warnings in \d+ groups, \d+ profiles, \d+ templates\n$/)
    const { findings } = JSON.parse(run('--json', MISTAKES).stdout) as { findings: { code: string }[] }
    t.equal(findings.length, EXPECTED.length)
    const clean = {
      groups: { 'g.json': '{"profile":"p"}' },
      profiles: { 'p.json': '{"id":"p","generic_id":"g"}' },
    }
    t.equal(run(t.testdir({ ...clean, generic: { g: '' } })).status, 0)
    const empty = run(t.testdir({ groups: {}, ignition: { 'README.md': '' } }))
    t.equal(empty.status, 2)
    t.match(empty.stderr, 'nothing in them, so nothing was looked at')
    t.equal(run(join(t.testdirName, 'none')).status, 2)
  },
)

const group = (id: string, selector: object) => JSON.stringify({ id, profile: 'p', selector })

t.test('the same serial number or UUID in two spellings is a tie', async t => {
  const root = t.testdir({
    profiles: { 'p.json': JSON.stringify({ id: 'p', boot: { kernel: 'http://a/k' } }) },
    groups: {
      'a.json': group('a', { serial: 'AbC1' }),
      'b.json': group('b', { serial: 'aBc1' }),
      'c.json': group('c', { uuid: '00112233-4455-6677-8899-aabbccddeeff' }),
      'd.json': group('d', { uuid: '33221100-5544-7766-8899-AABBCCDDEEFF' }),
      'e.json': group('e', { serial: 'other' }),
    },
  })
  const found = lintDirectory(root)
  t.strictSame(
    found.map(({ code, file }) => [code, file]),
    [
      ['PL-2013', 'groups/a.json'],
      ['PL-2013', 'groups/c.json'],
    ],
  )
})

/** The findings on groups with these selectors. */
function foundIn(t: Test, selectors: Readonly<Record<string, object>>, priority = 0) {
  const root = t.testdir({
    profiles: { 'p.json': JSON.stringify({ id: 'p', boot: { kernel: 'http://a/k' } }) },
    groups: Object.fromEntries(
      Object.entries(selectors).map(([id, selector], at) => [
        `${id}.json`,
        JSON.stringify({ id, profile: 'p', selector, priority: at * priority }),
      ]),
    ),
  })
  return lintDirectory(root).map(({ code, file, what }) => [code, file, what])
}

t.test('groups whose patterns take one machine are a tie, and the machine is named', async t => {
  const both = { a: { mac: { glob: '52:54:00:*:01' } }, b: { mac: { glob: '52:54:00:aa:*' } } }
  t.match(foundIn(t, both), [
    ['PL-2016', 'groups/a.json', /^a machine with mac=52:54:00:aa:00:01 fits groups\/b.json too/],
  ])
  t.strictSame(foundIn(t, both, 1), [], 'unless one has a priority')
  const mixed = {
    a: { hostname: { glob: 'cmp-*' }, rack: ['r1', 'r2'] },
    b: { hostname: { glob: '*-7' }, rack: ['r2', 'r3'] },
  }
  t.match(foundIn(t, mixed), [['PL-2016', 'groups/b.json', /with hostname=cmp-7, rack=r2 fits/]])
})

t.test('a group that a pattern before it takes whole is never reached', async t => {
  const found = foundIn(t, { one: { mac: '52:54:00:aa:00:01' }, all: { mac: { glob: '52:54:00:*' } } })
  t.match(found, [['PL-2014', 'groups/one.json', /groups\/all.json goes first, as its text sorts last/]])
})

t.test('patterns that no machine meets together are let be', async t => {
  for (const [a, b] of [
    [{ hostname: { glob: 'cmp-*' } }, { hostname: { glob: 'ctl-*' } }],
    [{ mac: { glob: '*aa' } }, { mac: { glob: '*:0?' } }],
    [{ address: { cidr: '10.20.0.0/24' } }, { address: { cidr: '10.20.1.0/24' } }],
    [{ address: { cidr: '10.20.0.0/24' } }, { address: { cidr: 'fd00::/8' } }],
    [{ os: { present: true } }, { os: { present: false } }],
    [
      { hostname: { glob: 'a*' }, rack: '1' },
      { hostname: { glob: 'a*' }, rack: '2' },
    ],
    [
      { mac: '52:54:00:00:00:01', os: { glob: 'a*' } },
      { uuid: 'x', os: { glob: 'ab*' } },
    ],
    [{ hostname: { glob: 'a*' } }, { hostname: { glob: 'ab*' }, rack: '1' }],
  ] as const) {
    const found = foundIn(t, { a, b }).filter(([code]) => code !== 'PL-2011')
    t.strictSame(found, [], JSON.stringify([a, b]))
  }
})

t.test('no directory makes it fail', async t => {
  const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null))
  const value = fc.letrec(tie => ({
    any: fc.oneof(
      scalar,
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(fc.string(), tie('any'), { maxKeys: 3 }),
    ),
  })).any
  const key = fc.constantFrom(
    'id',
    'profile',
    'selector',
    'metadata',
    'boot',
    'ignition_id',
    'generic_id',
    'cloud_id',
    'x',
  )
  const file = fc.oneof(
    fc.string(),
    fc.dictionary(key, fc.oneof(value, fc.constant('a'))).map(it => JSON.stringify(it)),
  )
  const name = fc.constantFrom(
    'groups/a.json',
    'groups/b.json',
    'profiles/a.json',
    'machines/a.json',
    'ignition/a',
    'generic/a',
    'cloud/a',
    'ipxe/a.ipxe.njk',
  )
  const root = t.testdir()
  let turn = 0
  fc.assert(
    fc.property(fc.dictionary(name, file), files => {
      const folder = join(root, String((turn += 1)))
      for (const kind of ['groups', 'profiles', 'machines', 'ignition', 'generic', 'cloud', 'ipxe']) {
        mkdirSync(join(folder, kind), { recursive: true })
      }
      for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, path), text)
      return lintDirectory(folder).every(({ line, column }) => line >= 1 && column >= 1)
    }),
    { numRuns: 150 },
  )
})
