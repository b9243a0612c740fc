import t from 'tap'
import fc from 'fast-check'
import type { Requirement, Selector } from '#model/selector.ts'
import { verdictOf } from '#server/boot/match/groups.ts'
import { matchesGlob } from '#server/boot/match/glob.ts'
import { commonLabels, takesAll } from '#server/boot/match/overlap.ts'

const glob = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 5 })
const cidr = fc.constantFrom('10.0.0.0/8', '10.20.0.0/24', '10.20.0.7', 'fd00::/8', '::/0', '0.0.0.0/0')
const item = fc.oneof(
  fc.constantFrom('', 'a', 'ab', 'ba', '10.20.0.7', 'fd00::1'),
  glob.map(it => ({ glob: it })),
  cidr.map(it => ({ cidr: it })),
  fc.boolean().map(it => ({ present: it })),
)
const requirement: fc.Arbitrary<Requirement> = fc.oneof(item, fc.array(item, { minLength: 1, maxLength: 3 }))
const selector = fc.dictionary(fc.constantFrom('hostname', 'serial', 'x'), requirement)

const fits = (wanted: Selector, labels: Record<string, string>) =>
  verdictOf({ id: '', profile: '', selector: wanted, metadata: {} }, labels).fit !== 'none'

/** A selector without the labels that the other does not ask for. */
const shared = (one: Selector, other: Selector): Selector =>
  Object.fromEntries(Object.entries(one).filter(([key]) => Object.hasOwn(other, key)))

t.test('commonLabels returns the labels of a machine that both selectors match', async () => {
  fc.assert(
    fc.property(selector, selector, (a, b) => {
      const labels = commonLabels(a, b)
      return labels === undefined || (fits(shared(a, b), labels) && fits(shared(b, a), labels))
    }),
    { numRuns: 3000 },
  )
})

/** Every text of up to five letters. */
const texts = ['']
for (let at = 0; (texts[at]?.length ?? 5) < 5; at += 1) texts.push(`${texts[at]}a`, `${texts[at]}b`)

t.test('two globs overlap when any text meets both', async () => {
  fc.assert(
    fc.property(glob, glob, (a, b) => {
      const meets = texts.some(text => matchesGlob(a, text) && matchesGlob(b, text))
      const labels = commonLabels({ x: { glob: a } }, { x: { glob: b } })
      return meets ? labels !== undefined : labels === undefined || (labels['x']?.length ?? 0) > 5
    }),
    { numRuns: 2000 },
  )
})

t.test('who takes all machines of another takes each of them', async () => {
  const labels = fc.dictionary(
    fc.constantFrom('hostname', 'serial', 'x'),
    fc.constantFrom('', ...texts, '10.20.0.7'),
  )
  fc.assert(
    fc.property(selector, selector, labels, (outer, inner, shown) => {
      return !takesAll(outer, inner) || !fits(inner, shown) || fits(outer, shown)
    }),
    { numRuns: 3000 },
  )
})

t.test('globs of MACs and UUIDs overlap only in what is one', async t => {
  t.same(commonLabels({ mac: { glob: '52:54:*' } }, { mac: { glob: '*:AA' } }), { mac: '52:54:00:00:00:aa' })
  t.equal(commonLabels({ mac: { glob: '52:54:00:*' } }, { mac: { glob: '52:5?:00:0:*' } }), undefined)
  t.equal(commonLabels({ uuid: { glob: 'a*' } }, { uuid: { glob: '*-b' } }), undefined)
})

t.test('globs that could be tried for ever are answered at once', async t => {
  const [a, b] = ['*a'.repeat(60), '*b'.repeat(60)]
  t.equal(commonLabels({ x: { glob: a } }, { x: { glob: b } }), undefined, 'one ends in a, the other in b')
  const text = commonLabels({ x: { glob: `${a}*` } }, { x: { glob: `${b}*` } })?.['x'] ?? ''
  t.ok(matchesGlob(`${a}*`, text) && matchesGlob(`${b}*`, text))
  t.equal(commonLabels({ x: { glob: 'a*'.repeat(65) } }, { x: { glob: '*' } }), undefined, 'or not compared')
})
