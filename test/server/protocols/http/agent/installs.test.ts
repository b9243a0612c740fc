// From the first install to the disk and back, over real HTTP: grants, records, local boots and orders.

import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BootEvent } from '#model/boot.ts'
import { machineKey, type TestKey } from '../../../../machine-key.ts'
import { fingerprintOf } from '#server/agent/sealing.ts'
import { SLOT_ROOTHASH, SLOT_VERSION, slotServerFiles } from '../../../../slot-files.ts'
import { moveToThisHost, site, testServer, type TestServer } from '../../../serving.ts'
import { agentCall, authorityOf } from '../../../agent-call.ts'
import { textFrom } from '../../../text-from.ts'

const MAC = '52:54:00:20:00:01'
const choice = { match: {}, explicit: false, mirror: false, encrypt: 'no', overwrite: false } as const
const disk = {
  name: 'nvme0n1',
  path: '/dev/nvme0n1',
  bytes: 960e9,
  model: 'M1',
  serial: 'S1',
  byId: null,
  type: 'nvme',
  removable: false,
  holds: null,
}
const ask = { action: 'install', disks: [disk], chosen: ['nvme0n1'], found: null }

/** A server with a slot, and a site whose machines have a disk. */
async function serverWithSlot(t: Test, change: (machine: object) => object = it => it) {
  const dataPath = t.testdir(slotServerFiles('controller'))
  const server = await testServer(t, {
    dataPath,
    assetsPath: join(dataPath, 'assets'),
    statePath: join(dataPath, 'state'),
  })
  const machines = site.machines.map(machine => change({ ...machine, disk: choice }))
  const put = await server.put('/v1/sites/rack-1', { ...site, machines })
  if (put.status !== 200) throw new Error(await put.text())
  await server.put('/v1/machines/ctl-1/bundle', [{ path: '/etc/x', mode: 0o600, content: 'x' }])
  return server
}

/** The same, whose ctl-1 is declared at the address of this host: where no DHCP shows whose a boot is, only that spends orders. */
async function serverAtHome(t: Test, change: (machine: object) => object = it => it) {
  const server = await serverWithSlot(t, change)
  await server.close()
  moveToThisHost(server.statePath, 'ctl-1')
  const dataPath = join(server.statePath, '..')
  const paths = { dataPath, assetsPath: join(dataPath, 'assets'), statePath: server.statePath }
  return testServer(t, paths)
}

const scriptOf = async (server: TestServer) => (await server.get(`/ipxe?mac=${MAC}`)).text()
const isLocal = (script: string) =>
  script.includes('booting from the disk') || /^#!ipxe\n.*\bexit 1\n$/s.test(script)

/** Gives what moves this process's steady clock ahead by so many minutes, until the test ends. */
function laterIn(t: Test): (minutes: number) => void {
  const now = performance.now.bind(performance)
  let ahead = 0
  performance.now = () => now() + ahead
  t.teardown(() => (performance.now = now))
  return minutes => (ahead += minutes * 60_000)
}

/** Boots as far as the config, and gives the token in it. */
async function bootTo(server: TestServer): Promise<string> {
  const script = await scriptOf(server)
  if (isLocal(script)) throw new Error('it was sent to its disk')
  const config = (await (await server.get(`/ignition?mac=${MAC}`)).json()) as { token: string }
  return config.token
}

async function bundle(server: TestServer, token: string, key: TestKey): Promise<number> {
  const call = agentCall(server)
  let enrolled = await call('enroll', token, { key: key.recipient })
  if (enrolled.status === 202) {
    await server.post('/v1/machines/ctl-1/approve', {}, server.admin)
    enrolled = await call('enroll', token, { key: key.recipient })
  }
  if (enrolled.status !== 200) return enrolled.status
  const { challenge } = JSON.parse(enrolled.text) as { challenge: string }
  return (await call('bundle', token, { answer: await key.open(challenge) })).status
}

/** A machine that is installed: what it was granted, and its token and key. */
async function installed(server: TestServer) {
  const call = agentCall(server)
  const token = await bootTo(server)
  const granted = await call('install', token, ask)
  await call('report', token, { stage: 'installing', text: 'writes nvme0n1' })
  const install = { disk: 'nvme0n1', version: SLOT_VERSION, slot: 'a', seconds: { write: 12.5, enter: 0.4 } }
  const reported = await call('report', token, { stage: 'installed', text: 'nvme0n1 in 12.5 s', install })
  const key = await machineKey()
  const given = await bundle(server, token, key)
  await call('report', token, { stage: 'ready', text: 'the kubelet runs' })
  return { granted, reported, given, token, key }
}

