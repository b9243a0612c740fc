// What every store must do, whatever it keeps things in: one part for each interface that the server's rooms declare.
// A store runs the parts of the interfaces that it has.

import type { Test } from 'tap'
import type { Group } from '#model/group.ts'
import type { Machine } from '#model/machine.ts'
import type { SiteObjects } from '#model/site.ts'
import type { Alarm } from '#model/alarm.ts'
import { alarmOf } from '#server/alarms/transitions.ts'
import type { AlarmStore } from '#server/store/alarms.ts'
import type { AuditStore, NewAuditEntry } from '#server/store/audit.ts'
import { type Boot, bootId, type BootEvent } from '#model/boot.ts'
import type { EventStore, UnstoredEvent } from '#server/store/events.ts'
import type { KeyState, MachineKey } from '#model/machine-key.ts'
import type {
  Install,
  KeptOrder,
  MachineBoot,
  MachineRecords,
  TokenRecord,
} from '#server/store/machine-records.ts'
import type { AuthorityStore, BundleStore } from '#server/store/secrets.ts'
import type {
  ObjectStore,
  RowChange,
  RowOutcome,
  StoredNetwork,
  StoredObject,
} from '#server/store/objects.ts'
import type { LeaseStore } from '#server/store/leases.ts'

/** Opens an empty store, closed with its test; `again` closes it and opens what it kept. */
export type Open<T> = (t: Test) => Promise<{ readonly store: T; readonly again: () => Promise<T> }>

/** The contract of what DHCP keeps its leases in. */
export function leaseContract(t: Test, open: Open<LeaseStore>): void {
  const lease = {
    address: '10.20.0.100',
    mac: '52:54:00:20:00:01',
    state: 'bound',
    expiresAt: 1_800_000_000_000,
  } as const
  const put = (more: Partial<{ address: string; mac: string; uuid: string; state: 'declined' }> = {}) =>
    ({ kind: 'put', lease: { ...lease, ...more } }) as const

  t.test('leases are there after a restart, with all their fields', async t => {
    const { store, again } = await open(t)
    t.same(await store.all(), [])
    const uuid = '4c4c4544-0000-2010-8020-b4c04f303232'
    await store.commit([put({ uuid }), put({ address: '10.20.0.101', state: 'declined' })])
    const kept = [
      { ...lease, uuid },
      { ...lease, address: '10.20.0.101', state: 'declined' },
    ]
    t.same(await byAddress(store), kept)
    t.same(await byAddress(await again()), kept)
  })

  t.test('changes of leases are made in their order: there is one lease an address', async t => {
    const { store } = await open(t)
    const drop = { kind: 'drop', address: lease.address } as const
    const other = put({ mac: '52:54:00:20:00:02' })
    await store.commit([put(), drop, put(), other])
    t.same(await store.all(), [other.lease])
    await store.commit([other, drop])
    t.same(await store.all(), [])
    await store.commit([drop])
    t.same(await store.all(), [], 'what is not there is dropped already')
  })

  t.test(
    'commits of leases that are made at the same time are in effect in the order of the calls',
    async t => {
      const { store } = await open(t)
      const macs = Array.from({ length: 20 }, (_, at) => `52:54:00:20:00:${at + 10}`)
      await Promise.all(macs.map(mac => store.commit([put({ mac })])))
      t.same(await store.all(), [put({ mac: macs.at(-1)! }).lease]) // it has twenty
    },
  )
}

const author = { who: 'ada', at: 1000 }
const groupOf = (id: string, profile = 'p'): Group => ({ id, profile })
const putGroup = (id: string, more: { profile?: string; expect?: number } = {}): RowChange => {
  const { profile, ...rest } = more
  return { kind: 'group', id, object: groupOf(id, profile), ...rest }
}
const machineOf = (name: string, address: string, macs: string[]): Machine => ({
  name,
  macs,
  role: 'compute',
  address,
  labels: {},
})
const ctl = machineOf('ctl-1', '10.20.0.11', ['52:54:00:20:00:01'])
const cmp = machineOf('cmp-1', '10.20.0.12', ['52:54:00:20:00:02'])
const site: SiteObjects = {
  network: {
    subnet: '10.20.0.0/24',
    dhcp: 'full',
    pool: { first: '10.20.0.100', last: '10.20.0.200' },
    gateway: '10.20.0.1',
    dns: ['10.20.0.1'],
  },
  machines: [ctl, cmp],
  profiles: [{ id: 'p' }],
  groups: [groupOf('all')],
}

