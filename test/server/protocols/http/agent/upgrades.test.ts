// Upgrades over real HTTP: an operator orders one, installed machines ask and report, and restart when they are told to.

import t from 'tap'
import { hash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BootEvent } from '#model/boot.ts'
import { MOST_WRITING } from '#server/disks/upgrades.ts'
import { passMinutes } from '../../../../pass-minutes.ts'
import { slotText } from '../../../../slot-files.ts'
import { agentCall } from '../../../agent-call.ts'
import { AFTER, BEFORE, enterOf, macOf, NEW, OLD, rackOf, written, type Rack } from '../../../upgrade-rack.ts'

t.setTimeout(120_000)
const NAMES = {
  ctl: ['ctl-1', 'ctl-2', 'ctl-3'],
  cmp: Array.from({ length: MOST_WRITING + 2 }, (_, at) => `cmp-${at + 1}`),
}
const after = { kernel: AFTER, version: NEW, slot: 'b' }

async function eventsOf({ server }: Rack, machine: string): Promise<string[]> {
  const { events } = (await (await server.get(`/v1/events?machine=${machine}`)).json()) as {
    events: BootEvent[]
  }
  return events.map(({ kind, text }) => `${kind}: ${text}`)
}

t.test('a machine writes, waits, restarts when it is told to, and is done when it is ready', async t => {
  const rack = await rackOf(t, ['cmp-1'])
  t.same(await rack.ask('cmp-1'), { do: 'nothing', againSeconds: 60 })
  t.match(await (await rack.order(['cmp-1'])).json(), [
    { verb: 'upgrade', target: NEW, state: 'ordered', since: /^20/ },
  ])
  const told = await rack.ask('cmp-1')
  const url = `${rack.server.url}/assets/live/slot.json`
  t.match(told, { do: 'write', url, version: NEW, againSeconds: 30 })
  const bytes = Buffer.from(await (await fetch(url)).arrayBuffer())
  t.equal(
    told.do === 'write' && told.sha256,
    hash('sha256', bytes),
    'the digest is that of what is served there',
  )
  t.same(await rack.ask('cmp-1'), told, 'the same again when the answer was lost')
  t.match(await rack.ask('cmp-1', { doing: 'writing', target: NEW }), { do: 'nothing' })
  t.match(await (await rack.restart('cmp-1')).json(), { title: 'NOT_WRITTEN', status: 409 })
  t.match(await rack.ask('cmp-1', written), { do: 'nothing' })
  t.match(await rack.orders(), { 'cmp-1': { state: 'written' } })

  await rack.reopen()
  t.match(await rack.orders(), { 'cmp-1': { state: 'written' } }, 'it is on disk')
  t.match(await rack.ask('cmp-1', written), { do: 'nothing' }, 'no one ordered a restart yet')
  t.match(await (await rack.restart('cmp-1')).json(), { state: 'rebooting' })
  t.match(await (await rack.restart('cmp-1')).json(), { state: 'rebooting' }, 'and again')
  for (const _ of [1, 2]) t.match(await rack.ask('cmp-1', written), { do: 'reboot', version: NEW })
  await rack.reopen()
  t.match(await rack.ask('cmp-1', written), { do: 'reboot' }, 'it did not restart yet')
  t.match(await rack.ask('cmp-1', { ...after, good: false }), { do: 'nothing' })
  t.match(await rack.orders(), { 'cmp-1': { state: 'rebooting' } }, 'its services do not run yet')
  t.equal(await rack.report('cmp-1', 'ready', NEW), 204)
  t.match(await rack.orders(), { 'cmp-1': { state: 'done' } })
  t.match(await (await rack.server.get('/machines/cmp-1')).json(), {
    installed: { version: NEW },
    phase: 'ready',
  })
  t.match(await (await rack.order(['cmp-1'])).json(), [{ state: 'done' }], 'ordered again it is left alone')
  const said = (await eventsOf(rack, 'cmp-1')).filter(text => text.startsWith('order'))
  t.match(said, [/is to run/, /cmp-1 writes/, /cmp-1 wrote/, /order/, /order/, /runs 1111bbbb1111/])
})