/** What the server sealed to the disk of the machine, opened with a key of it, as the initrd sends it with its question. */
async function proofOf(server: TestServer, key: TestKey): Promise<{ proof: string }> {
  const { text } = await agentCall(server)('token', '', { machine: 'ctl-1' })
  return { proof: await key.open((JSON.parse(text) as { proof: string }).proof) }
}

async function eventsOf(server: TestServer): Promise<BootEvent[]> {
  return ((await (await server.get('/v1/events?machine=ctl-1')).json()) as { events: BootEvent[] }).events
}

t.test('a machine is granted its disk, and boots from it once its boot had the bundle', async t => {
  const server = await serverWithSlot(t)
  const call = agentCall(server)
  const token = await bootTo(server)
  const granted = await call('install', token, ask)
  t.equal(granted.status, 200)
  const grant = JSON.parse(granted.text) as Record<string, unknown>
  t.match(grant, { grant: 'install', overwrite: false, slot: { version: SLOT_VERSION } })
  t.match(grant['slotSha256'], /^[0-9a-f]{64}$/)
  t.same(await call('install', token, ask), granted, 'and the same when it asks again')
  t.equal((await eventsOf(server)).filter(({ kind }) => kind === 'grant').length, 1, 'and leaves one event')
  t.equal((await call('report', token, { stage: 'installing', text: 'writes nvme0n1' })).status, 204)
  t.match(await (await server.get('/machines/ctl-1')).json(), { phase: 'installing' })
  const install = { disk: 'nvme0n1', version: SLOT_VERSION, slot: 'a', seconds: { write: 12.5, enter: 0.4 } }
  await call('report', token, { stage: 'installed', text: 'wrote nvme0n1 in 12.5 s', install })
  t.notOk(isLocal(await scriptOf(server)), 'until its key was approved anyone may have said that')

  const next = await bootTo(server)
  const found = { machine: 'ctl-1', authority: 'x', uuid: null, version: SLOT_VERSION }
  t.match(
    await call('install', next, { ...ask, found }),
    { status: 409, text: /STATE_OF_ANOTHER_MACHINE.*another authority/s },
    'a state of an authority that is not ours',
  )
  t.equal(await bundle(server, token, await machineKey()), 200)
  t.ok(isLocal(await scriptOf(server)))
  const machine = (await (await server.get('/machines/ctl-1')).json()) as object
  t.match(machine, {
    installed: { disk: 'nvme0n1', serial: 'S1', version: SLOT_VERSION, slot: 'a', boot: 'b-0001', at: /^20/ },
  })
  const events = await eventsOf(server)
  t.match(
    events.find(({ kind }) => kind === 'installed'),
    { text: 'wrote nvme0n1 in 12.5 s', detail: { disk: 'nvme0n1', writeSeconds: 12.5, enterSeconds: 0.4 } },
  )
  t.match(
    events.find(({ kind }) => kind === 'grant'),
    { text: `may install ${SLOT_VERSION} on nvme0n1 (S1, 960 GB)`, boot: 'b-0001' },
  )
  t.match(events.at(-1), { kind: 'script', text: `local boot: it is installed (${SLOT_VERSION} on nvme0n1)` })
  t.equal((await server.get('/loaders/ipxe.efi')).status, 404)
  t.match((await eventsOf(server)).at(-1), {
    kind: 'loader',
    text: 'asked for /loaders/ipxe.efi on its way to its disk, and got none',
  })
})

t.test('what the system on the disk reports is of the boot whose script sent it there', async t => {
  const server = await serverWithSlot(t)
  const { token, given } = await installed(server)
  t.equal(given, 200)
  t.ok(isLocal(await scriptOf(server)))
  t.match(await (await server.get('/machines/ctl-1')).json(), { phase: 'script', boot: 'b-0002' })
  t.equal((await agentCall(server)('report', token, { stage: 'ready' })).status, 204)
  t.match(await (await server.get('/machines/ctl-1')).json(), { phase: 'ready', boot: 'b-0002' })
})

