// Who gets a machine's token and bundle: findings 1, 2, 3, 4 and 7 as attacks on a whole server.

import t from 'tap'
import { machineKey } from '../machine-key.ts'
import { whyNoNetworks } from '../network.ts'
import {
  bootTo,
  BUNDLE_FILES,
  CMP_1,
  CTL_1,
  L1,
  laySegment,
  MAC,
  redeem,
  SERVER,
  siteOf,
  STRANGER,
  tokenIn,
  trusting,
  UUID,
  type Host,
  type Segment,
} from './segment.ts'

t.setTimeout(300_000) // each lays a segment and starts a server, while others use the machine
const skip = whyNoNetworks()

/** A token of the machine's config, which `host` asks for. */
const tokenOf = async (host: Host) => tokenIn(await host.get(`/ignition?mac=${MAC}`))

async function withBundles(segment: Segment): Promise<Segment> {
  for (const name of ['ctl-1', 'cmp-1']) await segment.put(`/v1/machines/${name}/bundle`, BUNDLE_FILES)
  return segment
}

t.test('gives no token to a MAC and UUID that disagree', { skip }, async t => {
  const segment = await withBundles(await laySegment(t))
  const stranger = await segment.host()
  const own = { do: 'dhcp', mac: STRANGER.mac, uuid: UUID } as const
  t.match((await stranger.do({ ...own, stage: 'firmware' })).address, /^10\.20\.0\.1\d\d$/, 'a pool address')
  await stranger.do({ ...own, stage: 'ipxe' })
  await stranger.get(`/ipxe?uuid=${UUID}&mac=${STRANGER.mac}`)
  for (const query of [
    `uuid=${UUID}&mac=${STRANGER.mac}`,
    `uuid=${UUID}`,
    `mac=${MAC}`,
    `uuid=${UUID}&mac=${MAC}`,
  ]) {
    t.equal(tokenIn(await stranger.get(`/ignition?${query}`)), '', query)
  }
  const refused = (await segment.events('ctl-1')).filter(({ kind }) => kind === 'refused')
  t.match(
    refused[0]?.text,
    /asked for the config of ctl-1 and got no token: the MAC 52:54:00:66:66:66 is not/,
  )
  t.same(await segment.alarms(), { refused: 4 })
  t.match(await bootTo(await segment.host(), CTL_1), /^[\w-]{43}$/, 'the machine itself gets one')
})

t.test(
  'gives no token to a card that the site declares no more, though it has the lease of the boot',
  { skip },
  async t => {
    const segment = await withBundles(await laySegment(t))
    const machine = await segment.host()
    t.match(await bootTo(machine, CTL_1), /^[\w-]{43}$/)
    const other = { ...trusting({})[0]!, macs: ['52:54:00:20:00:0f'] } // another card was put in
    const [, cmp1] = trusting({})
    t.equal((await segment.put('/v1/sites/rack-1', siteOf({}, [other, cmp1!]))).status, 200)
    for (const query of [`mac=${other.macs[0]}`, `uuid=${UUID}`])
      t.equal(tokenIn(await machine.get(`/ignition?${query}`)), '', query)
    const refused = (await segment.events('ctl-1')).filter(({ kind }) => kind === 'refused')
    t.match(refused.at(-1)?.text, /got no token: that address is leased to 52:54:00:20:00:01/)
  },
)

t.test(
  'gives no token to a system that runs on a machine, which no firmware of a boot has the lease of',
  { skip },
  async t => {
    const segment = await withBundles(await laySegment(t))
    const machine = await segment.host()
    // Installed by hand and never booted by us: DHCP of a system, without the options of firmware.
    const own = { mac: MAC, uuid: UUID, address: '10.20.0.11', server: SERVER } as const
    await machine.do({ do: 'request', ...own, by: 'system' })
    await machine.do({ do: 'address', address: '10.20.0.11/24' })
    const asked = async () => tokenIn(await machine.get(`/ignition?mac=${MAC}`))
    t.equal(await asked(), '')
    t.equal((await machine.get(`/ipxe?mac=${MAC}`)).status, 200)
    t.equal(await asked(), '', 'nor once it fetched a script')
    const events = await segment.events('ctl-1')
    t.ok(
      events.some(({ kind, detail }) => kind === 'ack' && detail.address === '10.20.0.11'),
      'it has the lease',
    )
    const refused = events.filter(({ kind }) => kind === 'refused')
    t.match(refused.at(-1)?.text, /got no token: no firmware of this boot was given that address/)
  },
)