/** The contract of what the inventory keeps its objects in. */
export function objectContract(t: Test, open: Open<ObjectStore>): void {
  t.test('all changes of a write are made, or none', async t => {
    const { store, again } = await open(t)
    await store.write([putGroup('a')], author)
    const both = store.write([putGroup('b'), putGroup('a', { expect: 0 })], author)
    await t.rejects(both, { code: 'PRECONDITION_FAILED' })
    t.same(await idsOf(store), ['group a'])
    t.same(await idsOf(await again()), ['group a'])
  })

  t.test('of writes at the same time that expect the same revision exactly one is made', async t => {
    const { store } = await open(t)
    const [created] = await store.write([putGroup('g')], author)
    for (const expect of [created?.after?.revision ?? 0, 0]) {
      const id = expect === 0 ? 'new' : 'g'
      const racing = Array.from({ length: 8 }, (_, at) =>
        store.write([putGroup(id, { expect, profile: `p${at}` })], { who: `writer ${at}`, at: 2000 }),
      )
      const won = (await Promise.allSettled(racing)).filter(({ status }) => status === 'fulfilled')
      t.equal(won.length, 1, id)
    }
    t.same(
      (await store.history('group', 'g', 10)).map(({ who }) => who),
      ['writer 0', 'ada'],
    )
  })

  t.test(
    'revisions are given by the store: each is greater than all before, also after a restart',
    async t => {
      const { store, again } = await open(t)
      const given = (await Promise.all(['a', 'b', 'c'].map(id => store.write([putGroup(id)], author)))).map(
        revisionOf,
      )
      await store.write([{ kind: 'group', id: 'c' }], author)
      const later = await again()
      given.push(revisionOf(await later.write([putGroup('c')], author)))
      t.same(
        given,
        given.toSorted((a, b) => a - b),
      )
      t.equal(new Set(given).size, 4)
    },
  )

  t.test('a write that changes nothing gives the object that is there', async t => {
    const { store } = await open(t)
    await store.write([putGroup('a')], author)
    const [same] = await store.write([putGroup('a')], { ...author, at: 2000 })
    t.equal(same?.before, same?.after)
    t.equal((await store.history('group', 'a', 10)).length, 1)
  })

  t.test('a dry run says what a write would do, and leaves everything as it is', async t => {
    const { store } = await open(t)
    await store.write([putGroup('a')], author)
    let heard = 0
    await store.follow({ begin: () => {}, objects: () => (heard += 1), networks: () => {} })
    const tried = [putGroup('a', { profile: 'q' }), putGroup('b'), { kind: 'group', id: 'a' } as const]
    const outcomes = await store.dryRun(tried, author)
    t.same(
      outcomes.map(({ before, after }) => [before?.object, after?.object]),
      [
        [groupOf('a'), groupOf('a', 'q')],
        [undefined, groupOf('b')],
        [groupOf('a', 'q'), undefined],
      ],
    )
    await t.rejects(store.dryRun([putGroup('a', { expect: 0 })], author), { code: 'PRECONDITION_FAILED' })
    t.same(await idsOf(store), ['group a'])
    t.equal((await store.history('group', 'a', 10)).length, 1)
    t.equal(heard, 0)
  })

  t.test('a follower hears of every change after what it was given, in the order of the commits', async t => {
    const { store } = await open(t)
    await store.write([putGroup('a')], author)
    const known = new Map<string, unknown>()
    let networks: readonly StoredNetwork[] = []
    await store.follow({
      begin: ({ objects }) => {
        for (const { kind, id, object } of objects) known.set(`${kind} ${id}`, object)
      },
      objects: outcomes => {
        for (const { kind, id, after } of outcomes) {
          if (after?.object === undefined) known.delete(`${kind} ${id}`)
          else known.set(`${kind} ${id}`, after.object)
        }
      },
      networks: all => {
        networks = all
      },
    })
    const last = store.write([putGroup('a', { profile: 'p9' })], author)
    await Promise.all([store.write([putGroup('b')], author), last, store.putSite('rack-1', site, author)])
    t.same(known.get('group a'), groupOf('a', 'p9'))
    t.same(known.get('machine ctl-1'), ctl)
    t.same(networks, [{ name: 'rack-1', network: site.network }])
    await store.write([{ kind: 'group', id: 'b' }], author)
    t.same([...known.keys()].toSorted(), [
      'group a',
      'group all',
      'machine cmp-1',
      'machine ctl-1',
      'profile p',
    ])
  })

  t.test('a site is replaced as a whole, or not at all', async t => {
    const { store, again } = await open(t)
    t.equal(await store.putSite('rack-1', site, author), true)
    t.equal(
      await store.putSite('rack-1', structuredClone(site), author),
      false,
      'the same again changes nothing',
    )
    const other = { ...site, machines: [machineOf('x', ctl.address, [])], profiles: [], groups: [] }
    await t.rejects(store.putSite('rack-2', other, author), {
      code: 'SITE_CONFLICT',
      message: /address "10.20.0.11"/,
    })
    t.same(
      (await objectsOf(store)).map(({ object }) => object),
      [...site.profiles, ...site.machines, ...site.groups],
      'a refused site leaves no trace, and objects are in the order of their file',
    )
    t.same(await store.networks(), [{ name: 'rack-1', network: site.network }])
    t.equal(await store.putSite('rack-1', { ...site, machines: [cmp] }, author), true)
    t.equal(await store.putSite('rack-2', other, author), true, 'what was given up may be taken')
    const kept = await again()
    t.same(
      (await kept.networks()).map(({ name }) => name),
      ['rack-1', 'rack-2'],
    )
  })

  t.test('of two that take the same address or MAC at the same time exactly one gets it', async t => {
    const { store } = await open(t)
    const [mac = ''] = ctl.macs
    const takers = [
      machineOf('a', ctl.address, []),
      machineOf('b', ctl.address, []),
      machineOf('c', '10.20.0.13', [mac]),
      machineOf('d', '10.20.0.14', [mac]),
    ]
    const results = await Promise.allSettled([
      ...takers.map(it => store.write([{ kind: 'machine', id: it.name, object: it }], author)),
      store.putSite('rack-1', { ...site, machines: [machineOf('e', ctl.address, [])] }, author),
    ])
    t.equal(results.filter(({ status }) => status === 'fulfilled').length, 2)
    for (const result of results) {
      if (result.status === 'rejected') t.match(result.reason, { code: 'SITE_CONFLICT' })
    }
  })

  t.test('what belongs to a site is changed by its file alone', async t => {
    const { store } = await open(t)
    await store.putSite('rack-1', site, author)
    await t.rejects(store.write([putGroup('all', { profile: 'q' })], author), { code: 'OWNED_BY_SITE' })
    await t.rejects(store.write([{ kind: 'group', id: 'no' }], author), { code: 'NOT_FOUND' })
  })

  t.test('the history of an object is newest first, with who, when and what', async t => {
    const { store } = await open(t)
    await store.write([putGroup('a')], author)
    await store.write([putGroup('a', { profile: 'q' })], { who: 'bob', at: 2000 })
    await store.write([{ kind: 'group', id: 'a' }], { who: 'eve', at: 3000 })
    t.match(await store.history('group', 'a', 10), [
      { who: 'eve', at: 3000, action: 'delete' },
      { who: 'bob', at: 2000, action: 'put', object: groupOf('a', 'q') },
      { who: 'ada', at: 1000, action: 'put', object: groupOf('a') },
    ])
    t.equal((await store.history('group', 'a', 2)).length, 2)
  })
}