t.test(
  'a disk that does not start the machine twice is entered by the initrd, and never written',
  async t => {
    const server = await serverWithSlot(t)
    const { token } = await installed(server)
    const call = agentCall(server)
    const later = laterIn(t)
    for (const round of ['first', 'second']) {
      t.ok(isLocal(await scriptOf(server)), `the ${round} time`)
      for (const option of ['IPv6', 'HTTP'])
        t.ok(isLocal(await scriptOf(server)), `firmware that tries ${option}, too, still boots once`)
      later(3)
      t.ok(isLocal(await scriptOf(server)))
      later(3)
      const script = await scriptOf(server)
      t.notOk(isLocal(script), 'the third time in a row it gets its profile')
      t.notOk(isLocal(await scriptOf(server)), 'and keeps getting it')
      await call('report', token, { stage: 'booted' })
    }
    for (const _ of [1, 2]) {
      await scriptOf(server)
      later(3)
    }
    const entering = await bootTo(server)
    t.match(await call('install', entering, ask), { status: 409, text: /STATE_MISSING.*reinstall ctl-1/s })
    const { authority } = authorityOf(server)
    const found = { machine: 'ctl-1', authority, uuid: 'u', version: SLOT_VERSION }
    const roothashes = [SLOT_ROOTHASH]
    t.same(JSON.parse((await call('install', entering, { ...ask, found })).text), {
      grant: 'enter',
      roothashes,
    })
    t.match(await call('install', entering, { ...ask, disks: [{ ...disk, serial: 'S2' }] }), {
      status: 409,
      text: /INSTALLED_ELSEWHERE/,
    })
  },
)

t.test('the system that runs spends no order, with the key of the machine either', async t => {
  const server = await serverAtHome(t, machine => ({ ...machine, role: 'compute' }))
  const { token, key } = await installed(server)
  const call = agentCall(server)
  const before = await (await server.get('/v1/machines/ctl-1/disk')).json()
  for (const verb of ['reinstall', 'wipe']) {
    await server.post('/v1/orders', { verb, machines: ['ctl-1'], count: 1 }, server.admin)
    const proven = { ...ask, ...(await proofOf(server, key)) }
    t.match(await call('install', token, proven), { status: 409, text: /STATE_MISSING/ })
    await call('report', token, { stage: verb === 'wipe' ? 'wiped' : 'installed', text: 'it says' })
    t.match(await (await server.get('/v1/orders')).json(), [{ machine: 'ctl-1', verb }], 'it waits')
    const text = new RegExp(
      `spend the ${verb} of ctl-1 with the token of the system that runs.*machines reject ctl-1$`,
    )
    t.ok((await eventsOf(server)).some(event => event.kind === 'refused' && text.test(event.text ?? '')))
  }
  const { order: _, ...after } = (await (await server.get('/v1/machines/ctl-1/disk')).json()) as {
    order: object
  }
  t.same(after, before, 'and what is known of its disk is as before')
  const booted = await bootTo(server)
  const proven = { ...ask, ...(await proofOf(server, key)) }
  t.same(
    JSON.parse((await call('install', booted, proven)).text),
    { grant: 'wipe' },
    'a network boot spends it',
  )
})

t.test("what a stranger asks and reports is not counted, and is not in the machine's journal", async t => {
  const server = await serverAtHome(t)
  const { token } = await installed(server)
  const stranger = agentCall(server, '127.0.0.66')
  const later = laterIn(t)
  const strangersScript = async () => {
    const script = await textFrom('127.0.0.66', `${server.url}/ipxe?mac=${MAC}`)
    later(3)
    return script
  }
  t.ok(isLocal(await scriptOf(server)))
  for (const _ of [1, 2, 3]) await strangersScript()
  t.notOk(isLocal(await strangersScript()))
  const config = await textFrom('127.0.0.66', `${server.url}/ignition?mac=${MAC}`)
  const stolen = (JSON.parse(config) as { token: string }).token
  t.ok(isLocal(await scriptOf(server)), 'the second time')
  later(3)
  await stranger('report', stolen, { stage: 'booted' })
  const { authority } = authorityOf(server)
  const found = { machine: 'ctl-1', authority, uuid: 'u', version: SLOT_VERSION, disk: 'nvme0n1' }
  const enter = { ...ask, action: 'enter', disks: [{ ...disk, holds: 'gpt', own: 'installed' }], found }
  t.match(
    JSON.parse((await stranger('install', stolen, enter)).text),
    { grant: 'enter' },
    'all that it names is public',
  )
  t.notOk(isLocal(await scriptOf(server)), 'its disk did not start it, whoever says that it did')
  const machine = agentCall(server)
  await machine('report', token, { stage: 'booted', text: 'my own' })
  const events = await eventsOf(server)
  const script = events.filter(({ kind, detail }) => kind === 'script' && detail?.['from'] === '127.0.0.66')
  const own = events.find(({ text }) => text === 'my own')
  t.notOk(
    script.some(({ boot }) => boot === own?.boot),
    'its report is of no boot of the stranger',
  )
})