t.test('an upgrade keeps no machine from the image that it runs, where none of it was known', async t => {
  const rack = await rackOf(t, ['cmp-1'], { isEntered: true })
  await rack.order(['cmp-1'])
  t.match(await rack.ask('cmp-1'), { do: 'write', version: NEW })
  // The power went while it wrote the other slot.
  t.same(await enterOf(rack, 'cmp-1', macOf(0)), { grant: 'enter' })
})

t.test('an upgrade adds its image to those that a machine was given', async t => {
  const rack = await rackOf(t, ['cmp-1'])
  await rack.order(['cmp-1'])
  await rack.ask('cmp-1')
  t.match(await enterOf(rack, 'cmp-1', macOf(0)), { grant: 'enter', roothashes: { length: 2 } })
})

t.test('a machine that runs the old image again has failed, with an alarm, and can begin anew', async t => {
  const rack = await rackOf(t, ['cmp-1'])
  await rack.order(['cmp-1'])
  await rack.ask('cmp-1')
  await rack.ask('cmp-1', written)
  await rack.restart('cmp-1')
  await rack.ask('cmp-1', written)
  t.match(await rack.ask('cmp-1', { kernel: AFTER }), { do: 'nothing' })
  t.match(await rack.orders(), {
    'cmp-1': { state: 'failed', why: /runs 8f3c0d2a91b4 again: 1111bbbb1111 was not good/ },
  })
  t.match(await (await rack.server.get('/v1/alarms')).json(), {
    items: [{ code: 'PL-7010', entity: 'machine:cmp-1', reason: /was not upgraded/ }],
  })
  t.match(await (await rack.restart('cmp-1')).json(), { title: 'NOT_WRITTEN', detail: /upgrade os cmp-1/ })
  t.match(await (await rack.order(['cmp-1'])).json(), [{ state: 'ordered' }])
  t.match(await rack.ask('cmp-1', { kernel: AFTER }), { do: 'write' })
  const why = 'the disk\u001b[31m is gone'
  await rack.ask('cmp-1', { kernel: AFTER, doing: 'failed', target: NEW, why })
  const { state, why: kept } = (await rack.orders())['cmp-1'] ?? {}
  t.equal(state, 'failed')
  t.match(kept, /is gone/)
  t.notOk(kept?.includes('\u001b'), 'what a terminal obeys is not kept')
})

t.test(`no more than ${MOST_WRITING} machines write at once`, async t => {
  const rack = await rackOf(t, NAMES.cmp)
  await rack.order(NAMES.cmp)
  const told = await Promise.all(NAMES.cmp.map(name => rack.ask(name)))
  t.equal(told.filter(answer => answer.do === 'write').length, MOST_WRITING)
  const waiting = NAMES.cmp.filter((_, at) => told[at]?.do === 'nothing')
  t.equal(waiting.length, 2)
  const [first = ''] = NAMES.cmp.filter((_, at) => told[at]?.do === 'write')
  await rack.reopen()
  t.match(await rack.ask(waiting[0] ?? ''), { do: 'nothing' }, 'also after the server was started again')
  const mac = macOf(NAMES.cmp.indexOf(first))
  for (const _ of [1, 2, 3]) await rack.server.get(`/ipxe?mac=${mac}`)
  const config = (await (await rack.server.get(`/ignition?mac=${mac}`)).json()) as { token: string }
  const body = { version: OLD, slot: 'a', kernel: AFTER, good: true, ...written }
  t.match(await agentCall(rack.server)('order', config.token, body), { status: 200, text: /"do":"nothing"/ })
  t.match(await rack.ask(waiting[0] ?? ''), { do: 'nothing' }, 'nor does a stranger free a place')
  await rack.ask(first, written)
  const next = await Promise.all(waiting.map(name => rack.ask(name)))
  t.equal(next.filter(answer => answer.do === 'write').length, 1)
})

