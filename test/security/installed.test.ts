// Installed machines as attacks on a whole server: hosts that copy one get neither its disk, nor its bundle, nor another token.

import t, { type Test } from 'tap'
import { machineKey, type TestKey } from '../machine-key.ts'
import { whyNoNetworks } from '../network.ts'
import { SLOT_VERSION } from '../slot-files.ts'
import {
  bootTo,
  CTL_1,
  laySegment,
  MAC,
  redeem,
  siteOf,
  tokenIn,
  trusting,
  UUID,
  type Host,
} from './segment.ts'

t.setTimeout(300_000)
const skip = whyNoNetworks()
const choice = { match: {}, explicit: false, mirror: false, encrypt: 'no', overwrite: false } as const
const disk = { name: 'sda', path: '/dev/sda', bytes: 1e12, serial: 'S1', holds: null }
const ask = { action: 'install', disks: [disk], chosen: ['sda'], found: null }
const LOCAL = /^#!ipxe\n.*\bexit 1\n$/s

/** A segment whose controller is installed, and the machine with its key. */
async function installedSegment(t: Test) {
  const trust = { level: 'L2', approve: 'first-boot', reboot: 'approve' } as const
  const machines = trusting(trust).map(machine => ({ ...machine, disk: choice }))
  const segment = await laySegment(t, siteOf({}, machines), {}, { slot: true })
  await segment.put('/v1/machines/ctl-1/bundle', [{ path: '/etc/secret', mode: 0o600, content: 'secret' }])
  const machine = await segment.host()
  const key = await machineKey()
  const token = await bootTo(machine, CTL_1)
  t.match(await machine.agent('install', token, ask), { status: 200, text: /"grant":"install"/ })
  await machine.agent('report', token, { stage: 'installed', install: { version: SLOT_VERSION, slot: 'a' } })
  t.match(await redeem(machine, token, key), { status: 200, text: /secret/ })
  await machine.agent('report', token, { stage: 'ready' })
  return { segment, machine, key, token }
}

/** DHCP as firmware and as iPXE, and the script. */
async function powerOn(host: Host): Promise<string> {
  for (const stage of ['firmware', 'ipxe'] as const) {
    const { error } = await host.do({ do: 'dhcp', mac: MAC, uuid: UUID, stage })
    if (error !== undefined) throw new Error(error)
  }
  return (await host.get(`/ipxe?uuid=${UUID}&mac=${MAC}`)).text ?? ''
}

t.test(
  'an installed machine starts from its disk and reports with the token it has, without an alarm',
  { skip },
  async t => {
    const { segment, machine, token } = await installedSegment(t)
    for (const round of [1, 2, 3]) {
      t.match(await powerOn(machine), LOCAL, `power-on ${round}`)
      t.equal((await machine.agent('report', token, { stage: 'booted' })).status, 204)
      t.equal((await machine.agent('report', token, { stage: 'ready' })).status, 204)
      t.match(await segment.machine('ctl-1'), { phase: 'ready', installed: { version: SLOT_VERSION } })
    }
    t.same(await segment.alarms(), {}, 'its own firmware is not a copy of it')
    await segment.restart()
    t.match(await powerOn(machine), LOCAL, 'after a crash of the server, too')
  },
)