const machineBoot = (boot: string, more: Partial<MachineBoot> = {}): MachineBoot => ({
  machine: 'ctl-1',
  boot,
  tokens: 1,
  proven: true,
  ...more,
})
const tokenOf = (hash: string, boot: string): TokenRecord => ({ hash, machine: 'ctl-1', boot, until: 5 })
const keyOf = (fingerprint: string, state: KeyState, more: Partial<MachineKey> = {}): MachineKey => ({
  machine: 'ctl-1',
  fingerprint,
  recipient: 'age1x',
  state,
  boot: 'b-0001',
  address: '10.20.0.11',
  mac: '52:54:00:20:00:01',
  why: 'shown',
  seenAt: 1,
  ...more,
})
const to = { token: 'h', key: 'age1', fingerprint: 'SHA256:one' }
const RACERS = Array.from({ length: 8 }, (_, at) => at)

const keep = (store: MachineRecords, boot: string, hash = 'h') =>
  store.change('ctl-1', record => record.addToken(tokenOf(hash, boot), machineBoot(boot)))
const recordedBoot = (store: MachineRecords, boot: string) => store.read('ctl-1', record => record.boot(boot))
const authorityOf = (name: string) => ({ signers: {}, secrets: { name } })

/** The contract of what is kept of each machine. */
export function recordContract(t: Test, open: Open<MachineRecords>): void {
  t.test('a token and its boot are kept with all their fields', async t => {
    const { store, again } = await open(t)
    const made = { run: 'first', at: 7 }
    const had = { isElsewhere: true, port: 'eth1', isPortMoved: true, key: 'age1', fingerprint: 'SHA256:one' }
    const boot = machineBoot('b-0001', { ...had, token: 'h', bundleAt: 3, readyAt: 4, proven: false })
    await store.change('ctl-1', record => {
      record.addToken({ ...tokenOf('h', 'b-0001'), made }, boot)
      record.useToken('h', 2)
      record.reopen({ machine: 'ctl-1', at: 1, until: 9, who: 'ada', made })
      record.putSigning({ site: 'rack-1', until: 9 })
    })
    const kept = await again()
    t.same(await kept.token('h'), { ...tokenOf('h', 'b-0001'), made, usedAt: 2 })
    t.same(await recordedBoot(kept, 'b-0001'), boot)
    t.same(await kept.read('ctl-1', record => record.lastUsedBoot()), boot)
    t.same(await kept.read('ctl-1', record => record.reopening()), {
      machine: 'ctl-1',
      at: 1,
      until: 9,
      who: 'ada',
      made,
    })
    t.same([...(await kept.signings())], [['ctl-1', { site: 'rack-1', until: 9 }]])
    t.equal(
      await kept.read('cmp-1', record => record.token('h')),
      undefined,
      'it is the token of another machine',
    )
  })

  t.test('a step that throws changes nothing, and takes no other with it', async t => {
    const { store } = await open(t)
    const results = await Promise.allSettled([
      keep(store, 'b-0001', 'a'),
      store.change('ctl-1', record => {
        record.addToken(tokenOf('b', 'b-0002'), machineBoot('b-0002'))
        throw new Error('not this one')
      }),
      keep(store, 'b-0003', 'c'),
      keep(store, 'b-0003', 'c'),
    ])
    t.same(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'rejected'],
      'nor does one that adds a token that is there',
    )
    t.same(await Promise.all(['a', 'b', 'c'].map(async hash => (await store.token(hash))?.boot)), [
      'b-0001',
      undefined,
      'b-0003',
    ])
    t.equal(await recordedBoot(store, 'b-0002'), undefined)
  })

  t.test('steps at the same time see each other: none counts from what another one has changed', async t => {
    const { store } = await open(t)
    await Promise.all(
      RACERS.map(at =>
        store.change('ctl-1', record => {
          const known = record.boot('b-0001')
          const tokens = (known?.tokens ?? 0) + 1
          record.addToken(tokenOf(`h${at}`, 'b-0001'), machineBoot('b-0001', { tokens }))
        }),
      ),
    )
    t.equal((await recordedBoot(store, 'b-0001'))?.tokens, RACERS.length)
    t.same(
      await store.read('ctl-1', record => record.tokensOf('b-0001').map(({ hash }) => hash)),
      RACERS.map(at => `h${at}`),
      'in the order in which they were made',
    )
  })

  t.test('of those that spend a boot at the same time exactly one does', async t => {
    const { store, again } = await open(t)
    await keep(store, 'b-0001')
    const spend = (at: number) => store.change('ctl-1', record => record.spend('b-0001', at, to))
    t.same(
      (await Promise.all(RACERS.map(spend))).filter(isSpent => isSpent),
      [true],
    )
    t.equal(
      await (await again()).change('ctl-1', record => record.spend('b-0001', 9, to)),
      false,
      'nor later',
    )
  })

  t.test('a boot is not spent after a later one, nor one that no one knows', async t => {
    const { store } = await open(t)
    await keep(store, 'b-0001')
    await keep(store, 'b-0002', 'i')
    const spend = (boot: string) => store.change('ctl-1', record => record.spend(boot, 3, to))
    t.same(await Promise.all(['b-0002', 'b-0001', 'b-0003'].map(spend)), [true, false, false])
    t.match(await store.read('ctl-1', record => record.lastUsedBoot()), {
      boot: 'b-0002',
      bundleAt: 3,
      ...to,
    })
  })

  t.test('of those that approve another key of a machine at the same time exactly one does', async t => {
    const { store } = await open(t)
    const approve = (at: number) =>
      store.change('ctl-1', record => {
        if (record.keys().some(({ state }) => state === 'approved')) return false
        record.putKey(keyOf(`SHA256:${at}`, 'approved'))
        return true
      })
    t.equal((await Promise.all(RACERS.map(approve))).filter(isApproved => isApproved).length, 1)
    t.equal((await store.keys('ctl-1')).length, 1)
  })

  t.test('of machines that show the same key at the same time exactly one has it approved', async t => {
    const { store } = await open(t)
    const approve = (at: number) =>
      store.change(`cmp-${at}`, record => {
        const other = record.otherOwner('SHA256:tpm')
        if (other === undefined) record.putKey(keyOf('SHA256:tpm', 'approved', { machine: `cmp-${at}` }))
        return other
      })
    const others = await Promise.all(RACERS.map(approve))
    const [owner, ...rest] = [...new Set(others.filter(other => other !== undefined))]
    t.equal(others.filter(other => other === undefined).length, 1)
    t.same(rest, [])
    t.same(
      (await store.keys()).map(({ machine }) => machine),
      [owner],
    )
  })

  t.test('a key that becomes approved retires the one before', async t => {
    const { store } = await open(t)
    await store.change('ctl-1', record => record.putKey(keyOf('one', 'approved', { seenAt: 1 })))
    await store.change('ctl-1', record => record.putKey(keyOf('two', 'approved', { seenAt: 2 })))
    t.match(await store.keys('ctl-1'), [
      { fingerprint: 'two', state: 'approved' },
      { fingerprint: 'one', state: 'retired' },
    ])
  })

  t.test('no number of keys that wait pushes out one that was approved or rejected', async t => {
    const { store } = await open(t)
    await store.change('ctl-1', record => {
      record.putKey(keyOf('bad', 'rejected', { seenAt: 1 }))
      record.putKey(keyOf('good', 'approved', { seenAt: 2 }))
      for (let at = 3; at < 40; at += 1) record.putKey(keyOf(`waits ${at}`, 'pending', { seenAt: at }))
    })
    const kept = (await store.keys('ctl-1')).map(({ fingerprint }) => fingerprint)
    t.ok(kept.includes('bad') && kept.includes('good'), kept.join(' '))
    t.equal(kept.length, 22)
    t.ok(kept.includes('waits 39') && !kept.includes('waits 3'))
  })

  t.test('a boot whose key waits or is approved is kept, however many boots others begin', async t => {
    const { store } = await open(t)
    const had = { proven: false, isElsewhere: true }
    const ids = Array.from({ length: 400 }, (_, at) => bootId(at + 1))
    await store.change('ctl-1', record => {
      for (const [at, id] of ids.entries()) {
        record.addToken(tokenOf(id, id), machineBoot(id, had))
        if (at === 0) record.putKey(keyOf('waits', 'pending', { boot: id }))
        if (at === 1) record.putKey(keyOf('good', 'approved', { boot: id }))
      }
    })
    const kept = await store.read('ctl-1', record => ids.filter(id => record.boot(id) !== undefined))
    t.same(kept.slice(0, 3), ['b-0001', 'b-0002', bootId(400 - 127)])
    t.equal(kept.length, 130)
    t.ok((await store.token('b-0001')) && (await store.token('b-0002')) && !(await store.token('b-0003')))
  })

  t.test('the boot that was used last is remembered, however many began since', async t => {
    const { store } = await open(t)
    await keep(store, 'b-0001')
    await store.change('ctl-1', record => {
      record.spend('b-0001', 3, to)
      for (let number = 2; number < 400; number += 1) record.putBoot(machineBoot(bootId(number)))
    })
    t.match(await store.read('ctl-1', record => record.lastUsedBoot()), { boot: 'b-0001', bundleAt: 3 })
  })

  t.test(
    'a machine is open for boots without a token, and of those that close it exactly one does',
    async t => {
      const { store } = await open(t)
      await keep(store, 'b-0002')
      await store.change('ctl-1', record => record.reopen({ machine: 'ctl-1', at: 1, until: 9, who: 'ada' }))
      const isOpen = (boot: string) => store.read('ctl-1', record => record.isReopened(boot))
      t.same(await Promise.all(['b-0001', 'b-0002', 'b-0003'].map(isOpen)), [false, false, true])
      await store.change('ctl-1', record => record.closeReopened('b-0002'))
      t.equal(await isOpen('b-0003'), true, 'it was not opened for that boot')
      const close = () =>
        store.change('ctl-1', record => {
          const opened = record.reopening()
          record.closeReopened('b-0003')
          return opened?.who
        })
      t.same(
        (await Promise.all(RACERS.map(close))).filter(who => who !== undefined),
        ['ada'],
      )
    },
  )

  t.test(
    'a follower knows what each machine used last and what is open, before the one who changed it',
    async t => {
      const { store } = await open(t)
      await keep(store, 'b-0001')
      await store.change('ctl-1', record => record.spend('b-0001', 3, to))
      const used = new Map<string, string>()
      const opened = new Set<string>()
      const disks = new Map<string, string>()
      const note = ({ machine, boot }: MachineBoot) => used.set(machine, boot)
      await store.follow({
        begin: all => all.used.forEach(note),
        used: note,
        reopened: (machine, reopening) => {
          if (reopening === undefined) opened.delete(machine)
          else opened.add(machine)
        },
        disk: (machine, { installs, order }) => disks.set(machine, `${installs.length} ${order?.verb}`),
      })
      t.same([...used], [['ctl-1', 'b-0001']])
      await keep(store, 'b-0002', 'i')
      t.equal(used.get('ctl-1'), 'b-0001', 'it has its token alone')
      await store.change('ctl-1', record => record.spend('b-0002', 4, { ...to, token: 'i' }))
      t.equal(used.get('ctl-1'), 'b-0002')
      await store.change('ctl-1', record => record.reopen({ machine: 'ctl-1', at: 1, until: 9, who: 'ada' }))
      t.same([...opened], ['ctl-1'])
      await store.change('ctl-1', record => record.closeReopened())
      t.same([...opened], [])
      const failing = store.change('cmp-1', record => {
        record.reopen({ machine: 'cmp-1', at: 1, until: 9, who: 'ada' })
        throw new Error('undone')
      })
      await t.rejects(failing, { message: 'undone' })
      t.same([...opened], [], 'of what was undone it hears nothing')
      const install = installOf('b-0001')
      await store.change('ctl-1', record => record.putInstall(install))
      await store.change('ctl-1', record => record.putOrder(order))
      t.same([...disks], [['ctl-1', '1 reinstall']])
    },
  )

  t.test('keeps what was installed and ordered, also for the next who opens it', async t => {
    const { store, again } = await open(t)
    const given = {
      table: '9d0a1c3e-0000-4000-8000-000000000001',
      roothashes: ['a', 'b'],
      grantedBoot: 'b-0001',
    }
    const [first, second] = [
      { ...installOf('b-0001'), ...given },
      { ...installOf('b-0002'), orderedBy: 'ada' },
    ]
    const proven = { ...order, withoutProof: true, provenBoot: 'b-0002' }
    await store.change('ctl-1', record => {
      record.putInstall(first)
      record.putInstall(second)
      record.putOrder(proven)
    })
    await store.change('ctl-1', record => record.confirmInstall('b-0001', 9))
    t.same(await store.read('ctl-1', record => record.disk()), { installs: [second, first], order: proven })
    await store.change('ctl-1', record => record.putInstall({ ...first, installedAt: 8 }))
    const kept = await again()
    await kept.change('ctl-1', record => {
      record.confirmInstall('b-0001', 9)
      record.endOrder()
    })
    const confirmed = { ...first, installedAt: 8, confirmedAt: 9 }
    t.same(await kept.read('ctl-1', record => record.disk()), { installs: [confirmed] }, 'the only one')
    await kept.change('ctl-1', record => record.forgetInstalls())
    t.same(await kept.read('ctl-1', record => record.disk()), { installs: [] })
  })

  t.test('keeps how far an upgrade is, also for the next who opens it', async t => {
    const { store, again } = await open(t)
    const upgrade: KeptOrder = {
      ...order,
      verb: 'upgrade',
      target: 'aaaaaaaaaaaa',
      state: 'rebooting',
      since: 5,
      kernel: '0e2f0000-0000-4000-8000-000000000001',
      healthySeconds: 300,
      sinceHost: { run: 'second', at: 12 },
    }
    await store.change('ctl-1', record => record.putOrder(upgrade))
    const kept = await again()
    t.same(await kept.read('ctl-1', record => record.disk().order), upgrade)
    const { kernel: _, ...rest } = upgrade
    const failed: KeptOrder = { ...rest, state: 'failed', since: 6, why: 'the disk is gone' }
    await kept.change('ctl-1', record => record.putOrder(failed))
    t.same(await kept.read('ctl-1', record => record.disk().order), failed)
  })

  t.test('keeps the keys of encrypted disks of one machine, also for the next who opens it', async t => {
    const { store, again } = await open(t)
    t.same(await store.read('ctl-1', record => record.diskKeys()), [])
    const key = { uuid: 'u', secret: 'S', recipient: 'age1', holder: 'tpm', boot: 'b-0001', at: 7 } as const
    await store.change('ctl-1', record => record.putDiskKeys([key]))
    const kept = await again()
    t.same(await kept.read('ctl-1', record => record.diskKeys()), [key])
    t.same(await kept.read('cmp-1', record => record.diskKeys()), [])
    await kept.change('ctl-1', record => record.putDiskKeys([]))
    t.same(await kept.read('ctl-1', record => record.diskKeys()), [])
  })

  t.test('keeps few installs that were not confirmed, and never drops the confirmed one', async t => {
    const { store } = await open(t)
    await store.change('ctl-1', record => {
      record.putInstall({ ...installOf('b-0001'), installedAt: 8, confirmedAt: 9 })
      for (let number = 2; number < 40; number += 1) record.putInstall(installOf(bootId(number)))
    })
    const { installs } = await store.read('ctl-1', record => record.disk())
    t.equal(installs.length, 9)
    t.match(installs.at(-1), { boot: 'b-0001', confirmedAt: 9 })
    t.equal(installs[0]?.boot, bootId(39))
  })

  t.test('of those keeps the first that were written, which later ones do not push out', async t => {
    const { store } = await open(t)
    await store.change('ctl-1', record => {
      record.putInstall(installOf('b-0001'))
      for (let number = 2; number < 40; number += 1)
        record.putInstall({ ...installOf(bootId(number)), installedAt: 8 })
    })
    const { installs } = await store.read('ctl-1', record => record.disk())
    const [first, last] = [[5, 4, 3, 2], Array.from({ length: 8 }, (_, at) => 39 - at)]
    t.same(
      installs.map(({ boot }) => boot),
      [...last, ...first].map(bootId),
    )
  })

  t.test('a boot that an order was spent on is open, those before it are not', async t => {
    const { store } = await open(t)
    await keep(store, 'b-0004')
    const opened = { machine: 'ctl-1', at: 1, until: 9, who: 'ada' }
    await store.change('ctl-1', record => record.reopenFor('b-0004', opened))
    const isOpen = (boot: string) => store.read('ctl-1', record => record.isReopened(boot))
    t.same(await Promise.all(['b-0003', 'b-0004'].map(isOpen)), [false, true])
  })
}

