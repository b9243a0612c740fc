// Texts, keys and aliases of a site file: each is read as it is written, or refused where it is.

import t from 'tap'
import { parseSite } from '#rack/site/read.ts'
import { problemsOf } from './problems-of.ts'

const siteOf = ({ machine = '', more = '', compute = '' }) => `name: rack-1
network: { subnet: 10.20.0.0/24 }
machines:
  - { name: ctl-1, mac: 52:54:00:20:00:01, role: controller${machine} }
  - { name: cmp-1, mac: 52:54:00:20:00:02, role: compute${compute} }
${more}
`

t.test('an alias is what it names', async t => {
  const site = siteOf({
    machine: ', labels: &a { rack: r7 }, notes: &b third',
    compute: ', labels: *a, notes: *b',
  })
  t.match(parseSite('site.yaml', site).machines[1], { labels: { rack: 'r7' }, notes: 'third' })
})

t.test('a key that YAML takes for a number or a boolean is the text that is written', async t => {
  const machine = ', labels: { 1: one, true: yes, 007: bond, 1e3: thousand }'
  t.strictSame(parseSite('site.yaml', siteOf({ machine })).machines[0]?.labels, {
    1: 'one',
    true: 'yes',
    '007': 'bond',
    '1e3': 'thousand',
  })
})