t.test('a machine with another mainboard goes on from its disk, and another machine does not', async t => {
  const server = await serverWithSlot(t)
  await installed(server)
  const call = agentCall(server)
  const later = laterIn(t)
  for (const _ of [1, 2]) {
    await scriptOf(server)
    later(3)
  }
  const token = await bootTo(server)
  const { authority } = authorityOf(server)
  const found = { machine: 'ctl-1', authority, uuid: 'old-board', version: SLOT_VERSION, disk: 'nvme0n1' }
  const holds = 'gpt on nvme0n1'
  const moved = { ...ask, action: 'enter', disks: [{ ...disk, holds, own: 'other' }], found }
  t.match(JSON.parse((await call('install', token, moved)).text), { grant: 'enter' })
  t.match((await eventsOf(server)).at(-1), { kind: 'grant', text: /other hardware \(UUID old-board\)/ })
  const others = [{ ...disk, serial: 'S2', holds, own: 'other' }]
  t.match(await call('install', token, { ...moved, disks: others }), {
    status: 409,
    text: /STATE_OF_ANOTHER_MACHINE.*replace-a-mainboard/s,
  })
})

t.test(
  'an installed machine that is to be installed again waits for a slot, and does not run from RAM',
  async t => {
    const server = await serverAtHome(t)
    const { key } = await installed(server)
    const order = { verb: 'reinstall', machines: ['ctl-1'], count: 1, breakQuorum: true }
    t.equal((await server.post('/v1/orders', order, server.admin)).status, 200)
    const path = join(server.statePath, '../assets/live/slot.json')
    const text = readFileSync(path)
    rmSync(path)
    const token = await bootTo(server)
    const proven = { ...ask, ...(await proofOf(server, key)) }
    t.match(await agentCall(server)('install', token, proven), { status: 503, text: /SLOT_UNFIT/ })
    t.match(await (await server.get('/v1/orders')).json(), [{ verb: 'reinstall' }], 'the order is not spent')
    writeFileSync(path, text)
    t.match(JSON.parse((await agentCall(server)('install', token, proven)).text), { grant: 'install' })
  },
)

t.test('an installed machine is known after a restart, and boots RAM when its site says so', async t => {
  const server = await serverWithSlot(t)
  await installed(server)
  await server.close()
  const again = await testServer(t, {
    dataPath: join(server.statePath, '..'),
    assetsPath: join(server.statePath, '../assets'),
    statePath: server.statePath,
  })
  t.ok(isLocal(await scriptOf(again)))
  t.match(await (await again.get('/v1/machines/ctl-1/disk')).json(), { installed: { disk: 'nvme0n1' } })
  const machines = site.machines.map(machine => ({ ...machine, disk: 'none' }))
  t.equal((await again.put('/v1/sites/rack-1', { ...site, machines })).status, 200)
  t.notOk(isLocal(await scriptOf(again)))
  const token = await bootTo(again)
  t.match(JSON.parse((await agentCall(again)('install', token, ask)).text), {
    grant: 'ram',
    why: /disk: none/,
  })
})

t.test('an order is spent by one network boot, which goes on after a power loss', async t => {
  const server = await serverAtHome(t, machine => ({ ...machine, role: 'compute' }))
  const { key } = await installed(server)
  const call = agentCall(server)
  const order = (verb: string, count = 1) =>
    server.post('/v1/orders', { verb, machines: ['ctl-1'], count }, server.admin)
  t.equal((await server.post('/v1/orders', { verb: 'wipe', machines: ['ctl-1'], count: 1 })).status, 401)
  t.match(await (await order('reinstall', 2)).json(), { title: 'WRONG_COUNT', detail: /--count 1/ })
  t.ok(isLocal(await scriptOf(server)))
  t.equal((await order('reinstall')).status, 200)
  t.match(await (await server.get('/v1/orders')).json(), [
    { machine: 'ctl-1', verb: 'reinstall', who: 'bootstrap' },
  ])
  t.match(await (await server.get('/machines/ctl-1')).json(), { order: { verb: 'reinstall' } })
  t.equal((await server.delete('/v1/machines/ctl-1/order', server.admin)).status, 200)
  t.equal((await server.delete('/v1/machines/ctl-1/order', server.admin)).status, 404)
  t.ok(isLocal(await scriptOf(server)), 'taken back')

  await order('reinstall')
  const first = await bootTo(server)
  const full = { ...ask, disks: [{ ...disk, holds: 'gpt on nvme0n1, ext4 on nvme0n1p7' }] }
  t.match(await call('install', first, full), { status: 409, text: /ORDER_NOT_PROVEN.*--without-proof/s })
  t.match(await call('install', first, { ...full, proof: 'guessed' }), { status: 409 })
  t.match(await (await server.get('/v1/orders')).json(), [{ verb: 'reinstall' }], 'it waits')
  const proven = { ...full, ...(await proofOf(server, key)) }
  const granted = JSON.parse((await call('install', first, proven)).text) as { table: string }
  t.match(granted, { grant: 'install', overwrite: true, table: /^[0-9a-f-]{36}$/ })
  t.same(await (await server.get('/v1/orders')).json(), [], 'spent')
  const second = await bootTo(server)
  const { table } = granted
  t.match(JSON.parse((await call('install', second, full)).text), {
    grant: 'install',
    overwrite: true,
    table,
  })
  await call('report', second, { stage: 'installed', install: { version: SLOT_VERSION } })
  t.equal(await bundle(server, second, await machineKey()), 200)
  t.ok(isLocal(await scriptOf(server)))
  t.not(await bundle(server, second, key), 200)
})