const order: KeptOrder = {
  machine: 'ctl-1',
  verb: 'reinstall',
  at: 1,
  until: 2,
  who: 'ada',
  made: { run: 'first', at: 3 },
}

function installOf(boot: string): Install {
  const disk = { name: 'sda', bytes: 1e9, model: 'M', serial: 'S', byId: 'ata-S' }
  return { machine: 'ctl-1', boot, disks: [disk], version: 'v', slot: 'a', overwrite: true, grantedAt: 7 }
}

/** The contract of what 'pilotlight up' gives and no one reads back. */
export function secretContract(t: Test, open: Open<BundleStore & AuthorityStore>): void {
  const bundle = { files: [{ path: '/etc/x', mode: 0o600, content: 'x' }], requests: [], secrets: [] }

  t.test('a bundle is kept as it was put, and putting the same again changes nothing', async t => {
    const { store, again } = await open(t)
    t.same([await store.hasBundle('ctl-1'), await store.bundle('ctl-1')], [false, undefined])
    t.same(await Promise.all([store.putBundle('ctl-1', bundle), store.putBundle('ctl-1', bundle)]), [
      true,
      false,
    ])
    const kept = await again()
    t.same([await kept.hasBundle('ctl-1'), await kept.bundle('ctl-1')], [true, bundle])
    t.equal(await kept.putBundle('ctl-1', { ...bundle, files: [] }), true)
  })

  t.test('of those that replace the same authority at the same time exactly one does', async t => {
    const { store, again } = await open(t)
    const first = authorityOf('first')
    const begin = () => store.replaceAuthority('rack-1', undefined, first)
    t.same(await Promise.all([begin(), begin()]), [true, false])
    const replace = (at: number) => store.replaceAuthority('rack-1', first, authorityOf(`${at}`))
    const replaced = await Promise.all(RACERS.map(replace))
    t.equal(replaced.filter(isReplaced => isReplaced).length, 1)
    const kept = await again()
    t.same(await kept.authority('rack-1'), authorityOf(String(replaced.indexOf(true))))
    t.same(await kept.authoritySites(), ['rack-1'])
    t.equal(await kept.authority('rack-2'), undefined)
  })
}

