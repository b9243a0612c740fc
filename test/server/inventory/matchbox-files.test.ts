import t from 'tap'
import { type BrokenFile, parseGroup, parseProfile, placeOf } from '#server/inventory/matchbox-files.ts'

const args = (json: string) => parseProfile(`{"id": "p", "boot": {${json}}}`).boot?.args

t.test('keys that are there again are merged, as by Go', async t => {
  const group = parseGroup(`{
    "id": "first", "Selector": {"mac": "52-54-00-30-00-01"}, "metadata": {"a": {"x": 1}, "b": 2},
    "ID": "second", "selector": {"os": "installed", "mac": "52-54-00-30-00-02"}, "Metadata": {"a": {"y": 3}},
    "id": null, "profile": "p"
  }`)
  t.strictSame(group, {
    id: 'second',
    profile: 'p',
    selector: { mac: '52:54:00:30:00:02', os: 'installed' },
    metadata: { a: { y: 3 }, b: 2 },
  })
})

t.test('null empties a selector and metadata, and leaves a text', async t => {
  const text =
    '{"profile": "p", "profile": null, "selector": {"a": "1"}, "selector": null, "metadata": {"m": 1}, "METADATA": null}'
  t.strictSame(parseGroup(text), { id: '', profile: 'p' })
})

t.test('names of fields are folded as Unicode does, those of labels are not', async t => {
  const group = parseGroup('{"\u017felector": {"\u017f": "1", "s": "2"}, "PROFILE": "p"}')
  t.strictSame(group.selector, { '\u017f': '1', s: '2' })
  const profile = parseProfile('{"id": "p", "boot": {"\u212aernel": "/k"}, "B\\u004fot": {"ARGS": ["a"]}}')
  t.strictSame(profile.boot, { kernel: '/k', args: ['a'] })
})

t.test('a list is written over the one before, where null leaves what is there', async t => {
  t.strictSame(args('"args": ["a", "b"], "args": ["c"]'), ['c'])
  t.strictSame(args('"args": ["a", "b"], "args": [null]'), ['a'])
  t.strictSame(args('"args": ["a", "b"], "args": ["c"], "args": [null, null]'), ['c', 'b'])
  t.strictSame(args('"args": ["a", "b"], "args": [], "args": [null, null]'), ['', ''])
  t.strictSame(args('"args": ["a"], "args": null'), undefined)
})

t.test('what cannot be text becomes U+FFFD', async t => {
  t.equal(parseGroup('{"id": "\\ud800x\\udc00", "profile": "p"}').id, '\ufffdx\ufffd')
  t.equal(parseGroup('{"id": "\udcff\udcfe", "profile": "p"}').id, '\ufffd\ufffd', 'bytes that are not UTF-8')
  t.equal(parseGroup('{"id": "\\ud800\udc80", "profile": "p"}').id, '\ufffd\ufffd', 'no pair of both')
})

t.test('a value that counts no more can still make a file unreadable, and its place is named', async t => {
  for (const [text, column] of [
    ['{"id": 7, "id": "x"}', 8],
    ['{"selector": {"a": 7}, "selector": {"a": "x"}}', 20],
    ['{"selector": [], "selector": {}}', 14],
    ['{"metadata": {"n": 1e400}}', 20],
    ['{"profile": "p"} {}', 18],
    ['[]', 1],
  ] as const) {
    t.throws(() => parseGroup(text), { code: 'BROKEN_FILE' }, text)
    try {
      parseGroup(text)
    } catch (error) {
      t.equal(placeOf(text, error as BrokenFile).column, column, text)
    }
  }
})