t.test('an encrypted disk shows whose it is by what it has in clear, and has no token for that', async t => {
  const server = await serverAtHome(t, machine => ({ ...machine, role: 'compute' }))
  const { token } = await installed(server)
  const call = agentCall(server)
  const inClear = await machineKey()
  const { recipient } = inClear
  const diskKey = { uuid: randomUUID(), secret: 'A'.repeat(32), recipient, holder: 'server' }
  t.equal((await call('disk-key', token, diskKey)).status, 204)
  await server.post('/v1/orders', { verb: 'reinstall', machines: ['ctl-1'], count: 1 }, server.admin)
  const booted = await bootTo(server)
  const { text } = await call('token', '', { machine: 'ctl-1' })
  const { challenge } = JSON.parse(text) as { challenge: string }
  await t.rejects(inClear.open(challenge))
  const { proof } = await proofOf(server, inClear)
  t.equal((await call('token', '', { machine: 'ctl-1', answer: proof })).status, 403)
  t.match(await call('install', booted, { ...ask, proof }), { status: 200, text: /"grant": ?"install"/ })
})

t.test('what was written and entered before its approval stays the install that it is', async t => {
  const server = await serverAtHome(t, machine => ({ ...machine, role: 'compute' }))
  const call = agentCall(server)
  const later = laterIn(t)
  const inClear = await machineKey()
  const { recipient } = inClear
  const install = { disk: 'nvme0n1', version: SLOT_VERSION, slot: 'a', seconds: { write: 12.5, enter: 0.4 } }
  const { authority } = authorityOf(server)
  /** A boot that writes the disk, whose key waits; then one over the network that enters it, and has its bundle. */
  const writeThenEnter = async (proof: object, secret: string) => {
    const writing = await bootTo(server)
    const { table } = JSON.parse((await call('install', writing, { ...ask, ...proof })).text) as {
      table: string
    }
    await call('disk-key', writing, { uuid: randomUUID(), secret, recipient, holder: 'server' })
    await call('report', writing, { stage: 'installed', install })
    // Its loader does not start it.
    for (let tries = 0; tries < 3 && isLocal(await scriptOf(server)); tries += 1) later(3)
    const token = await bootTo(server)
    const found = { machine: 'ctl-1', authority, uuid: 'u', version: SLOT_VERSION }
    const disks = [{ ...disk, holds: 'gpt', own: 'installed', table }]
    const entered = await call('install', token, { ...ask, action: 'enter', disks, found })
    t.same(JSON.parse(entered.text), { grant: 'enter', roothashes: [SLOT_ROOTHASH] })
    t.equal(await bundle(server, token, await machineKey()), 200)
    await call('report', token, { stage: 'ready' })
  }
  const present = async () => {
    const keys = await (await server.post('/v1/machines/ctl-1/disk/recover', {}, server.admin)).json()
    return (keys as { key: string; isPresent: boolean }[]).find(({ isPresent }) => isPresent)?.key[0]
  }
  await writeThenEnter({}, 'A'.repeat(32))
  t.equal(await present(), 'A')
  const order = { verb: 'reinstall', machines: ['ctl-1'], count: 1 }
  t.equal((await server.post('/v1/orders', order, server.admin)).status, 200)
  // Its initrd can show only what the encrypted disk has in clear.
  await writeThenEnter(await proofOf(server, inClear), 'B'.repeat(32))
  t.equal(await present(), 'B')
})

