// What every store must do, whatever it keeps things in: one part for each interface that the server's rooms declare.
// A store runs the parts of the interfaces that it has.

import type { Test } from 'tap'
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

async function byAddress(store: LeaseStore) {
  return (await store.all()).toSorted((a, b) => (a.address < b.address ? -1 : 1))
}