const bootOf = (number: number, more: Partial<Boot> = {}): Boot => ({
  id: bootId(number),
  mac: '52:54:00:20:00:01',
  began: number,
  ...more,
})
const eventOf = (boot: Boot, text = 'x'): UnstoredEvent => ({
  at: 1000,
  boot: boot.id,
  mac: boot.mac,
  ...(boot.machine !== undefined && { machine: boot.machine }),
  layer: 'dhcp',
  kind: 'discover',
  text,
  detail: { client: 'pxe' },
})

/** The contract of what the journal keeps boots and events in. */
export function eventContract(t: Test, open: Open<EventStore>): void {
  t.test('boots get numbers that are unique and increasing, also after a restart', async t => {
    const { store, again } = await open(t)
    t.equal(store.lastBoot(), 0)
    const numbers = RACERS.map(() => store.nextBoot())
    const [last = 0] = numbers.slice(-1)
    t.equal(store.lastBoot(), last)
    await store.append(bootOf(last), eventOf(bootOf(last)))
    const later = (await again()).nextBoot()
    const all = [0, ...numbers, later]
    t.ok(
      all.every((number, at) => at === 0 || number > (all[at - 1] ?? 0)),
      all.join(' '),
    )
  })

  t.test(
    'events are kept with all their fields, by ids that the store gives, also after a restart',
    async t => {
      const { store, again } = await open(t)
      t.equal(await store.lastEvent(), 0)
      const boot = bootOf(1, { machine: 'ctl-1' })
      const first = await store.append(boot, eventOf(boot, 'one'))
      const second = await store.append(boot, eventOf(boot, 'two'))
      t.ok(second > first && first > 0, `${first}, ${second}`)
      const later = await again()
      t.equal(await later.lastEvent(), second)
      t.same(await later.eventsOf(boot.id), [
        { id: first, ...eventOf(boot, 'one') },
        { id: second, ...eventOf(boot, 'two') },
      ])
      t.ok((await later.append(boot, eventOf(boot, 'three'))) > second)
      t.same(await later.latestBoots(), [boot])
    },
  )

  t.test(
    'a reader who goes on behind the last event that it read misses none, however they are kept',
    async t => {
      const { store } = await open(t)
      const kept: Promise<number>[] = []
      const read: BootEvent[] = []
      for (let at = 0; at < 200; at += 1) {
        const boot = bootOf(at + 1)
        kept.push(store.append(boot, eventOf(boot, `${at}`), at % 3 === 0 ? 'within a second' : 'soon'))
        if (at % 7 !== 0) continue
        await new Promise(setImmediate)
        read.push(...(await store.eventsAfter(read.at(-1)?.id ?? 0, { limit: 5 })))
      }
      const ids = await Promise.all(kept)
      for (;;) {
        const more = await store.eventsAfter(read.at(-1)?.id ?? 0, { limit: 50 })
        if (more.length === 0) break
        read.push(...more)
      }
      t.same(
        read.map(({ text }) => Number(text)).toSorted((a, b) => a - b),
        ids.map((_, at) => at),
        'each once',
      )
      t.same(
        ids.map((id, at) => read.find(event => event.id === id)?.text === `${at}`),
        ids.map(() => true),
        'under the id that its writer got',
      )
    },
  )

  t.test('a reader sees what was appended before it asked', async t => {
    const { store } = await open(t)
    const boot = bootOf(1)
    const kept = store.append(boot, eventOf(boot), 'within a second')
    t.equal((await store.eventsAfter(0, { limit: 10 })).length, 1)
    t.same(await store.bootsOf({ macs: [boot.mac] }, 10), [boot])
    await kept
    const named = { ...boot, machine: 'ctl-1' }
    await store.append(named, eventOf(named))
    t.same(await store.bootsOf({ machine: 'ctl-1', macs: [] }, 10), [named], 'a boot learns its machine')
    t.equal((await store.eventsAfter(0, { limit: 10, machine: 'ctl-1' })).length, 1)
    t.equal((await store.eventsAfter(0, { limit: 10, machine: boot.mac })).length, 2)
  })

  t.test('undeclared machines are forgotten up to a boot, and declared ones are not', async t => {
    const { store } = await open(t)
    const [mac = ''] = cmp.macs
    const all = [bootOf(1), bootOf(2, { mac, machine: 'cmp-1' }), bootOf(3), bootOf(4)]
    for (const boot of all) await store.append(boot, eventOf(boot))
    t.same(
      (await store.strangerBoots(4, 10)).map(({ id }) => id),
      ['b-0003', 'b-0001'],
      'newest first',
    )
    await store.forgetStrangers([bootOf(1).mac, mac], 3)
    t.same(
      (await store.bootsOf({ macs: [bootOf(1).mac, mac] }, 10)).map(({ id }) => id),
      ['b-0004', 'b-0002'],
    )
    t.same(await store.eventsOf('b-0001'), [])
  })

  t.test('boots of undeclared machines are trimmed some at a time, the oldest first', async t => {
    const { store } = await open(t)
    for (let number = 1; number <= 6; number += 1) await store.append(bootOf(number), eventOf(bootOf(number)))
    t.equal(await store.trimStrangers(5, 3), true, 'there are more')
    t.equal(await store.trimStrangers(5, 3), false)
    t.same(
      (await store.strangerBoots(100, 10)).map(({ id }) => id),
      ['b-0006', 'b-0005'],
    )
  })
}