t.test('takes a token from the address of its machine only', { skip }, async t => {
  const segment = await withBundles(await laySegment(t))
  const machine = await segment.host()
  const reader = await segment.host() // it read the config on the wire
  const token = await bootTo(machine, CTL_1)
  t.match((await reader.do({ do: 'dhcp', ...STRANGER, stage: 'firmware' })).address, /^10\.20\.0\.1\d\d$/)
  const before = (await segment.alarms()).refused ?? 0
  const taken = await redeem(reader, token)
  t.equal(taken.status, 403)
  t.match(taken.text, /TOKEN_ELSEWHERE/)
  t.equal((await reader.agent('report', token, { stage: 'ready' })).status, 403)
  t.ok(((await segment.alarms()).refused ?? 0) > before, 'an alarm')
  t.equal((await redeem(machine, token)).status, 200, 'the machine itself gets its bundle')
})

t.test('gives no second bundle in one boot, whatever the sender', { skip }, async t => {
  const segment = await withBundles(await laySegment(t))
  const machine = await segment.host()
  const token = await bootTo(machine, CTL_1)
  const report = { stage: 'booted' }
  t.equal((await machine.agent('report', token, report)).status, 204)
  const whoever = `/ignition?mac=${MAC}` // a pod, a guest or a user of the machine has its address
  t.equal((await redeem(machine, token)).status, 200)
  await machine.agent('report', token, { stage: 'ready' })
  t.equal(tokenIn(await machine.get(whoever)), '')
  await machine.get(`/ipxe?mac=${MAC}`)
  t.equal(tokenIn(await machine.get(whoever)), '', 'nor for a script without a boot by firmware')
  t.match(await redeem(machine, token), { status: 409, text: /fetched in this boot before/ })
  const kinds = (await segment.events('ctl-1')).map(({ kind }) => kind)
  t.equal(kinds.filter(kind => kind === 'bundle').length, 1)
  t.ok(kinds.includes('replayed') && kinds.includes('refused'), kinds.join(' '))
  t.match(await segment.alarms(), { refused: 2, replayed: 1 })
  await segment.restart()
  t.match(await redeem(machine, token), { status: 409 }, 'nor after a restart')
  t.equal(tokenIn(await machine.get(whoever)), '')
})

t.test('gives one bundle to 20 that redeem one token at once', { skip }, async t => {
  const segment = await withBundles(await laySegment(t))
  const machine = await segment.host()
  const token = await bootTo(machine, CTL_1)
  const key = await machineKey()
  const enrolled = await machine.agent('enroll', token, { key: key.recipient })
  const { challenge } = JSON.parse(enrolled.text ?? '') as { challenge: string }
  const answer = await key.open(challenge)
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => machine.agent('bundle', token, { answer })),
  )
  const statuses = answers.map(({ status }) => status)
  t.same(
    [200, 409].map(status => statuses.filter(one => one === status).length),
    [1, 19],
    statuses.join(' '),
  )
})

t.test(
  'a config may be fetched again until the bundle was given, and the token that it was given for stays',
  { skip },
  async t => {
    const segment = await withBundles(await laySegment(t))
    const machine = await segment.host()
    const lost = await bootTo(machine, CTL_1)
    const again = tokenIn(await machine.get(`/ignition?mac=${MAC}`))
    t.not(again, lost, 'no token is handed out twice')
    t.equal((await redeem(machine, again)).status, 200)
    t.match(await redeem(machine, lost), {
      status: 403,
      text: /given for another one of the same boot/,
    })
    const next = await bootTo(machine, CTL_1)
    const tokens = [next]
    for (let tries = 0; tries < 17; tries += 1)
      tokens.push(tokenIn(await machine.get(`/ignition?mac=${MAC}`)))
    t.notOk(tokens.includes(''), 'an earlier fetch uses up nothing')
    t.match(await redeem(machine, next), { status: 401 }, 'the oldest gave way')
    t.equal((await redeem(machine, tokens.at(-1) ?? '')).status, 200)
  },
)

