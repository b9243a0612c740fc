// Which machines are sent to their disks, and who is counted for it.

import t from 'tap'
import type { Machine } from '#model/machine.ts'
import { LocalBoots } from '#server/disks/local-boots.ts'
import type { Install } from '#server/store/machine-records.ts'

const MINUTE = 60_000
const confirmed: Install = {
  machine: 'ctl-1',
  boot: 'b-0001',
  disks: [],
  version: 'v1',
  overwrite: false,
  grantedAt: 1,
  installedAt: 2,
  confirmedAt: 3,
}
const choice = { match: {}, explicit: false, mirror: false, encrypt: 'no', overwrite: false } as const
const machine: Machine = {
  name: 'ctl-1',
  macs: [],
  address: '10.20.0.11',
  role: 'controller',
  labels: {},
  disk: choice,
}

/** The boots of an installed ctl-1, and `asked`: asks once, three minutes after the last time. */
function bootsOf() {
  let now = 0
  const boots = new LocalBoots({
    disks: new Map([['ctl-1', { installs: [confirmed] }]]),
    orders: { current: () => undefined },
    clocks: { steady: () => now, wall: () => now },
  })
  const asked = (elsewhere?: string) => {
    now += 3 * MINUTE
    return boots.bootFrom(machine, true, elsewhere).from
  }
  return { boots, asked, pass: (minutes: number) => (now += minutes * MINUTE) }
}

t.test('a machine is on its way to its disk for five minutes, or until something is heard of it', async t => {
  const { boots, asked, pass } = bootsOf()
  t.notOk(boots.isOnItsWay('ctl-1'))
  t.equal(asked('10.1.0.1'), 'disk')
  t.notOk(boots.isOnItsWay('ctl-1'), 'another one asked in its name')
  t.equal(asked(), 'disk')
  pass(4)
  t.ok(boots.isOnItsWay('ctl-1'))
  pass(1)
  t.notOk(boots.isOnItsWay('ctl-1'))
  asked()
  boots.forget('ctl-1')
  t.notOk(boots.isOnItsWay('ctl-1'))
  t.same([asked(), asked(), asked()], ['disk', 'disk', 'network'])
  t.notOk(boots.isOnItsWay('ctl-1'))
})

t.test('a disk that did not start its machine twice in a row is entered from the network', async t => {
  const { boots, asked } = bootsOf()
  t.same([asked(), asked(), asked(), asked()], ['disk', 'disk', 'network', 'network'])
  boots.forget('ctl-1')
  t.equal(asked(), 'disk')
})

t.test('what others ask in the name of a machine, from other addresses, counts for them alone', async t => {
  const { boots, asked } = bootsOf()
  t.same(
    ['10.0.0.66', '10.0.0.66', '10.0.0.66', '10.0.0.67'].map(asked),
    ['disk', 'disk', 'network', 'disk'],
    'a machine that is at another address than the declared one gets there, too',
  )
  t.equal(asked(), 'disk', 'the machine itself asks for the first time')
  for (let at = 0; at < 100; at += 1) asked(`10.1.0.${at}`)
  boots.forget('ctl-1')
  t.equal(asked('10.0.0.67'), 'disk')
})

t.test('the count of the machine itself outlives a flood of others', async t => {
  const { boots, asked } = bootsOf()
  t.same([asked(), asked()], ['disk', 'disk'])
  for (let at = 0; at < 1000; at += 1) boots.bootFrom(machine, true, `10.1.${at >> 8}.${at & 255}`)
  t.equal(asked(), 'network')
})