/** Everything in a store, in its order. */
export async function objectsOf(store: ObjectStore): Promise<StoredObject[]> {
  const found: StoredObject[] = []
  await store.follow({
    begin: ({ objects }) => found.push(...objects),
    objects: () => {},
    networks: () => {},
  })
  return found
}

const idsOf = async (store: ObjectStore) => (await objectsOf(store)).map(({ kind, id }) => `${kind} ${id}`)
const revisionOf = ([outcome]: readonly RowOutcome[]) => outcome?.after?.revision ?? 0

async function byAddress(store: LeaseStore) {
  return (await store.all()).toSorted((a, b) => (a.address < b.address ? -1 : 1))
}

/** The contract of where alarms are kept. */
export function alarmContract(t: Test, open: Open<AlarmStore>): void {
  const refused = alarmOf({
    code: 'PL-7001',
    entity: 'machine:ctl-1',
    since: 1000,
    lastSeen: 2000,
    count: 3,
    reason: 'its key was rejected',
  })
  const known: Alarm = { ...refused, state: 'acknowledged', acknowledged: { at: 3000, who: 'ada' } }
  const over: Alarm = { ...known, state: 'cleared', cleared: { at: 4000, who: 'bob' } }
  const disk = alarmOf({
    code: 'PL-7020',
    entity: 'state:/var/lib/a:b c',
    since: 1,
    lastSeen: 1,
    count: 1,
    reason: 'full',
    cleared: { at: 2 },
  })

  t.test('alarms are there after a restart, with all their fields', async t => {
    const { store, again } = await open(t)
    t.same(await store.all(), [])
    await store.keep([refused, disk], [])
    t.strictSame(await store.all(), [disk, refused], 'the one seen longest ago first')
    t.strictSame(await (await again()).all(), [disk, refused])
  })

  t.test('there is one alarm for each code and entity: the one kept last', async t => {
    const { store } = await open(t)
    for (const alarm of [refused, known, over]) {
      await store.keep([alarm], [])
      t.strictSame(await store.all(), [alarm])
    }
    const other = { ...refused, id: 'PL-7001:machine:cmp-1', entity: 'machine:cmp-1', lastSeen: 1 }
    await store.keep([other], [])
    t.match(await store.all(), [{ entity: 'machine:cmp-1' }, { entity: 'machine:ctl-1' }])
  })

  t.test('an alarm is forgotten by its id, whatever its entity is called', async t => {
    const { store, again } = await open(t)
    await store.keep([refused, disk], [])
    await store.keep([], [disk.id, 'PL-7001:machine:never'])
    t.strictSame(await (await again()).all(), [refused])
  })
}

