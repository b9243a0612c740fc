import t from 'tap'
import fc from 'fast-check'
import { parseLabels, rawQueryOf } from '#server/boot/match/labels.ts'

const cases: readonly [why: string, query: string, labels: Record<string, string>][] = [
  ['no query, no labels', '', {}],
  ['keys and values are unescaped', 'a=1%202&b%3D=x+y', { a: '1 2', 'b=': 'x y' }],
  ['the first value of a key counts', 'x=1&x=2', { x: '1' }],
  ['a flag is an empty value', 'flag&other=', { flag: '', other: '' }],
  ['a pair with a broken escape is dropped', 'a=%zz&b=2&%=3', { b: '2' }],
  ['a pair with a semicolon is dropped', 'a=1;b=2&c=3', { c: '3' }],
  ['a MAC is normalised under its key', 'mac=52-54-00-20-00-01', { mac: '52:54:00:20:00:01' }],
  ['so it is under any case of the key', 'MAC=525400200001', { MAC: '52:54:00:20:00:01' }],
  ['a MAC that is none is dropped', 'mac=52:54&uuid=A', { uuid: 'A' }],
  ['only its first value is looked at', 'mac=junk&mac=525400200001', {}],
  ['case is kept elsewhere', 'UUID=AbC', { UUID: 'AbC' }],
  ['UTF-8 is read, escaped or not', 'n=bl%C3%BCte&m=blüte', { n: 'blüte', m: 'blüte' }],
  [
    'names of Object are nothing special',
    '__proto__=1&constructor=2',
    JSON.parse('{"__proto__":"1","constructor":"2"}'),
  ],
]

for (const [why, query, labels] of cases) {
  t.test(why, async t => t.strictSame({ ...parseLabels(query) }, labels))
}

t.test('no query makes it fail', async () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), query => typeof parseLabels(query) === 'object'))
})

t.test('the query is all that follows the first question mark', async t => {
  t.equal(rawQueryOf('/ipxe?a=b?c'), 'a=b?c')
  t.equal(rawQueryOf('/ipxe'), '')
})
