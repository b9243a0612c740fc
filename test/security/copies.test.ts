// A machine that runs, and another host with its MAC or its UUID at the same time: an alarm, and nothing else.

import t, { type Test } from 'tap'
import { waitUntil } from '#progress/wait.ts'
import type { BootEvent } from '#model/boot.ts'
import { whyNoNetworks } from '../network.ts'
import {
  bootTo,
  BUNDLE_FILES,
  CTL_1,
  laySegment,
  MAC,
  redeem,
  SERVER,
  siteOf,
  STRANGER,
  tokenIn,
  UUID,
  type Host,
  type Segment,
} from './segment.ts'

t.setTimeout(300_000) // each lays a segment and starts a server, while others use the machine
const skip = whyNoNetworks()

type Running = { segment: Segment; machine: Host; stranger: Host; token: string }

/** A segment whose controller runs: it has its bundle and reported ready. */
async function running(t: Test, dhcp: 'full' | 'proxy' = 'full'): Promise<Running> {
  const segment = await laySegment(t, siteOf({ dhcp }))
  await segment.put('/v1/machines/ctl-1/bundle', BUNDLE_FILES)
  const [machine, stranger] = [await segment.host(), await segment.host()]
  const token = dhcp === 'full' ? await bootTo(machine, CTL_1) : await bootBeside(machine)
  t.equal((await redeem(machine, token)).status, 200)
  t.equal((await machine.agent('report', token, { stage: 'ready' })).status, 204)
  return { segment, machine, stranger, token }
}

/** The boot of the controller where another server gives the addresses. */
async function bootBeside(machine: Host): Promise<string> {
  await machine.do({ do: 'discover', mac: MAC, uuid: UUID })
  await machine.do({ do: 'request', mac: MAC, uuid: UUID, address: CTL_1.address, server: '10.20.0.2' })
  await machine.do({ do: 'address', address: `${CTL_1.address}/24` })
  await machine.get(`/ipxe?mac=${MAC}`)
  return tokenIn(await machine.get(`/ignition?mac=${MAC}`))
}

async function copies(segment: Segment): Promise<BootEvent[]> {
  return (await segment.events('ctl-1')).filter(({ kind }) => kind === 'copied')
}

/** The first alarm of that kind; the machine goes on as before. */
async function alarmOf({ segment, machine, token }: Running, t: Test): Promise<BootEvent> {
  const [alarm] = await waitUntil('an alarm', { limitSeconds: 10, everyMs: 100 }, async () => {
    const found = await copies(segment)
    return found.length > 0 ? { value: found } : { not: 'no event `copied`' }
  })
  t.equal((await machine.agent('report', token, { stage: 'ready' })).status, 204, 'its token stays good')
  t.match(await segment.machine('ctl-1'), { phase: 'ready', boot: 'b-0001' }, 'and its boot goes on')
  if (alarm === undefined) throw new Error('there is one')
  return alarm
}

t.test(
  'firmware with the UUID of a machine that runs, and another MAC, raises one alarm',
  { skip },
  async t => {
    const all = await running(t)
    const { segment, stranger } = all
    const flood = async () => {
      for (let at = 0; at < 50; at += 1) await stranger.do({ do: 'discover', mac: STRANGER.mac, uuid: UUID })
    }
    await flood()
    t.match(await alarmOf(all, t), {
      text: `firmware at ${STRANGER.mac} asks DHCP with the UUID of ctl-1, while ctl-1 runs in boot b-0001 at 10.20.0.11. Find the other host`,
      detail: { from: STRANGER.mac },
      boot: 'b-0001',
    })
    await flood()
    await alarmOf(all, t)
    t.equal((await copies(segment)).length, 1, 'a hundred packets are one alarm')
    t.match(await segment.alarms(), { copied: 1 }, 'and are counted once')
  },
)

t.test(
  'firmware with the MAC of a machine that uses its token afterwards raises an alarm',
  { skip },
  async t => {
    const all = await running(t)
    const { segment, machine, stranger, token } = all
    await stranger.do({ do: 'dhcp', mac: MAC, uuid: UUID, stage: 'firmware', keep: false })
    t.same(await copies(segment), [], 'not yet: it may be the machine itself, which boots again')
    t.equal((await machine.agent('report', token, { stage: 'ready' })).status, 204)
    t.match(await alarmOf(all, t), { text: `firmware at ${MAC} asks DHCP with the MAC of ctl-1` })
    for (let at = 0; at < 20; at += 1) {
      await stranger.do({ do: 'discover', mac: MAC, uuid: UUID })
      await machine.agent('report', token, { stage: 'ready' })
    }
    t.match(await segment.alarms(), { copied: 1 })
  },
)