/** The contract of where the audit log is kept. */
export function auditContract(t: Test, open: Open<AuditStore>): void {
  const entry: NewAuditEntry = {
    at: 1000,
    who: 'ci',
    role: 'admin',
    by: 'token',
    from: '10.20.0.7',
    action: 'group.put',
    entity: 'group:spare',
    before: '3',
    after: '4',
    outcome: 'done',
  }
  const refusal: NewAuditEntry = {
    at: 2000,
    who: 'eve',
    role: 'read-only',
    by: 'certificate',
    from: '::1',
    action: 'token.create',
    entity: 'token:eve',
    summary: 'wanted admin',
    outcome: 'refused',
    code: 'NOT_ALLOWED',
  }

  t.test('entries are numbered, and are there after a restart with all their fields', async t => {
    const { store, again } = await open(t)
    const first = await store.add(entry)
    const second = await store.add(refusal)
    t.ok(first.id < second.id)
    t.strictSame(first, { id: first.id, ...entry })
    t.strictSame(await store.list({ limit: 10 }), [second, first], 'the newest first')
    t.strictSame(await (await again()).list({ limit: 10 }), [second, first])
  })

  t.test('entries that are added at the same time are all kept', async t => {
    const { store } = await open(t)
    const added = await Promise.all(Array.from({ length: 50 }, (_, at) => store.add({ ...entry, at })))
    t.equal(new Set(added.map(({ id }) => id)).size, 50)
    t.equal((await store.list({ limit: 100 })).length, 50)
  })

  t.test('a list is narrowed by who, entity and time, and goes on after an id', async t => {
    const { store } = await open(t)
    for (let at = 0; at < 10; at += 1) await store.add({ ...(at % 2 === 0 ? entry : refusal), at })
    const times = async (query: Parameters<AuditStore['list']>[0]) =>
      (await store.list(query)).map(({ at }) => at)
    t.strictSame(await times({ who: 'ci', limit: 9 }), [8, 6, 4, 2, 0])
    t.strictSame(await times({ entity: 'token:eve', limit: 2 }), [9, 7])
    t.strictSame(await times({ since: 3, until: 6, limit: 9 }), [5, 4, 3])
    const page = await store.list({ who: 'eve', limit: 2 })
    t.strictSame(await times({ who: 'eve', after: page[1]!.id, limit: 2 }), [5, 3]) // it has two
    t.strictSame(await times({ who: 'ada', limit: 9 }), [])
  })
}