t.test('an order that a boot was granted can be taken back, and the machine keeps what it has', async t => {
  const server = await serverAtHome(t, machine => ({ ...machine, role: 'compute' }))
  const { key } = await installed(server)
  const call = agentCall(server)
  const order = { verb: 'reinstall', machines: ['ctl-1'], count: 1 }
  await server.post('/v1/orders', order, server.admin)
  const granted = await bootTo(server)
  const proven = { ...ask, ...(await proofOf(server, key)) }
  t.match(JSON.parse((await call('install', granted, proven)).text), { grant: 'install', overwrite: true })
  t.notOk(isLocal(await scriptOf(server)), 'it goes on with that')
  const undone = await server.delete('/v1/machines/ctl-1/order', server.admin)
  t.match(await undone.json(), { verb: 'reinstall', who: 'bootstrap', boot: /^b-/ })
  t.equal((await server.delete('/v1/machines/ctl-1/order', server.admin)).status, 404)
  const { authority } = authorityOf(server)
  const found = { machine: 'ctl-1', authority, uuid: 'u', version: SLOT_VERSION }
  t.match(JSON.parse((await call('install', granted, { ...ask, found })).text), { grant: 'enter' })
  t.ok(isLocal(await scriptOf(server)), 'and it starts from its disk')
})

t.test('a boot from another address than the declared one spends no order', async t => {
  const server = await serverWithSlot(t, machine => ({ ...machine, role: 'compute' }))
  const call = agentCall(server)
  const token = await bootTo(server)
  const order = { verb: 'wipe', machines: ['ctl-1'], count: 1 }
  t.equal((await server.post('/v1/orders', order, server.admin)).status, 200)
  t.notMatch(JSON.parse((await call('install', token, ask)).text), { grant: 'wipe' })
  t.match(await (await server.get('/v1/orders')).json(), [{ verb: 'wipe' }])
  t.match(
    (await eventsOf(server)).filter(({ kind }) => kind === 'grant'),
    [{ text: /does not spend the order that waits: it asks from 127.0.0.1, and 10.20.0.11 is declared/ }],
  )
})

t.test(
  'what an order installed is the system of the machine, also for a boot from another address',
  async t => {
    const server = await serverAtHome(t, machine => ({ ...machine, role: 'compute' }))
    await installed(server)
    const order = { verb: 'reinstall', machines: ['ctl-1'], count: 1, withoutProof: true }
    await server.post('/v1/orders', order, server.admin)
    t.match(await (await server.get('/v1/orders')).json(), [{ withoutProof: true }])
    const { token, given } = await installed(server)
    t.equal(given, 200)
    const { statePath } = server
    await server.close()
    moveToThisHost(statePath, 'ctl-1', '10.20.0.11')
    const paths = { dataPath: join(statePath, '..'), assetsPath: join(statePath, '../assets'), statePath }
    const again = await testServer(t, paths)
    const later = laterIn(t)
    for (const _ of [1, 2]) {
      await scriptOf(again)
      later(3)
    }
    const elsewhere = await bootTo(again)
    t.not(elsewhere, token)
    t.match(await agentCall(again)('install', elsewhere, ask), { status: 409, text: /STATE_MISSING/ })
  },
)

t.test('a wipe that no key proves is repeated until it is reported, and what is known stays', async t => {
  const server = await serverAtHome(t, machine => ({ ...machine, role: 'compute' }))
  const { token } = await installed(server)
  const call = agentCall(server)
  const order = { verb: 'wipe', machines: ['ctl-1'], count: 1, withoutProof: true }
  await server.post('/v1/orders', order, server.admin)
  const first = await bootTo(server)
  t.same(JSON.parse((await call('install', first, ask)).text), { grant: 'wipe' })
  const second = await bootTo(server)
  await call('report', second, { stage: 'wiped', text: 'not one that was told to' })
  t.same(JSON.parse((await call('install', second, ask)).text), { grant: 'wipe' }, 'after a power loss')
  t.equal((await call('report', second, { stage: 'wiped', text: 'nvme0n1' })).status, 204)
  t.same(await (await server.get('/v1/machines/ctl-1/disk')).json(), {})
  t.match((await eventsOf(server)).filter(({ kind }) => kind === 'grant').at(-1), {
    text: /nothing proves.*pilotlight machines reject ctl-1$/,
  })
  t.notOk(isLocal(await scriptOf(server)))
  const runs = { stage: 'ready', install: { version: SLOT_VERSION, slot: 'a' } }
  await call('report', token, runs) // another host had said that it is wiped
  t.match(await (await server.get('/v1/machines/ctl-1/disk')).json(), { installed: { disk: 'nvme0n1' } })
})