t.test('packets of strangers end no boot', { skip }, async t => {
  const segment = await withBundles(await laySegment(t))
  const machine = await segment.host()
  const stranger = await segment.host()
  const token = await bootTo(machine, CTL_1)
  const annoy = async () => {
    await stranger.do({ do: 'discover', mac: STRANGER.mac, uuid: UUID })
    await stranger.do({ do: 'discover', mac: MAC, uuid: UUID })
    await stranger.do({ do: 'request', mac: MAC, uuid: UUID, address: '10.20.0.11', server: SERVER })
    await stranger.do({ do: 'request', mac: STRANGER.mac, uuid: UUID, address: '10.20.0.11', server: SERVER })
    await stranger.do({ do: 'dhcp', mac: STRANGER.mac, uuid: STRANGER.uuid, stage: 'firmware' })
    await stranger.get(`/ipxe?mac=${MAC}`)
    await stranger.get(`/ipxe?uuid=${UUID}&mac=${STRANGER.mac}`)
    await stranger.get(`/ignition?mac=${MAC}`)
  }
  await annoy()
  t.equal((await machine.agent('report', token, { stage: 'booted' })).status, 204)
  await annoy()
  t.equal((await redeem(machine, token)).status, 200)
  t.equal((await machine.agent('report', token, { stage: 'ready' })).status, 204)
  await annoy()
  t.match(await segment.machine('ctl-1'), { phase: 'ready', boot: 'b-0001' })
  await segment.restart()
  t.match(await segment.machine('ctl-1'), { phase: 'ready' })
  t.equal((await machine.agent('report', token, { stage: 'failed' })).status, 204, 'and reports go on')
})

t.test('a foreign RELEASE gives no one the address, nor the token', { skip }, async t => {
  const segment = await withBundles(await laySegment(t))
  const machine = await segment.host()
  const stranger = await segment.host()
  const token = await bootTo(machine, CTL_1)
  await stranger.do({ do: 'address', address: '10.20.0.150/24' })
  await stranger.do({ do: 'release', mac: MAC, address: '10.20.0.11', server: SERVER })
  const taken = await stranger.do({ do: 'dhcp', mac: STRANGER.mac, uuid: UUID, stage: 'firmware' })
  t.match(taken.address, /^10\.20\.0\.1\d\d$/)
  t.equal(tokenIn(await stranger.get(`/ignition?mac=${MAC}`)), '')
  t.equal((await redeem(machine, token)).status, 200)
})

t.test(
  'a machine declared by UUID alone gets its token by the lease that was bound with it',
  { skip },
  async t => {
    const segment = await withBundles(await laySegment(t))
    const stranger = await segment.host()
    await stranger.do({ do: 'dhcp', ...STRANGER, stage: 'firmware' })
    await stranger.get(`/ipxe?uuid=${CMP_1.uuid}&mac=${STRANGER.mac}`)
    t.equal(tokenIn(await stranger.get(`/ignition?uuid=${CMP_1.uuid}&mac=${STRANGER.mac}`)), '')
    const machine = await segment.host()
    const token = await bootTo(machine, CMP_1)
    t.equal((await redeem(machine, token)).status, 200)
  },
)

t.test(
  'the UUID of a machine that boots, with another lease and MAC, ends no boot of it',
  { skip },
  async t => {
    const segment = await withBundles(await laySegment(t))
    const machine = await segment.host()
    const stranger = await segment.host()
    const mac = '52:54:00:20:00:02'
    for (const stage of ['firmware', 'ipxe'] as const) {
      await machine.do({ do: 'dhcp', mac, uuid: CMP_1.uuid ?? '', stage })
    }
    const query = `?uuid=${CMP_1.uuid}&mac=${mac}`
    await machine.get(`/ipxe${query}`)
    for (const stage of ['firmware', 'ipxe'] as const) await stranger.do({ do: 'dhcp', ...STRANGER, stage })
    const own = await segment.events('cmp-1')
    t.equal((await stranger.get(`/ipxe?uuid=${CMP_1.uuid}&mac=${STRANGER.mac}`)).status, 200)
    t.equal((await segment.events('cmp-1')).length, own.length, 'nor is it written in its journal')
    const token = tokenIn(await machine.get(`/ignition${query}`))
    t.equal((await redeem(machine, token)).status, 200)
  },
)