const REFUSED: readonly [title: string, around: Parameters<typeof siteOf>[0], says: RegExp][] = [
  [
    'an alias of nothing',
    { machine: ', notes: *lost' },
    /PL-1001 site\.yaml:4:69 there is no anchor &lost before/,
  ],
  [
    'an alias inside of what it names',
    { more: 'openstack: { values: { nova: &n { conf: *n } } }' },
    /PL-1001 site\.yaml:6:\d+ the alias \*n is inside of what it names/,
  ],
  [
    'a merge key',
    { compute: ', <<: { notes: x }' },
    /PL-1002 site\.yaml:5:\d+ machines\[1\]\.<<: a merge key/,
  ],
  [
    'a merge key of labels',
    { machine: ', labels: &l { rack: a }', compute: ', labels: { <<: *l }' },
    /PL-1002 site\.yaml:5:\d+ machines\[1\]\.labels\.<<: a merge key/,
  ],
  [
    'a tag of someone',
    { machine: ', notes: !secret n' },
    /PL-1004 .*notes: has the tag !secret, which is not/,
  ],
  ['base64', { machine: ', notes: !!binary aGVsbG8=' }, /PL-1004 .*notes: has the tag !!binary/],
  ['a NUL', { machine: ', notes: "a\\0b"' }, /PL-1004 .*notes: contains the character U\+0000/],
  ['half a character', { machine: ', notes: "\\ud800"' }, /PL-1004 .*notes: contains the character U\+D800/],
  [
    'a text of a million characters',
    { machine: `, notes: ${'n'.repeat(1e6)}` },
    /PL-1010 .*notes: has 1000000 characters; at most 4096/,
  ],
  [
    'labels that are a list',
    { machine: ', labels: [rack]' },
    /PL-1004 site\.yaml:4:62 .*labels: must be a mapping/,
  ],
  ['labels without any', { machine: ', labels: ' }, /PL-1004 site\.yaml:4:62 .*labels: must be a mapping/],
  ['a label without a value', { machine: ', labels: { rack: }' }, /PL-1004 .*labels\.rack: must be a text/],
  [
    'a label that is the name of the machine',
    { machine: ', labels: { name: other }' },
    /PL-1004 site\.yaml:4:72 machines\[0\]\.labels\.name: .* not a label but a key of the machine/,
  ],
  [
    'a label that is called notes',
    { machine: ', labels: { notes: x }' },
    /PL-1004 .*labels\.notes: .* not a label but a key of the machine/,
  ],
  [
    'a MAC as a label',
    { machine: ', labels: { MAC: other }' },
    /PL-1004 .*labels\.MAC: .*\n {2}write {2}mac: …/,
  ],
  ...['kubernetes.io/hostname', 'node-role.kubernetes.io/worker', 'x.k8s.io/a'].map(
    (key): (typeof REFUSED)[number] => [
      `the label ${key}`,
      { machine: `, labels: { ${key}: x }` },
      /PL-1004 site\.yaml:4:72 .* is a label of Kubernetes' own/,
    ],
  ),
  ...['""', '"a b"', '-a', 'a/b/c', '_a', `"${'k'.repeat(64)}"`, '__proto__', '~'].map(
    (key): (typeof REFUSED)[number] => [
      `the label ${key}`,
      { machine: `, labels: { ${key}: x }` },
      /PL-1004 site\.yaml:4:72 .* cannot be the name of a label/,
    ],
  ),
  [
    'a label of two lines',
    { machine: ', labels: { rack: "a\\nb" }' },
    /PL-1004 .*labels\.rack: a label is one line/,
  ],
  ['a long label', { machine: `, labels: { rack: ${'r'.repeat(257)} }` }, /PL-1004 .*at most 256 bytes/],
  ['a label twice', { machine: ', labels: { 1: a, "1": b }' }, /PL-1007 .*labels\.1: written twice/],
  [
    'no rack',
    { more: 'trust: { approve: { racks: [] } }' },
    /PL-1004 site\.yaml:6:21 trust\.approve\.racks: is empty/,
  ],
  [
    'a switch port without a name',
    { more: 'trust: { approve: { ports: [""] } }' },
    /PL-1004 site\.yaml:6:29 trust\.approve\.ports\[0\]: an empty text/,
  ],
  [
    'values without any',
    { more: 'openstack: { values: }' },
    /PL-1004 site\.yaml:6:14 openstack\.values: must be/,
  ],
  [
    'a release without values',
    { more: 'openstack: { values: { nova: } }' },
    /PL-1004 .*values\.nova: must be/,
  ],
  [
    'values with a number that JSON does not have, by its place',
    { more: 'openstack: { values: { nova: { conf: [1, { a: .inf }] } } }' },
    /PL-1004 site\.yaml:6:\d+ openstack\.values\.nova\.conf\[1\]\.a: "\.inf" is not a number/,
  ],
  [
    'values that are not base64',
    { more: 'openstack: { values: { nova: { a: !!binary "not base64!" } } }' },
    /PL-1004 .*openstack\.values\.nova\.a: "not base64!" is not base64/,
  ],
  [
    'features of another plan',
    { more: 'openstack: { features: [x] }' },
    /PL-1004 .*compute-kit has no features/,
  ],
  [
    'a registry that no image comes from',
    { more: 'openstack: { registries: [registry.test, "https://registry.test"] }' },
    /PL-1004 .*openstack\.registries\[1\]: "https:\/\/registry\.test" is not the start of an image's name/,
  ],
  [
    'charts by another protocol',
    { more: 'openstack: { plan: openstack-helm, charts: { source: "ftp://example.org/c" } }' },
    /PL-1004 .*charts\.source: no charts are fetched by ftp:\/\//,
  ],
  [
    'charts of nowhere',
    { more: 'openstack: { plan: openstack-helm, charts: { source: "" } }' },
    /PL-1004 .*charts\.source: is empty/,
  ],
]
for (const [title, around, says] of REFUSED)
  t.test(`refuses ${title}`, async t => {
    const { message, problems } = problemsOf(siteOf(around))
    t.match(message, says)
    t.equal(problems.length, 1, message)
  })

t.test('takes labels that are as Kubernetes has them, and any text of one line', async t => {
  const machine = ', labels: { example.org/row: "7 b", A_b.c-d: "", kubernetes: x }'
  t.strictSame(parseSite('site.yaml', siteOf({ machine })).machines[0]?.labels, {
    'example.org/row': '7 b',
    'A_b.c-d': '',
    kubernetes: 'x',
  })
})

t.test('an ordered map of YAML 1.1 in values is the list that Helm reads', async t => {
  const more = 'openstack: { values: { nova: { a: !!omap [x: 1, z: no] } } }'
  t.strictSame(parseSite('site.yaml', siteOf({ more })).openstack.values, {
    nova: { a: [{ x: 1 }, { z: false }] },
  })
})

t.test('a message quotes a value on one line', async t => {
  const { problems } = problemsOf(siteOf({ machine: ', address: "10.20.0.11\\n"' }))
  t.equal(problems[0]?.what, 'machines[0].address: "10.20.0.11\\x0a" is not an address of the network')
})