t.test('after a wipe that nothing proves the keys of disks from before stay with people', async t => {
  const server = await serverAtHome(t, machine => ({ ...machine, role: 'compute' }))
  const call = agentCall(server)
  const disks = [await machineKey(), await machineKey()]
  const uuids = [randomUUID(), randomUUID()]
  const kept = (at: number) => {
    const { recipient = '' } = disks[at] ?? {}
    return { uuid: uuids[at], secret: 'AB'.charAt(at).repeat(32), recipient, holder: 'server' }
  }
  const unlock = (at: number) => call('unlock', '', { machine: 'ctl-1', uuid: uuids[at] })
  const { key, token } = await installed(server)
  t.equal((await call('disk-key', token, kept(0))).status, 204)
  await server.post('/v1/orders', { verb: 'reinstall', machines: ['ctl-1'], count: 1 }, server.admin)
  const again = await bootTo(server)
  await call('install', again, { ...ask, ...(await proofOf(server, key)) })
  t.equal((await call('disk-key', again, kept(1))).status, 204)
  await call('report', again, { stage: 'installed', install: { version: SLOT_VERSION } })
  t.equal(await bundle(server, again, await machineKey()), 200)
  t.match(await unlock(0), { status: 403, text: /of an earlier installation/ })
  t.equal((await unlock(1)).status, 200)
  const wipe = { verb: 'wipe', machines: ['ctl-1'], count: 1, withoutProof: true }
  await server.post('/v1/orders', wipe, server.admin)
  const wiping = await bootTo(server)
  t.same(JSON.parse((await call('install', wiping, ask)).text), { grant: 'wipe' })
  t.equal((await call('report', wiping, { stage: 'wiped', text: 'nvme0n1' })).status, 204)
  t.same(await (await server.get('/v1/machines/ctl-1/disk')).json(), {}, 'nothing is confirmed')
  t.match(await unlock(0), { status: 403, text: /of an earlier installation/ })
  t.equal((await unlock(1)).status, 200, 'that of the disk which may not be erased is kept')
  const shown = await server.post('/v1/machines/ctl-1/disk/recover', {}, server.admin)
  t.match(await shown.json(), [{ uuid: uuids[1] }, { uuid: uuids[0] }])
})

t.test('after a wipe by the machine itself a copy of its disk is good for nothing', async t => {
  const server = await serverAtHome(t, machine => ({ ...machine, role: 'compute' }))
  const { token, key } = await installed(server)
  const call = agentCall(server)
  const { recipient } = key
  const diskKey = { uuid: randomUUID(), secret: 'A'.repeat(32), recipient, holder: 'server' }
  t.equal((await call('disk-key', token, diskKey)).status, 204)
  const recover = () => server.post('/v1/machines/ctl-1/disk/recover', {}, server.admin)
  t.match(await (await recover()).json(), [{ uuid: diskKey.uuid }])
  await server.post('/v1/orders', { verb: 'wipe', machines: ['ctl-1'], count: 1 }, server.admin)
  const wiping = await bootTo(server)
  t.match(await call('install', wiping, ask), { status: 409, text: /ORDER_NOT_PROVEN/ })
  const proven = { ...ask, ...(await proofOf(server, key)) }
  t.same(JSON.parse((await call('install', wiping, proven)).text), { grant: 'wipe' })
  const other = await bootTo(server)
  t.same(
    JSON.parse((await call('install', other, ask)).text),
    { grant: 'wipe' },
    'a power loss is not the end',
  )
  t.equal((await call('report', wiping, { stage: 'wiped', text: 'nvme0n1' })).status, 204)
  t.same(await (await server.get('/v1/machines/ctl-1/disk')).json(), {})
  t.match((await eventsOf(server)).filter(({ kind }) => kind === 'grant').at(-1), { text: /are void$/ })
  t.equal((await call('renew', token, {})).status, 401)
  t.equal((await call('report', token, { stage: 'ready', install: { version: SLOT_VERSION } })).status, 401)
  t.equal((await call('token', '', { machine: 'ctl-1' })).status, 401)
  t.match(
    await (await recover()).json(),
    { title: 'DISK_KEY_REFUSED' },
    'of which nothing opens what was erased',
  )
  t.equal((await server.post('/v1/machines/ctl-1/reopen', {}, server.admin)).status, 200)
  const next = await bootTo(server)
  t.equal(await bundle(server, next, key), 403, 'nor is its key taken as a first one')
})

t.test('an installed machine has its bundle again for the same key, and no one else has', async t => {
  const server = await serverWithSlot(t)
  const { token, key } = await installed(server)
  t.equal(await bundle(server, token, key), 200, 'it was lost before it was on the disk')
  const foreign = await agentCall(server)('enroll', token, { key: (await machineKey()).recipient })
  t.match(foreign, { status: 409, text: /TOKEN_REPLAYED/ })
  await server.post('/v1/machines/ctl-1/reject', { fingerprint: fingerprintOf(key.recipient) }, server.admin)
  t.equal(await bundle(server, token, key), 403, 'nor has that key once an operator rejected it')
  const kinds = (await eventsOf(server)).map(({ kind }) => kind)
  t.equal(kinds.filter(kind => kind === 'bundle').length, 2)
  t.ok(kinds.includes('replayed'))
})

