import t from 'tap'
import fc from 'fast-check'
import type { Group, Labels } from '#server/inventory/objects.ts'
import { GroupIndex, inMatchingOrder, matches } from '#server/match/groups.ts'

const group = (id: string, selector?: Labels): Group => ({ id, profile: id, ...(selector && { selector }) })

const cases: readonly [why: string, groups: Group[], labels: Labels, id: string | undefined][] = [
  ['no group takes nobody', [], {}, undefined],
  ['an empty selector takes anybody', [group('any')], { mac: 'x' }, 'any'],
  ['all requirements must be met', [group('a', { x: '1', y: '2' })], { x: '1' }, undefined],
  [
    'more requirements win',
    [group('a', { x: '1' }), group('b', { x: '1', y: '2' })],
    { x: '1', y: '2' },
    'b',
  ],
  ['a match beats the default', [group('any'), group('a', { x: '1' })], { x: '1' }, 'a'],
  [
    'among equals the last text wins',
    [group('a', { aaa: '1' }), group('b', { bbb: '1' })],
    { aaa: '1', bbb: '1' },
    'b',
  ],
  ['among the same the first wins', [group('a', { x: '1' }), group('b', { x: '1' })], { x: '1' }, 'a'],
  ['an empty requirement means absence', [group('a', { os: '' })], {}, 'a'],
  ['or an empty label', [group('a', { os: '' })], { os: '' }, 'a'],
  ['and nothing else', [group('a', { os: '' })], { os: 'installed' }, undefined],
  ['keys are compared with their case', [group('a', { MAC: 'x' })], { mac: 'x' }, undefined],
  ['values too', [group('a', { serial: 'x' })], { serial: 'X' }, undefined],
  ['but UUIDs without', [group('a', { uuid: 'AbC' })], { uuid: 'aBc' }, 'a'],
]

for (const [why, groups, labels, id] of cases) {
  t.test(why, async t => t.equal(new GroupIndex(groups).select(labels)?.id, id))
}

t.test('ties are broken by bytes, not by the alphabet of a language', async t => {
  const order = inMatchingOrder([group('z', { k: 'z' }), group('é', { k: 'é' }), group('Z', { k: 'Z' })])
  t.same(
    order.map(({ id }) => id),
    ['é', 'z', 'Z'],
  )
})

t.test('the index finds what a walk over all groups finds', async () => {
  const key = fc.constantFrom('mac', 'uuid', 'os', 'rack')
  const value = fc.constantFrom('', 'a', 'A', 'b')
  const labels = fc.dictionary(key, value)
  const groups = fc
    .array(labels, { maxLength: 12 })
    .map(selectors => selectors.map((selector, at) => group(String(at), selector)))
  fc.assert(
    fc.property(groups, labels, (groups, labels) => {
      const walked = inMatchingOrder(groups).find(({ selector }) => matches(selector ?? {}, labels))
      return new GroupIndex(groups).select(labels)?.id === walked?.id
    }),
  )
})
