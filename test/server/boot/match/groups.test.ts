import t from 'tap'
import fc from 'fast-check'
import type { Group } from '#model/group.ts'
import type { Labels, Requirement, Selector } from '#model/selector.ts'
import { GroupIndex, type Known, verdictOf } from '#server/boot/match/groups.ts'
import { compareRanked, compareTier, ranked } from '#server/boot/match/order.ts'

const group = (id: string, selector?: Selector, priority?: number): Group => ({
  id,
  profile: id,
  ...(selector && { selector }),
  ...(priority === undefined ? {} : { priority }),
})

type Case = readonly [why: string, groups: Group[], labels: Labels, id: string | undefined, known?: Known]

const asMatchbox: readonly Case[] = [
  ['no groups take no machine', [], {}, undefined],
  ['an empty selector takes any machine', [group('any')], { mac: 'x' }, 'any'],
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
  ['values too', [group('a', { hostname: 'x' })], { hostname: 'X' }, undefined],
]

const UUID = '00112233-4455-6677-8899-aabbccddeeff'
const SWAPPED = '33221100-5544-7766-8899-aabbccddeeff'
const BARE = UUID.replaceAll('-', '')

const beyond: readonly Case[] = [
  ['UUIDs are compared without case', [group('a', { uuid: 'AbC' })], { uuid: 'aBc' }, 'a'],
  ['and in either order of bytes', [group('a', { uuid: UUID })], { uuid: SWAPPED.toUpperCase() }, 'a'],
  ['with dashes or without', [group('a', { uuid: UUID })], { uuid: BARE }, 'a'],
  ['on either side', [group('a', { uuid: BARE.toUpperCase() })], { uuid: SWAPPED }, 'a'],
  ['in braces, and as a URN', [group('a', { uuid: `{${UUID}}` })], { uuid: `urn:uuid:${SWAPPED}` }, 'a'],
  ['a glob of UUIDs sees the dashes', [group('a', { uuid: { glob: '00112233-4*' } })], { uuid: BARE }, 'a'],
  ['31 digits are not a UUID', [group('a', { uuid: UUID })], { uuid: BARE.slice(1) }, undefined],
  ['serial numbers without case', [group('a', { serial: 'vm-1' })], { serial: 'VM-1' }, 'a'],
  [
    'the group with the very text goes before one that differs in case',
    [group('a', { uuid: 'ABC' }), group('b', { uuid: 'abc' })],
    { uuid: 'ABC' },
    'a',
  ],
  [
    'but not before one with more requirements',
    [group('a', { uuid: 'ABC' }), group('b', { uuid: 'abc', x: '1' })],
    { uuid: 'ABC', x: '1' },
    'b',
  ],
  ['any of a list is enough', [group('a', { mac: ['1', '2'] })], { mac: '2' }, 'a'],
  ['none of a list is not', [group('a', { mac: ['1', '2'] })], { mac: '3' }, undefined],
  ['a list may hold conditions', [group('a', { h: ['x', { glob: 'cmp-*' }] })], { h: 'cmp-7' }, 'a'],
  ['a list may hold absence', [group('a', { h: ['', 'x'] })], {}, 'a'],
  ['a glob takes any text', [group('a', { h: { glob: 'r?-*-x' } })], { h: 'r1-node-9-x' }, 'a'],
  ['a glob looks at the whole text', [group('a', { h: { glob: 'cmp-' } })], { h: 'cmp-1' }, undefined],
  [
    'a glob of MACs has no case',
    [group('a', { mac: { glob: '52:54:AB:*' } })],
    { mac: '52:54:ab:00:00:01' },
    'a',
  ],
  ['presence takes any text', [group('a', { h: { present: true } })], { h: 'x' }, 'a'],
  ['but not the empty one', [group('a', { h: { present: true } })], { h: '' }, undefined],
  ['absence takes no text', [group('a', { h: { present: false } })], { h: 'x' }, undefined],
  ['absence takes a missing label', [group('a', { h: { present: false } })], {}, 'a'],
  ['a network takes its addresses', [group('a', { ip: { cidr: '10.2.0.0/15' } })], { ip: '10.3.9.9' }, 'a'],
  ['and no others', [group('a', { ip: { cidr: '10.2.0.0/15' } })], { ip: '10.4.0.1' }, undefined],
  ['nor a text that is not an address', [group('a', { ip: { cidr: '0.0.0.0/0' } })], { ip: 'x' }, undefined],
  ['a network may be of IPv6', [group('a', { ip: { cidr: 'fd00::/8' } })], { ip: 'fdff::1' }, 'a'],
  [
    'the address of a request stands in for the label',
    [group('a', { address: { cidr: '10.2.0.0/16' } })],
    {},
    'a',
    { address: '::ffff:10.2.0.9' },
  ],
  [
    'a label goes before it',
    [group('a', { address: { cidr: '10.2.0.0/16' } })],
    { address: '10.9.0.1' },
    undefined,
    { address: '10.2.0.9' },
  ],
  [
    'a machine is known by each of its MACs',
    [group('a', { mac: '1' })],
    { mac: '2' },
    'a',
    { macs: ['1', '2'] },
  ],
  [
    'the MAC that was sent goes before the others',
    [group('a', { mac: '1' }), group('b', { mac: '2' })],
    { mac: '1' },
    'a',
    { macs: ['1', '2'] },
  ],
  [
    'a declared machine that sends only its UUID is found by its MAC',
    [group('a', { mac: '1' })],
    { uuid: 'x' },
    'a',
    { macs: ['1'] },
  ],
  [
    'priority goes before the number of requirements',
    [group('a', {}, 1), group('b', { x: '1', y: '2' })],
    { x: '1', y: '2' },
    'a',
  ],
  ['a priority below 0 goes behind', [group('a', { x: '1' }, -1), group('b')], { x: '1' }, 'b'],
]