t.test('a controller restarts only while all others are ready and none restarts', async t => {
  const rack = await rackOf(t, NAMES.ctl)
  await rack.order(NAMES.ctl)
  for (const name of NAMES.ctl) {
    await rack.ask(name)
    await rack.ask(name, written)
  }
  const both = await Promise.all([rack.restart('ctl-1'), rack.restart('ctl-2')])
  t.same(
    both.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 409],
    'of two orders at the same time one is refused',
  )
  const [one = ''] = Object.values(await rack.orders()).flatMap(({ machine, state }) =>
    state === 'rebooting' ? [machine] : [],
  )
  const other = NAMES.ctl.find(name => name !== one) ?? ''
  const refused = (await (await rack.restart(other)).json()) as object
  t.match(refused, { title: 'BREAKS_QUORUM', detail: new RegExp(`${one} of its site`) })
  await rack.ask(one, written)
  await rack.report(one, 'booted', NEW)
  t.equal((await rack.restart(other)).status, 409, 'it is not ready yet')
  await rack.report(one, 'ready', NEW)
  t.equal((await rack.restart(other)).status, 200)
  const last = NAMES.ctl.find(name => name !== one && name !== other) ?? ''
  t.equal((await rack.restart(last, { breakQuorum: true })).status, 200, 'an operator may say so')
})

t.test('a controller that asks no more counts as off, whatever it reported last', async t => {
  const rack = await rackOf(t, NAMES.ctl)
  const { server } = rack
  const wipe = async (machine: string) => {
    const order = { verb: 'wipe', machines: [machine], count: 1 }
    return (await (await server.post('/v1/orders', order, server.admin)).json()) as object
  }
  await rack.order(['ctl-2'])
  for (const name of NAMES.ctl) await rack.ask(name)
  await rack.ask('ctl-2', written)
  passMinutes(t, 4)
  await rack.ask('ctl-1')
  await rack.ask('ctl-2', written)
  passMinutes(t, 2)
  const text = /ctl-3 has not asked for orders for 5 minutes, and may be off\./
  t.match(await wipe('ctl-1'), { title: 'BREAKS_QUORUM', detail: /1 of 3 would run with their disks/ })
  t.match(await wipe('ctl-1'), { detail: text })
  t.match(await (await rack.restart('ctl-2')).json(), { title: 'BREAKS_QUORUM', detail: text })
  await rack.ask('ctl-3')
  t.equal((await rack.restart('ctl-2')).status, 200)
  await server.delete('/v1/machines/ctl-2/order', server.admin)
  t.match(await wipe('ctl-1'), [{ verb: 'wipe' }])
})

const statuses = async (answers: readonly Promise<Response>[]) =>
  (await Promise.all(answers)).map(({ status }) => status).toSorted((a, b) => a - b)

t.test('an upgrade does not take the place of a wipe of the same moment', async t => {
  const rack = await rackOf(t, ['cmp-1'])
  const body = { verb: 'wipe', machines: ['cmp-1'], count: 1 }
  const [upgrade, wipe] = await Promise.all([
    rack.order(['cmp-1']),
    rack.server.post('/v1/orders', body, rack.server.admin),
  ])
  t.equal(wipe.status, 200)
  if (upgrade.status === 200)
    t.match(await wipe.json(), [{ replaced: 'upgrade' }], 'it says what it replaced')
  else t.match(await upgrade.json(), { title: 'OTHER_ORDER' })
  t.equal((await rack.orders())['cmp-1']?.verb, 'wipe')
})

