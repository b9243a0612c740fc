// Which machine is this? The order of what a machine is known by, as rows; and that nothing else in server/ looks for one.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { Machine } from '#model/machine.ts'
import {
  identifiersIn,
  isLeaseOf,
  MachineIndex,
  ORDER,
  type Identifiers,
  type KnownBy,
  type IdentifierTrust,
} from '#server/machines/identity.ts'

const bonded: Machine = {
  name: 'ctl-1',
  macs: ['52:54:00:20:00:01', '52:54:00:20:00:0f'],
  uuid: '4c4c4544-0000-2010-8020-b4c04f303232',
  role: 'controller',
  address: '10.20.0.11',
  labels: { serial: 'CZ1234' },
}
const byUuidAlone: Machine = {
  name: 'cmp-1',
  macs: [],
  uuid: '5a0e7f00-0020-4000-8000-000000000002',
  role: 'compute',
  address: '10.20.0.12',
  labels: { serial: 'CZ5678', rack: 'a' },
}
const STRANGER = '52:54:00:66:66:66'

const rows: readonly [string, Identifiers, IdentifierTrust, readonly [string, KnownBy] | undefined][] = [
  ['a name', { name: 'ctl-1' }, 'as given', ['ctl-1', 'name']],
  ['a name before all else', { name: 'cmp-1', mac: '52:54:00:20:00:01' }, 'as given', ['cmp-1', 'name']],
  ['a MAC', { mac: '52:54:00:20:00:01' }, 'claimed', ['ctl-1', 'mac']],
  ['another link of a bond', { mac: '52:54:00:20:00:0f' }, 'claimed', ['ctl-1', 'mac']],
  ['a MAC before a UUID', { mac: '52:54:00:20:00:01', uuid: byUuidAlone.uuid }, 'claimed', ['ctl-1', 'mac']],
  ['a UUID', { uuid: byUuidAlone.uuid }, 'claimed', ['cmp-1', 'uuid']],
  [
    'a UUID in the other order of bytes',
    { uuid: '007f0e5a-2000-0040-8000-000000000002' },
    'claimed',
    ['cmp-1', 'uuid'],
  ],
  [
    'a UUID in another form of writing',
    { uuid: '{5A0E7F00-0020-4000-8000-000000000002}' },
    'claimed',
    ['cmp-1', 'uuid'],
  ],
  [
    'a UUID alone with a foreign MAC',
    { mac: STRANGER, uuid: byUuidAlone.uuid },
    'claimed',
    ['cmp-1', 'uuid'],
  ],
  ['a UUID of a machine with MACs, as given', { uuid: bonded.uuid }, 'as given', ['ctl-1', 'uuid']],
  ['not as a claim', { uuid: bonded.uuid }, 'claimed', undefined],
  ['nor with a foreign MAC', { mac: STRANGER, uuid: bonded.uuid }, 'claimed', undefined],
  ['nor in the other order', { uuid: '44454c4c-0000-1020-8020-b4c04f303232' }, 'claimed', undefined],
  ['a UUID before a serial', { uuid: bonded.uuid, serial: 'CZ5678' }, 'as given', ['ctl-1', 'uuid']],
  ['a serial', { serial: 'CZ5678' }, 'as given', ['cmp-1', 'serial']],
  [
    'a serial before an address',
    { serial: 'CZ1234', address: '10.20.0.12' },
    'as given',
    ['ctl-1', 'serial'],
  ],
  ['an address', { address: '10.20.0.12' }, 'as given', ['cmp-1', 'address']],
  [
    'what finds nothing is passed over',
    { name: 'gone', mac: STRANGER, address: '10.20.0.11' },
    'as given',
    ['ctl-1', 'address'],
  ],
  ['nothing known', {}, 'as given', undefined],
  ['what no machine has', { name: 'x', mac: STRANGER, uuid: 'x', serial: 'x' }, 'as given', undefined],
]

for (const [title, known, trust, wanted] of rows) {
  t.test(`${title} finds ${wanted?.[0] ?? 'no machine'}`, async t => {
    const found = new MachineIndex([bonded, byUuidAlone]).find(known, trust)
    t.strictSame(found && [found.machine.name, found.by], wanted)
  })
}

t.test('each identifier has rows', async t => {
  const used = new Set(rows.flatMap(([, , , wanted]) => wanted?.[1] ?? []))
  t.strictSame([...used].toSorted(), [...ORDER].toSorted())
})

t.test('an operator may write any identifier in any form', async t => {
  const index = new MachineIndex([bonded, byUuidAlone])
  for (const word of ['ctl-1', '52-54-00-20-00-0F', '4C4C4544000020108020B4C04F303232'])
    t.equal(index.machine(identifiersIn(word))?.name, 'ctl-1', word)
  for (const word of ['CZ5678', '10.20.0.12'])
    t.equal(index.machine(identifiersIn(word))?.name, 'cmp-1', word)
})