t.test(
  'a host that copies an installed machine gets no secret, and changes nothing of it',
  { skip },
  async t => {
    const { segment, machine, key, token } = await installedSegment(t)
    const copy = await segment.host()
    await machine.do({ do: 'address', address: '10.20.0.250/24' }) // the machine is off
    t.match(await powerOn(copy), LOCAL, 'at first it is sent to its disk, as the machine would be')
    for (const _ of [1, 2, 3]) await powerOn(copy)
    const stolen = tokenIn(await copy.get(`/ignition?uuid=${UUID}&mac=${MAC}`))
    t.match(stolen, /^[\w-]{43}$/, 'then it has a token, with which an initrd may ask')
    t.match(await copy.agent('install', stolen, ask), { status: 409, text: /STATE_MISSING/ })
    const found = { machine: 'ctl-1', authority: 'guessed', uuid: UUID, version: 'v' }
    const other = { ...ask, disks: [{ ...disk, serial: 'S2' }], found }
    t.match(await copy.agent('install', stolen, other), { status: 409, text: /STATE_OF_ANOTHER_MACHINE/ })
    await copy.agent('report', stolen, { stage: 'installed', install: { version: 'evil', slot: 'b' } })
    await copy.agent('report', stolen, { stage: 'wiped' })
    t.match(await redeem(copy, stolen), { status: 202, text: /is not the key that was approved/ })

    const asked = await copy.agent('token', '', { machine: 'ctl-1' })
    t.equal(asked.status, 200, 'at the address of the machine it has a challenge')
    const { challenge } = JSON.parse(asked.text ?? '') as { challenge: string }
    await t.rejects((await machineKey()).open(challenge), 'which only the key on the disk opens')
    t.match(await copy.agent('token', '', { machine: 'ctl-1', answer: 'guessed' }), { status: 403 })
    const stranger = await segment.host()
    await stranger.do({ do: 'address', address: '10.20.0.77/24' })
    t.match(
      await stranger.agent('token', '', { machine: 'ctl-1' }),
      { status: 401 },
      'at another address nothing',
    )

    await copy.do({ do: 'address', address: '10.20.0.251/24' })
    await machine.do({ do: 'address', address: '10.20.0.11/24' })
    t.match(await segment.machine('ctl-1'), {
      installed: { disk: 'sda', serial: 'S1', version: SLOT_VERSION },
    })
    t.equal(
      (await machine.agent('report', token, { stage: 'booted' })).status,
      204,
      'its token is still good',
    )
    t.match(await redeem(machine, token, key), { status: 200, text: /secret/ }, 'and so is its bundle')
    t.equal(await recovered(machine, key), 200)
    t.match(await segment.alarms(), { refused: Number, held: 1 })
  },
)

async function recovered(machine: Host, key: TestKey): Promise<number | undefined> {
  const { text = '' } = await machine.agent('token', '', { machine: 'ctl-1' })
  const answer = await key.open((JSON.parse(text) as { challenge: string }).challenge)
  return (await machine.agent('token', '', { machine: 'ctl-1', answer })).status
}

t.test('an order is for the machine itself: a stranger at another address spends none', { skip }, async t => {
  const { segment, machine, key } = await installedSegment(t)
  const order = { verb: 'reinstall', machines: ['ctl-1'], count: 1 }
  t.match(await segment.post('/v1/orders', order), { status: 409, text: /BREAKS_QUORUM/ })
  t.equal((await segment.post('/v1/orders', { ...order, breakQuorum: true })).status, 200)
  const stranger = await segment.host()
  await stranger.do({ do: 'address', address: '10.20.0.77/24' })
  t.notMatch((await stranger.get(`/ipxe?uuid=${UUID}&mac=${MAC}`)).text, LOCAL)
  t.equal(tokenIn(await stranger.get(`/ignition?uuid=${UUID}&mac=${MAC}`)), '')
  t.match(JSON.parse(await segment.read('/v1/orders')), [{ machine: 'ctl-1' }])
  await segment.restart()
  t.notMatch(await powerOn(machine), LOCAL)
  const token = tokenIn(await machine.get(`/ignition?uuid=${UUID}&mac=${MAC}`))
  const full = { ...ask, disks: [{ ...disk, holds: 'ext4 on sda7' }] }
  const copied = await machine.agent('install', token, full)
  t.match(copied, { status: 409, text: /ORDER_NOT_PROVEN/ }, 'nor does a copy at its own address')
  const { text: challenge = '' } = await machine.agent('token', '', { machine: 'ctl-1' })
  const proof = await key.open((JSON.parse(challenge) as { proof: string }).proof)
  t.match(await machine.agent('install', token, { ...full, proof }), {
    status: 200,
    text: /"overwrite":true/,
  })
  t.same(JSON.parse(await segment.read('/v1/orders')), [])
  await segment.restart()
  t.match(
    await machine.agent('install', token, full),
    { status: 200, text: /"overwrite":true/ },
    'after a crash',
  )
  t.match(await redeem(machine, token), { status: 200 }, 'its new key is taken as a first one')
})