t.test('two orders at the same time do not stop two controllers of three', async t => {
  const rack = await rackOf(t, NAMES.ctl)
  const { server } = rack
  const wipe = (...machines: string[]) =>
    server.post('/v1/orders', { verb: 'wipe', machines, count: machines.length }, server.admin)
  t.same(await statuses([wipe('ctl-1'), wipe('ctl-2')]), [200, 409], 'two wipes')
  for (const name of NAMES.ctl) await server.delete(`/v1/machines/${name}/order`, server.admin)
  await rack.order(NAMES.ctl)
  for (const name of NAMES.ctl) {
    await rack.ask(name)
    await rack.ask(name, written)
  }
  t.same(await statuses([rack.restart('ctl-1'), wipe('ctl-2')]), [200, 409], 'a restart and a wipe')
  for (const name of NAMES.ctl) await server.delete(`/v1/machines/${name}/order`, server.admin)
  t.same(await statuses([wipe('ctl-3'), wipe('ctl-3')]), [200, 200], 'of one machine both are the same')
})

t.test('refuses another image while the one that a machine restarts into is not marked good', async t => {
  const rack = await rackOf(t, ['cmp-1', 'cmp-2'])
  await rack.order(['cmp-1'])
  await rack.ask('cmp-1')
  await rack.ask('cmp-1', written)
  await rack.restart('cmp-1')
  await rack.ask('cmp-1', written)
  t.equal((await rack.order(['cmp-1'])).status, 200, 'the same one goes on')
  const roothash = '3333dddd3333'.padEnd(64, '0')
  const cmdline = `pilotlight.disk roothash=${roothash}`
  const text = slotText(slot => ({ ...slot, version: roothash.slice(0, 12), roothash, cmdline }))
  writeFileSync(join(rack.server.statePath, '../assets/live/slot.json'), text)
  const refused = { title: 'NOT_GOOD_YET', status: 409, detail: /cmp-1 restarts into 1111bbbb1111/ }
  t.match(await (await rack.order(['cmp-1', 'cmp-2'])).json(), refused)
  t.same(Object.keys(await rack.orders()), ['cmp-1'], 'nothing is ordered for the other one')
  await rack.report('cmp-1', 'ready', NEW)
  t.match(await (await rack.order(['cmp-1', 'cmp-2'])).json(), [
    { machine: 'cmp-1', target: '3333dddd3333' },
    { machine: 'cmp-2', target: '3333dddd3333' },
  ])
})

t.test('an only controller is restarted when an operator says that its API may be away', async t => {
  const rack = await rackOf(t, ['ctl-1', 'cmp-1'])
  await rack.order(['ctl-1', 'cmp-1'])
  for (const name of ['ctl-1', 'cmp-1']) {
    await rack.ask(name)
    await rack.ask(name, written)
  }
  t.match(await (await rack.restart('ctl-1')).json(), {
    title: 'BREAKS_QUORUM',
    detail: /only controller.*--break-quorum/s,
  })
  t.equal((await rack.restart('cmp-1')).status, 200)
  t.equal((await rack.restart('ctl-1', { breakQuorum: true })).status, 200)
})

t.test('refuses what cannot be ordered, all of it or nothing', async t => {
  const rack = await rackOf(t, ['cmp-1', 'cmp-2'])
  t.match(await (await rack.order(['cmp-1'], { count: 2 })).json(), { title: 'WRONG_COUNT' })
  for (const healthySeconds of [59, 86_401, 90.5])
    t.equal((await rack.order(['cmp-1'], { healthySeconds })).status, 400)
  t.match(await (await rack.order(['cmp-1', 'nope'])).json(), { title: 'NOT_FOUND' })
  t.match(await (await rack.restart('cmp-1')).json(), { title: 'NO_ORDER' })
  const wipe = { verb: 'wipe', machines: ['cmp-2'], count: 1 }
  await rack.server.post('/v1/orders', wipe, rack.server.admin)
  t.match(await (await rack.order(['cmp-1', 'cmp-2'])).json(), {
    title: 'OTHER_ORDER',
    detail: /wipe cmp-2 --undo/,
  })
  t.same(Object.keys(await rack.orders()), ['cmp-2'])
  t.equal(
    (await rack.server.post('/v1/orders', { ...wipe, verb: 'upgrade' })).status,
    401,
    'it takes the role admin',
  )
})