t.test('a machine that is not installed has its bundle once', async t => {
  const server = await serverWithSlot(t)
  const key = await machineKey()
  const token = await bootTo(server)
  t.equal(await bundle(server, token, key), 200)
  t.equal(await bundle(server, token, key), 409)
  t.equal((await agentCall(server)('token', '', { machine: 'ctl-1' })).status, 401)
})

t.test('the key on its disk gives an installed machine another token, and nothing else does', async t => {
  const server = await serverWithSlot(t)
  const call = agentCall(server)
  const { token, key } = await installed(server)
  const challengeOf = async () => {
    const { status, text } = await call('token', '', { machine: 'ctl-1' })
    t.equal(status, 200)
    return (JSON.parse(text) as { challenge: string }).challenge
  }
  const challenge = await challengeOf()
  await t.rejects((await machineKey()).open(challenge))
  t.match(await call('token', '', { machine: 'ctl-1', answer: 'guessed' }), {
    status: 403,
    text: /WRONG_ANSWER/,
  })
  for (let at = 0; at < 8; at += 1) await challengeOf() // of others: they end none of the machine's
  const answer = await key.open(challenge)
  const { status, text } = await call('token', '', { machine: 'ctl-1', answer })
  t.equal(status, 200)
  const another = (JSON.parse(text) as { token: string }).token
  t.equal((await call('token', '', { machine: 'ctl-1', answer })).status, 403, 'an answer is good once')
  t.match(await call('report', token, { stage: 'booted' }), { status: 401 }, 'the one before is void')
  t.equal((await call('report', another, { stage: 'booted' })).status, 204)
  t.equal((await call('renew', another, {})).status, 200)
  t.equal(await bundle(server, another, key), 200)
  for (const machine of ['cmp-1', 'nope']) t.equal((await call('token', '', { machine })).status, 401)
  const many: number[] = []
  for (let at = 0; at < 30; at += 1) many.push((await call('token', '', { machine: 'cmp-1' })).status)
  t.ok(many.includes(429), 'an address that asks on and on waits')
  const events = await eventsOf(server)
  t.match(
    events.find(({ kind }) => kind === 'token'),
    { text: /showed the key of boot b-0001/ },
  )
})

t.test('an installed machine that booted from the network renews with the key on its disk', async t => {
  const server = await serverWithSlot(t)
  const call = agentCall(server)
  const { key } = await installed(server)
  const later = laterIn(t)
  for (const _ of [1, 2]) {
    await scriptOf(server)
    later(3)
  }
  const entering = await bootTo(server)
  const offered = await call('renew', entering, {})
  t.equal(offered.status, 200)
  const { challenge } = JSON.parse(offered.text) as { challenge: string }
  t.ok(await key.open(challenge))
  t.match(await call('renew', entering, { answer: 'guessed' }), { status: 403 })
})

t.test('refuses orders that would end the etcd of a cluster, unless they say so', async t => {
  const server = await serverWithSlot(t)
  await installed(server)
  const order = (more: object) =>
    server.post('/v1/orders', { verb: 'wipe', machines: ['ctl-1'], count: 1, ...more }, server.admin)
  const refused = (await (await order({})).json()) as object
  t.match(refused, { title: 'BREAKS_QUORUM', detail: /ctl-1 is the only controller.*--break-quorum/s })
  t.same(await (await server.get('/v1/orders')).json(), [])
  t.equal((await order({ breakQuorum: true })).status, 200)
})

t.test('refuses a body that no initrd sends, and one without a good token', async t => {
  const server = await serverWithSlot(t)
  const call = agentCall(server)
  t.equal((await call('install', 'guessed', ask)).status, 401)
  const token = await bootTo(server)
  const many = Array.from({ length: 65 }, (_, at) => ({ ...disk, name: `sd${at}` }))
  for (const broken of [
    {},
    { ...ask, action: 'format' },
    { ...ask, disks: many },
    { ...ask, chosen: ['sdz'] },
    { ...ask, disks: [{ ...disk, removable: true }] },
    { ...ask, disks: [{ ...disk, name: '../x' }] },
    { ...ask, disks: [{ ...disk, bytes: -1 }] },
    { ...ask, found: 'me' },
  ])
    t.equal((await call('install', token, broken)).status, 400, JSON.stringify(broken).slice(0, 60))
  t.equal((await call('install', token, ask)).status, 200)
})