t.test('in proxy mode only the address that its REQUEST named gets the token', { skip }, async t => {
  const segment = await withBundles(await laySegment(t, siteOf({ dhcp: 'proxy' })))
  const other = '10.20.0.2' // the server that gives the addresses
  const stranger = await segment.host()
  await stranger.do({ do: 'address', address: '10.20.0.77/24' })
  const steal = async () => {
    await stranger.do({ do: 'discover', ...STRANGER })
    await stranger.do({ do: 'request', ...STRANGER, address: '10.20.0.77', server: other })
    await stranger.do({ do: 'request', ...STRANGER, address: '10.20.0.11', server: other })
    await stranger.get(`/ipxe?uuid=${UUID}&mac=${MAC}`)
    return tokenIn(await stranger.get(`/ignition?uuid=${UUID}&mac=${MAC}`))
  }
  t.equal(await steal(), '', 'before the machine boots')
  const machine = await segment.host()
  await machine.do({ do: 'discover', mac: MAC, uuid: UUID })
  await machine.do({ do: 'request', mac: MAC, uuid: UUID, address: '10.20.0.11', server: other })
  await machine.do({ do: 'address', address: '10.20.0.11/24' })
  t.equal(await steal(), '', 'while it boots')
  await machine.get(`/ipxe?uuid=${UUID}&mac=${MAC}`)
  const token = tokenIn(await machine.get(`/ignition?uuid=${UUID}&mac=${MAC}`))
  t.match(token, /^[\w-]{43}$/)
  t.equal(await steal(), '')
  t.equal((await redeem(machine, token)).status, 200)
})

t.test('in proxy mode no packet and no restart between script and config ends a boot', { skip }, async t => {
  const other = '10.20.0.2'
  const cmp = { ...CMP_1, macs: ['52:54:00:20:00:02'] }
  const machines = [trusting({})[0]!, { ...cmp, trust: L1 }]
  const segment = await withBundles(await laySegment(t, siteOf({ dhcp: 'proxy' }, machines)))
  const machine = await segment.host()
  const stranger = await segment.host()
  await machine.do({ do: 'address', address: '10.20.0.11/24' })
  await machine.do({ do: 'discover', mac: MAC, uuid: UUID })
  await machine.do({ do: 'request', mac: MAC, uuid: UUID, address: '10.20.0.11', server: other })
  const inName = async (mac: string, address: string) =>
    stranger.do({ do: 'request', mac, uuid: UUID, address, server: other })
  const annoy = async () => {
    await inName(cmp.macs[0]!, '10.20.0.11')
    await inName(MAC, '10.20.0.88')
    await inName(STRANGER.mac, '10.20.0.11')
  }
  await annoy()
  await machine.get(`/ipxe?uuid=${UUID}&mac=${MAC}`)
  await annoy()
  await segment.events('ctl-1') // all that was reported is on disk
  await segment.restart()
  const token = tokenIn(await machine.get(`/ignition?uuid=${UUID}&mac=${MAC}`))
  t.equal((await redeem(machine, token)).status, 200)
})

t.test('where DHCP shows nothing, a script for a stranger ends no boot', { skip }, async t => {
  const segment = await withBundles(await laySegment(t, siteOf({ dhcp: 'off' })))
  const stranger = await segment.host()
  await stranger.do({ do: 'address', address: '10.20.0.77/24' })
  const machine = await segment.host()
  await machine.do({ do: 'address', address: '10.20.0.11/24' })
  await machine.get(`/ipxe?mac=${MAC}`)
  await stranger.get(`/ipxe?mac=${MAC}`)
  for (let tries = 0; tries < 10; tries += 1) await tokenOf(stranger) // more than a boot has
  t.match(await tokenOf(machine), /^[\w-]{43}$/)
  const before = await segment.machine('ctl-1')
  await stranger.get(`/ipxe?mac=${MAC}`)
  t.not((await segment.machine('ctl-1'))['boot'], before['boot'])
  t.match(await tokenOf(machine), /^[\w-]{43}$/, 'and again, for an answer that was lost')
  t.match(await segment.machine('ctl-1'), { boot: before['boot'] })
})

t.test(
  'where DHCP shows nothing, another address than that of the script gets no token',
  { skip },
  async t => {
    const segment = await withBundles(await laySegment(t, siteOf({ dhcp: 'off' })))
    const stranger = await segment.host()
    await stranger.do({ do: 'address', address: '10.20.0.77/24' })
    t.equal(tokenIn(await stranger.get(`/ignition?mac=${MAC}`)), '')
    const machine = await segment.host()
    await machine.do({ do: 'address', address: '10.20.0.11/24' })
    await machine.get(`/ipxe?mac=${MAC}`)
    t.equal(tokenIn(await stranger.get(`/ignition?mac=${MAC}`)), '')
    t.match(tokenIn(await machine.get(`/ignition?mac=${MAC}`)), /^[\w-]{43}$/)
  },
)