t.test('an upgrade keeps no machine from its disk, and a later order takes its place', async t => {
  const rack = await rackOf(t, ['cmp-1'])
  await rack.order(['cmp-1'])
  t.match(
    await (await rack.server.get(`/ipxe?mac=${macOf(0)}`)).text(),
    /booting from the disk|^#!ipxe\n.*\bexit 1\n$/s,
  )
  const reinstall = { verb: 'reinstall', machines: ['cmp-1'], count: 1 }
  t.equal((await rack.server.post('/v1/orders', reinstall, rack.server.admin)).status, 200)
  t.match(await rack.ask('cmp-1'), { do: 'nothing' })
  t.match(await rack.orders(), { 'cmp-1': { verb: 'reinstall' } })
  await fetch(`${rack.server.url}/v1/machines/cmp-1/order`, { method: 'DELETE', headers: rack.server.admin })
  t.same(await rack.orders(), {})
})

t.test('a token of a boot in the name of the machine gets no order, and changes none', async t => {
  const rack = await rackOf(t, ['cmp-1'])
  await rack.server.put('/v1/machines/cmp-1/bundle', [{ path: '/etc/x', mode: 0o600, content: 'x' }])
  await rack.order(['cmp-1'])
  for (const _ of [1, 2, 3]) await rack.server.get(`/ipxe?mac=${macOf(0)}`)
  const config = (await (await rack.server.get(`/ignition?mac=${macOf(0)}`)).json()) as { token: string }
  const call = agentCall(rack.server)
  const body = { version: OLD, slot: 'a', kernel: AFTER, good: true, ...written }
  t.match(await call('order', config.token, body), { status: 200, text: /"do":"nothing"/ })
  await call('order', config.token, { ...body, version: NEW })
  await call('report', config.token, { stage: 'ready', install: { version: NEW, slot: 'b' } })
  t.match(await rack.orders(), { 'cmp-1': { state: 'ordered' } })
  t.equal((await call('order', 'guessed', body)).status, 401)
  t.match(await rack.ask('cmp-1'), { do: 'write' }, 'the machine itself has its order')
})

t.test('refuses what no system sends, and one that asks without end', async t => {
  const rack = await rackOf(t, ['cmp-1'])
  const call = agentCall(rack.server)
  const good = { version: OLD, slot: 'a', kernel: BEFORE }
  for (const broken of [
    {},
    { ...good, version: '../../etc' },
    { ...good, slot: 'c' },
    { ...good, kernel: 'x' },
    { ...good, doing: 'everything' },
    { ...good, why: 'x'.repeat(1001) },
    { ...good, target: 'x' },
  ])
    t.equal(
      (await call('order', rack.token('cmp-1'), broken)).status,
      400,
      JSON.stringify(broken).slice(0, 60),
    )
  const answers: number[] = []
  for (let at = 0; at < 14; at += 1) answers.push((await call('order', rack.token('cmp-1'), good)).status)
  t.ok(answers.includes(429))
})

t.test('an image that is not whole is not ordered', async t => {
  const rack = await rackOf(t, ['cmp-1'], { isNew: false })
  t.match(await (await rack.order(['cmp-1'])).json(), [{ state: 'ordered', target: OLD }])
  t.match(await rack.ask('cmp-1'), { do: 'nothing' })
  t.match(await rack.orders(), { 'cmp-1': { state: 'done' } }, 'it runs that already')
  writeFileSync(join(rack.server.statePath, '../assets/live/rootfs.squashfs'), 'damaged image!')
  t.match(await (await rack.order(['cmp-1'])).json(), { title: 'SLOT_UNFIT', status: 503 })
})