for (const [why, groups, labels, id, known] of [...asMatchbox, ...beyond]) {
  t.test(why, async t => t.equal(new GroupIndex(groups).select(labels, known)?.id, id))
}

t.test('ties are broken by bytes, not by the alphabet of a language', async t => {
  const { groups } = new GroupIndex([
    group('z', { k: 'z' }),
    group('é', { k: 'é' }),
    group('\uffee', { k: '\uffee' }),
    group('😀', { k: '😀' }),
    group('Z', { k: 'Z' }),
  ])
  t.same(
    groups.map(({ id }) => id),
    ['😀', '\uffee', 'é', 'z', 'Z'],
  )
})

const text = fc.constantFrom('', 'a', 'A', 'b', '10.0.0.1', '10.0.9.9', UUID, SWAPPED, BARE)
const condition = fc.oneof(
  fc.constantFrom('*', 'a*', '*b', '?', '10.*', '00112233-*').map(glob => ({ glob })),
  fc.constantFrom('10.0.0.0/24', '10.0.0.0/8', '::/0').map(cidr => ({ cidr })),
  fc.boolean().map(present => ({ present })),
)
const one = fc.oneof({ weight: 3, arbitrary: text }, condition)
const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  { weight: 3, arbitrary: one },
  fc.array(one, { minLength: 1, maxLength: 3 }),
)
const key = fc.constantFrom('mac', 'uuid', 'os', 'address')
const groups = fc.array(fc.tuple(fc.dictionary(key, requirement), fc.integer({ min: -1, max: 1 })), {
  maxLength: 12,
})
const known = fc.record({ address: text, macs: fc.array(text) }, { requiredKeys: [] })

const inexact = (fit: string) => Number(fit !== 'exact')

/** What a walk over all groups finds. */
function walk(named: ReadonlyMap<string, Group>, labels: Labels, about: Known): Group | undefined {
  const fitting = [...named]
    .map(([name, group]) => ({ ...ranked(group, `${name}.json`), fit: verdictOf(group, labels, about).fit }))
    .filter(({ fit }) => fit !== 'none')
  const [first] = fitting.toSorted(
    (a, b) => compareTier(a, b) || inexact(a.fit) - inexact(b.fit) || compareRanked(a, b),
  )
  return first?.group
}

t.test(
  'the index finds what a walk over all groups finds, whatever was put and taken out before',
  async () => {
    const names = fc.array(fc.tuple(fc.nat({ max: 9 }), fc.boolean()), { maxLength: 12 })
    fc.assert(
      fc.property(groups, names, fc.dictionary(key, text), known, (made, steps, labels, about) => {
        const index = new GroupIndex()
        const named = new Map<string, Group>()
        for (const [turn, [selector, priority]] of made.entries()) {
          const [name, isGone] = steps[turn] ?? [turn, false]
          const next = group(String(turn), selector, priority)
          index.put(String(name), next)
          named.set(String(name), next)
          if (!isGone) continue
          index.delete(String(name))
          named.delete(String(name))
        }
        const found = walk(named, labels, about)
        const [nearest] = index.nearest(labels, about, 3).filter(({ fit }) => fit !== 'none')
        return index.select(labels, about) === found && nearest?.group === found && index.size === named.size
      }),
      { numRuns: 2000 },
    )
  },
)
