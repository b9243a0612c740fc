import t from 'tap'
import type { Machine, MachineTrust } from '#model/machine.ts'
import { decideKey, defaultTrust, type KeyQuestion } from '#server/agent/trust.ts'
import type { MachineKey } from '#model/machine-key.ts'

const labels = { rack: 'a', serial: 'S1' }
const plain: Machine = {
  name: 'ctl-1',
  macs: ['52:54:00:20:00:01'],
  role: 'controller',
  address: '10.20.0.11',
  labels,
}
const key: MachineKey = {
  machine: 'ctl-1',
  fingerprint: 'SHA256:one',
  recipient: 'age1one',
  state: 'approved',
  boot: 'b-0001',
  address: '10.20.0.11',
  mac: '52:54:00:20:00:01',
  why: 'it was the first',
  seenAt: 0,
  decidedAt: 86_400_000,
}

function ask(trust: Partial<MachineTrust> | undefined, more: Partial<KeyQuestion> = {}) {
  const machine = trust === undefined ? plain : { ...plain, trust: { ...defaultTrust, ...trust } }
  const question = { machine, fingerprint: 'SHA256:one', known: [], dhcp: 'full', port: undefined } as const
  return decideKey({ ...question, ...more })
}

t.test('goes by the TPM that a machine is declared with, whichever machine showed it before', async t => {
  const tpm = `SHA256:${'0123456789abcdef'.repeat(4)}`
  const machine: Machine = { ...plain, tpm, trust: { ...defaultTrust, level: 'L3', approve: 'first-boot' } }
  const l3 = (more: Partial<KeyQuestion>) => ask(undefined, { machine, fingerprint: tpm, ...more })
  for (const more of [{}, { dhcp: 'off' }, { elsewhere: 'old-name' }, { known: [key] }] as const)
    t.match(l3(more), { state: 'approved', why: /declared/ }, JSON.stringify(more))
  t.match(l3({ known: [{ ...key, fingerprint: tpm, state: 'rejected' }] }), { state: 'rejected' })
  t.match(l3({ fingerprint: 'SHA256:x' }), {
    state: 'pending',
    why: 'its TPM is not the one that it is declared with (SHA256:0123456789abcdef…)',
  })
  const { tpm: _, ...undeclared } = machine
  t.match(l3({ fingerprint: 'SHA256:x', elsewhere: 'cmp-1', machine: undeclared }), {
    state: 'pending',
    why: 'its TPM is the one of cmp-1',
  })
})

t.test('decides on a key by level, policy and what was approved before', async t => {
  const other = { ...key, fingerprint: 'SHA256:other' }
  const rows: [string, Partial<MachineTrust> | undefined, Partial<KeyQuestion>, string, RegExp][] = [
    ['nothing said', undefined, {}, 'pending', /an operator approves the first key/],
    ['L1', { level: 'L1' }, {}, 'approved', /wire is trusted/],
    ['L1 without DHCP', { level: 'L1' }, { dhcp: 'off' }, 'pending', /nothing but its own request/],
    ['L1, rejected', { level: 'L1' }, { known: [{ ...key, state: 'rejected' }] }, 'rejected', /first/],
    ['first-boot', { approve: 'first-boot' }, {}, 'approved', /first-boot.*pinned/],
    [
      'first-boot without DHCP',
      { approve: 'first-boot' },
      { dhcp: 'off' },
      'pending',
      /nothing but its own request/,
    ],
    ['the pinned key', {}, { known: [key] }, 'approved', /key that is pinned/],
    ['the pinned key without DHCP', {}, { known: [key], dhcp: 'off' }, 'approved', /key that is pinned/],
    [
      'another key',
      { approve: 'first-boot' },
      { known: [other] },
      'pending',
      /approved on 1970-01-02 \(SHA256:other\)/,
    ],
    [
      'another key, auto',
      { approve: 'operator', reboot: 'auto' },
      { known: [other] },
      'approved',
      /policy is auto/,
    ],
    [
      'a rejected key, auto',
      { reboot: 'auto' },
      { known: [{ ...key, state: 'rejected' }, other] },
      'rejected',
      /./,
    ],
    [
      'a retired key',
      { approve: 'first-boot' },
      { known: [{ ...key, state: 'retired' }] },
      'approved',
      /first-boot/,
    ],
    ['its rack', { approve: { racks: ['a', 'b'] } }, {}, 'approved', /conditions/],
    ['another rack', { approve: { racks: ['b'] } }, {}, 'pending', /its rack, a, is not/],
    [
      'another serial',
      { approve: { racks: ['a'], serials: ['S2'] } },
      {},
      'pending',
      /serial number, S1, is not/,
    ],
    ['its port', { approve: { ports: ['circuit=7'] } }, { port: 'circuit=7' }, 'approved', /conditions/],
    [
      'its port and another one',
      { approve: { ports: ['circuit=7'] } },
      { port: 'circuit=7', boot: { id: 'b-0001', isPortMoved: true } },
      'pending',
      /more than one switch port/,
    ],
    [
      'a later boot has begun',
      { approve: 'first-boot' },
      { boot: { id: 'b-0001', isSuperseded: true } },
      'pending',
      /a later boot/,
    ],
    [
      'a later boot has begun, the pinned key',
      {},
      { known: [key], boot: { id: 'b-0001', isSuperseded: true } },
      'approved',
      /pinned/,
    ],
    [
      'another key, opened',
      { approve: 'first-boot' },
      { known: [other], boot: { id: 'b-0002', isReopened: true } },
      'approved',
      /first-boot/,
    ],
    [
      'another key than the one of the same boot, auto and opened',
      { approve: 'first-boot', reboot: 'auto' },
      { known: [other], boot: { id: 'b-0001', isReopened: true } },
      'pending',
      /SHA256:other/,
    ],
    ['no relay', { approve: { ports: ['circuit=7'] } }, {}, 'pending', /port, which no relay reported/],
  ]
  for (const [title, trust, question, state, why] of rows)
    t.match(ask(trust, question), { state, why }, title)
})