t.test(
  'a script asked for in the name of a machine that runs, from elsewhere, raises an alarm',
  { skip },
  async t => {
    const all = await running(t)
    const { segment, stranger } = all
    await stranger.do({ do: 'address', address: '10.20.0.77/24' })
    for (let at = 0; at < 50; at += 1) await stranger.get(`/ipxe?uuid=${UUID}&mac=${STRANGER.mac}`)
    t.match(await alarmOf(all, t), { text: '10.20.0.77 asks for /ipxe in the name of ctl-1, while' })
    t.match(await segment.alarms(), { copied: 1 })
  },
)

t.test(
  'in proxy mode, the MAC of a machine that runs with another address raises an alarm',
  { skip },
  async t => {
    const all = await running(t, 'proxy')
    const { stranger } = all
    await stranger.do({ do: 'request', mac: MAC, uuid: UUID, address: '10.20.0.88', server: '10.20.0.2' })
    t.match(await alarmOf(all, t), {
      text: `${MAC}, the MAC of ctl-1, asks DHCP for 10.20.0.88, while ctl-1 runs`,
    })
  },
)

t.test('the MAC of a machine that runs, asking for another address, raises an alarm', { skip }, async t => {
  const all = await running(t)
  const { segment, stranger } = all
  for (let at = 0; at < 20; at += 1) {
    await stranger.do({ do: 'request', mac: MAC, uuid: UUID, address: '10.20.0.88', server: SERVER })
  }
  t.match(await alarmOf(all, t), {
    text: `${MAC}, the MAC of ctl-1, asks DHCP for 10.20.0.88, while ctl-1 runs`,
  })
  t.match(await segment.alarms(), { copied: 1 })
})

t.test(
  'metadata asked for in the name of a machine that runs, from elsewhere, raises an alarm',
  { skip },
  async t => {
    const all = await running(t)
    const { stranger } = all
    await stranger.do({ do: 'address', address: '10.20.0.77/24' })
    await stranger.get(`/metadata?mac=${MAC}`)
    t.match(await alarmOf(all, t), { text: '10.20.0.77 asks for /metadata in the name of ctl-1, while' })
  },
)

t.test(
  'a machine that boots again, also by a card that is not declared, is not a copy',
  { skip },
  async t => {
    const { segment, machine } = await running(t)
    await machine.do({ do: 'address', address: '10.20.0.240/24' }) // it is switched off
    const card = { do: 'dhcp', mac: '52:54:00:20:00:99', uuid: UUID } as const
    await machine.do({ ...card, stage: 'firmware' })
    await machine.do({ ...card, stage: 'ipxe' })
    await machine.get(`/ipxe?uuid=${UUID}&mac=${card.mac}`)
    const token = await bootTo(machine, CTL_1)
    t.equal((await redeem(machine, token)).status, 200)
    t.equal((await machine.agent('report', token, { stage: 'ready' })).status, 204)
    await machine.do({ do: 'dhcp', mac: STRANGER.mac, uuid: STRANGER.uuid, stage: 'firmware', keep: false })
    t.same(await copies(segment), [])
    t.match(await segment.machine('ctl-1'), { phase: 'ready', boot: 'b-0003' }, 'the third: the card had one')
  },
)

t.test('a host with the UUID of a machine that does not run yet is not a copy', { skip }, async t => {
  const segment = await laySegment(t)
  await segment.put('/v1/machines/ctl-1/bundle', BUNDLE_FILES)
  const stranger = await segment.host()
  await stranger.do({ do: 'dhcp', mac: STRANGER.mac, uuid: UUID, stage: 'firmware' })
  const machine = await segment.host()
  t.equal((await redeem(machine, await bootTo(machine, CTL_1))).status, 200)
  t.same(await copies(segment), [])
})

t.test('a request to the server itself for what a machine would get is not a copy', { skip }, async t => {
  const { segment } = await running(t)
  await segment.operator.do({ do: 'fetch', url: `http://${SERVER}:8080/ipxe?mac=${MAC}` })
  t.same(await copies(segment), [])
  t.notOk((await segment.alarms())['copied'])
})