t.test('a serial that two machines are declared with finds neither, until one of them is gone', async t => {
  const twin = { ...byUuidAlone, labels: { serial: 'CZ1234' } }
  const index = new MachineIndex([bonded, twin])
  t.equal(index.machine({ serial: 'CZ1234' }), undefined)
  index.remove(bonded)
  t.equal(index.machine({ serial: 'CZ1234' }), twin)
})

t.test(
  'of two machines with one MAC the last by name is found, in whatever order they were added',
  async t => {
    const twin = { ...bonded, name: 'ctl-2' }
    for (const machines of [
      [bonded, twin],
      [twin, bonded],
    ]) {
      const index = new MachineIndex(machines)
      t.equal(index.machine({ mac: '52:54:00:20:00:01' }), twin)
      index.remove(twin)
      t.equal(index.machine({ mac: '52:54:00:20:00:01' }), bonded, 'and then the other')
      index.remove(bonded)
      t.equal(index.machine({ mac: '52:54:00:20:00:01' }), undefined)
    }
  },
)

t.test('a lease is of the machine whose MAC it is bound to, or whose UUID when that is all', async t => {
  t.ok(isLeaseOf(bonded, { mac: '52:54:00:20:00:0f' }))
  t.notOk(isLeaseOf(bonded, { mac: STRANGER, uuid: bonded.uuid }))
  t.ok(isLeaseOf(byUuidAlone, { mac: STRANGER, uuid: '007f0e5a-2000-0040-8000-000000000002' }))
  t.notOk(isLeaseOf(byUuidAlone, { mac: STRANGER }))
})

const mac = (n: number) => `52:54:00:20:00:0${n}`
const uuid = (n: number) => `5a0e7f00-0020-4000-8000-00000000000${n}`

t.test('after any changes it finds what an index made anew would find', async () => {
  const few = fc.integer({ min: 0, max: 3 })
  const machine = fc
    .record({ name: few, macs: fc.uniqueArray(few), uuid: fc.option(few), serial: few })
    .map((it): Machine => ({
      name: `m-${it.name}`,
      macs: it.macs.map(mac),
      ...(it.uuid === null ? {} : { uuid: uuid(it.uuid) }),
      role: 'compute',
      address: `10.0.0.${it.name}`,
      labels: { serial: String(it.serial) },
    }))
  const asked = [0, 1, 2, 3].flatMap((n): Identifiers[] => [
    { name: `m-${n}` },
    { mac: mac(n) },
    { uuid: uuid(n) },
    { serial: String(n) },
    { address: `10.0.0.${n}` },
  ])
  const property = fc.property(fc.array(fc.tuple(machine, fc.boolean())), changes => {
    const declared = new Map<string, Machine>()
    const index = new MachineIndex()
    for (const [next, isRemoved] of changes) {
      const { revision } = index
      const before = declared.get(next.name)
      if (before !== undefined) index.remove(before)
      declared.delete(next.name)
      if (isRemoved) continue
      declared.set(next.name, next)
      index.add(next)
      if (index.revision <= revision) return false
    }
    const again = new MachineIndex(declared.values())
    return (
      index.byUuidAlone === again.byUuidAlone &&
      asked.every(known => index.machine(known) === again.machine(known)) &&
      asked.every(known => index.machine(known, 'claimed') === again.machine(known, 'claimed'))
    )
  })
  fc.assert(property)
})

/** Signs of another answer to "which machine is this?", and the files that have them for a reason. */
const SIGNS: readonly [string, RegExp, Readonly<Record<string, string>>][] = [
  ['an index of machines', /Map<string,\s*(readonly )?Machine\b/, { 'machines/identity.ts': 'the index' }],
  [
    'a list made of MACs',
    /\bmacs\.(map|flatMap)\(/,
    {
      'boot/lint/rules-machines.ts': 'finds what two files of a directory both claim',
      'store/sqlite/object-table.ts': 'finds what two sites both claim',
    },
  ],
  [
    'UUIDs that are compared',
    /\b(canonicalUuid|sameUuid|otherByteOrder)\(|\buuid === (?!undefined|''|null)/,
    {
      'machines/identity.ts': 'the index',
      'disks/disk-keys.ts': 'the UUID of an encrypted disk, not of a machine',
      'agent/proof.ts': 'what a machine says of itself must not contradict what is declared',
      'boot/lint/rules-machines.ts': 'finds what two files of a directory both claim',
      'boot/match/requirement.ts': 'the label `uuid` in a selector',
      'inventory/site-check.ts': 'finds what two machines of a site both claim',
    },
  ],
]

for (const [sign, pattern, allowed] of SIGNS) {
  t.test(`${sign}: only where there is a reason`, async t => {
    const server = join(import.meta.dirname, '../../../server')
    const files = globSync('**/*.ts', { cwd: server })
    const found = files.filter(file => pattern.test(readFileSync(join(server, file), 'utf8')))
    t.strictSame(found.toSorted(), Object.keys(allowed).toSorted())
  })
}
