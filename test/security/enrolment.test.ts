// Whose key gets a bundle: swapped machines, foreign keys, wrong answers and reboots, as attacks on a whole server.

import t from 'tap'
import { waitUntil } from '#progress/wait.ts'
import { machineKey } from '../machine-key.ts'
import { whyNoNetworks } from '../network.ts'
import {
  bootTo,
  CTL_1,
  laySegment,
  MAC,
  redeem,
  SERVER,
  siteOf,
  tokenIn,
  trusting,
  type Host,
  type Segment,
} from './segment.ts'

t.setTimeout(300_000) // each lays a segment and starts a server, while others use the machine
const skip = whyNoNetworks()
const secret = 'the content of the bundle'
const files = [{ path: '/etc/secret', mode: 0o600, content: secret }]

type Trust = Parameters<typeof trusting>[0]

async function segmentWith(t: Parameters<typeof laySegment>[0], trust: Trust, dhcp: 'full' | 'off' = 'full') {
  const segment = await laySegment(t, siteOf({ dhcp }, trusting(trust)))
  await segment.put('/v1/machines/ctl-1/bundle', files)
  return segment
}

async function kindsOf(segment: Segment): Promise<string[]> {
  return (await segment.events('ctl-1')).map(({ kind }) => kind)
}

t.test('holds a swapped machine with the same MAC, and says why and what to do', { skip }, async t => {
  const segment = await segmentWith(t, { level: 'L2', approve: 'first-boot', reboot: 'same-key' })
  const machine = await segment.host()
  const key = await machineKey()
  const token = await bootTo(machine, CTL_1)
  t.match(await redeem(machine, token, key), { status: 200, text: secret }, 'trust on first use')
  await machine.agent('report', token, { stage: 'ready' })

  const swapped = await segment.host()
  const stolen = await bootTo(swapped, CTL_1)
  const held = await redeem(swapped, stolen)
  t.equal(held.status, 202)
  const { message } = JSON.parse(held.text ?? '') as { message: string }
  t.match(
    message,
    /^ctl-1 at 10\.20\.0\.11 waits: it is not the key that was approved on \d{4}-\d\d-\d\d \(SHA256:.*\)\. If it is the machine: {2}pilotlight machines approve ctl-1 --fingerprint SHA256:\S+$/,
  )
  t.ok((await kindsOf(segment)).includes('held'))
  t.match(await segment.alarms(), { held: 1 })

  const again = await bootTo(machine, CTL_1)
  t.match(await redeem(machine, again, key), { status: 200 }, 'the machine itself boots again with its key')
})

t.test('an operator decides on each first key, and what is rejected stays out', { skip }, async t => {
  const segment = await segmentWith(t, { level: 'L2', approve: 'operator', reboot: 'same-key' })
  const machine = await segment.host()
  const [good, bad] = [await machineKey(), await machineKey()]
  const first = await bootTo(machine, CTL_1)
  t.match(await redeem(machine, first, bad), { status: 202, text: /an operator approves the first key/ })
  t.match(await segment.post('/v1/machines/ctl-1/reject', {}), { status: 200, text: /"rejected"/ })
  t.match(await redeem(machine, first, bad), { status: 403, text: /was rejected/ })
  t.match(
    await redeem(machine, first, good),
    { status: 202 },
    'another key of the same boot waits for itself',
  )
  t.match(
    await segment.post('/v1/machines/ctl-1/approve', {}),
    { status: 409, text: /showed 2 keys/ },
    'who approves one of two names it',
  )

  const second = await bootTo(machine, CTL_1)
  t.match(await redeem(machine, second, good), { status: 202 })
  const stranger = await segment.host()
  await stranger.do({ do: 'address', address: '10.20.0.77/24' })
  t.match(
    await stranger.do({
      do: 'fetch',
      url: 'http://10.20.0.1:8080/v1/machines/ctl-1/approve',
      method: 'POST',
    }),
    { status: 401 },
    'who approves shows a token',
  )
  t.match(await segment.post('/v1/machines/ctl-1/approve', { fingerprint: 'SHA256:other' }), { status: 404 })
  t.match(await segment.post('/v1/machines/ctl-1/approve', {}), { status: 200 })
  t.equal((await redeem(machine, first, bad)).status, 403, 'what was rejected stays so')
  await segment.restart()
  t.match(
    await redeem(machine, second, good),
    { status: 200, text: secret },
    'after a restart of the server too',
  )
})

t.test('gives the bundle to who opens the challenge, and to that key alone', { skip }, async t => {
  const segment = await segmentWith(t, { level: 'L2', approve: 'first-boot' })
  const machine = await segment.host()
  const [key, foreign] = [await machineKey(), await machineKey()]
  const token = await bootTo(machine, CTL_1)
  t.match(await machine.agent('bundle', token, { answer: 'x' }), { status: 403, text: /WRONG_ANSWER/ })
  const enrolled = await machine.agent('enroll', token, { key: key.recipient })
  const { challenge } = JSON.parse(enrolled.text ?? '') as { challenge: string }
  await t.rejects(foreign.open(challenge), 'no other key opens the challenge')
  t.match(await machine.agent('bundle', token, { answer: 'guessed' }), { status: 403 })
  t.match(
    await machine.agent('enroll', token, { key: foreign.recipient }),
    { status: 200 },
    'nothing is pinned',
  )
  for (const broken of ['', 'age1', 'ssh-ed25519 AAAA', key.recipient.toUpperCase(), `${key.recipient}x`]) {
    t.match(await machine.agent('enroll', token, { key: broken }), { status: 400 }, broken)
  }
  const done = await machine.agent('bundle', token, { answer: await key.open(challenge) })
  t.equal(done.status, 200, 'what was wrong spent nothing')
  const sealed = Buffer.from(done.base64 ?? '', 'base64')
  t.notOk(sealed.includes(secret))
  t.match(await redeem(machine, token, foreign), { status: 409 })
  await t.rejects(foreign.openBytes(sealed))
  t.match(Buffer.from(await key.openBytes(sealed)).toString('utf8'), secret)
})

t.test('a machine that was ready gets a token again only by the policy of its site', { skip }, async t => {
  const segment = await segmentWith(t, { level: 'L2', approve: 'first-boot', reboot: 'approve' })
  const machine = await segment.host()
  const token = await bootTo(machine, CTL_1)
  t.match(await redeem(machine, token), { status: 200 })
  await machine.agent('report', token, { stage: 'ready' })
  await t.rejects(
    bootTo(machine, CTL_1),
    /ignition: 503 .*was ready in boot b-0001 .*pilotlight machines reopen ctl-1/s,
  )
  t.equal((await machine.agent('report', token, { stage: 'ready' })).status, 204, 'its own boot goes on')
  await segment.restart()
  t.match(await machine.get(`/ignition?mac=${MAC}`), { status: 503 }, 'after a restart of the server too')
  t.match(await segment.post('/v1/machines/ctl-1/reopen', {}), { status: 200, text: /"until"/ })
  const reopened = tokenIn(await machine.get(`/ignition?mac=${MAC}`))
  t.match(await redeem(machine, reopened), { status: 200 }, 'with another key, which is taken as a first one')
  await machine.agent('report', reopened, { stage: 'ready' })
  await t.rejects(bootTo(machine, CTL_1), /503/, 'for one boot')
  const kinds = await kindsOf(segment)
  t.ok(kinds.includes('held') && kinds.includes('reopened') && kinds.includes('reboot'), kinds.join(' '))
})

t.test(
  'a machine that was opened is closed again by an operator, or when its time is over',
  { skip },
  async t => {
    const segment = await segmentWith(t, { level: 'L2', approve: 'first-boot', reboot: 'approve' })
    const machine = await segment.host()
    const token = await bootTo(machine, CTL_1)
    t.match(await redeem(machine, token), { status: 200 })
    await machine.agent('report', token, { stage: 'ready' })
    await t.rejects(bootTo(machine, CTL_1), /503/)
    const opened = await segment.post('/v1/machines/ctl-1/reopen', {})
    const { until } = JSON.parse(opened.text ?? '') as { until: string }
    const minutes = (Date.parse(until) - Date.now()) / 60_000
    t.ok(minutes > 58 && minutes <= 60.1, `it is open for ${minutes} min: as long as the site's deadline`)
    t.ok((await kindsOf(segment)).includes('reopened'), 'and on disk')
    await segment.restart()
    t.match(JSON.parse((await segment.read('/v1/reopened')) ?? ''), [{ machine: 'ctl-1', who: 'bootstrap' }])
    t.match(JSON.parse((await segment.read('/machines/ctl-1')) ?? ''), { reopened: { who: 'bootstrap' } })
    t.match(await segment.delete('/v1/machines/ctl-1/reopen'), { status: 200 })
    t.match(await segment.delete('/v1/machines/ctl-1/reopen'), { status: 404, text: /NOT_REOPENED/ })
    t.match(await machine.get(`/ignition?mac=${MAC}`), { status: 503 }, 'closed: it is held as before')
    t.ok((await kindsOf(segment)).includes('closed'))
    await segment.restart()
    t.match(await machine.get(`/ignition?mac=${MAC}`), { status: 503 }, 'after a restart of the server too')
    t.equal(await segment.read('/v1/reopened'), '[]\n')
    const texts = (await segment.events('ctl-1')).filter(({ kind }) => ['reopened', 'closed'].includes(kind))
    t.match(
      texts.map(({ text }) => text),
      [/must have its bundle by \S+Z \(60 min\)/, /bootstrap closed ctl-1, which bootstrap had opened/],
    )
  },
)

t.test('reboot: auto takes any key, and says so', { skip }, async t => {
  const segment = await segmentWith(t, { level: 'L2', approve: 'first-boot', reboot: 'auto' })
  const machine = await segment.host()
  for (const boot of [1, 2]) {
    const token = await bootTo(machine, CTL_1)
    t.match(await redeem(machine, token), { status: 200 }, `boot ${boot}`)
    await machine.agent('report', token, { stage: 'ready' })
  }
  const texts = (await segment.events('ctl-1')).filter(({ kind }) => kind === 'reboot' || kind === 'approved')
  t.match(
    texts.map(({ text }) => text),
    [/first-boot/, /boots by firmware again: the site's reboot policy is auto/, /another key than before/],
  )
})

t.test('where DHCP shows nothing no policy approves a key, at L1 neither', { skip }, async t => {
  for (const trust of [{ level: 'L1' }, { level: 'L2', approve: 'first-boot', reboot: 'auto' }] as const) {
    const segment = await segmentWith(t, trust, 'off')
    const stranger = await segment.host()
    await stranger.do({ do: 'address', address: '10.20.0.77/24' })
    await stranger.get(`/ipxe?mac=${MAC}`)
    const token = tokenIn(await stranger.get(`/ignition?mac=${MAC}`))
    t.match(await redeem(stranger, token), { status: 202, text: /nothing but its own request/ })
  }
})

t.test(
  'where DHCP shows nothing a stranger ends no boot, and waits for its own approval',
  { skip },
  async t => {
    const segment = await segmentWith(t, { level: 'L2' }, 'off')
    const [machine, stranger] = [await segment.host(), await segment.host()]
    await machine.do({ do: 'address', address: '10.20.0.11/24' })
    await stranger.do({ do: 'address', address: '10.20.0.77/24' })
    const boot = async (host: typeof machine) => {
      await host.get(`/ipxe?mac=${MAC}`)
      return tokenIn(await host.get(`/ignition?mac=${MAC}`))
    }
    const [own, foreign] = [await machineKey(), await machineKey()]
    const token = await boot(machine)
    t.equal((await machine.agent('report', token, { stage: 'booted' })).status, 204)
    const stolen = await boot(stranger)
    t.equal((await stranger.agent('report', stolen, { stage: 'booted' })).status, 204)
    t.match(await redeem(stranger, stolen, foreign), { status: 202 })
    t.match(await redeem(machine, token, own), { status: 202 }, 'its token is still good')
    t.match(await segment.post('/v1/machines/ctl-1/approve', {}), { status: 409, text: /showed 2 keys/ })
    const keys = JSON.parse((await segment.read('/v1/machines/ctl-1/keys')) ?? '') as Record<string, string>[]
    const { fingerprint } = keys.find(({ address }) => address === '10.20.0.11') ?? {}
    t.match(await segment.post('/v1/machines/ctl-1/approve', { fingerprint }), { status: 200 })
    t.match(await redeem(machine, token, own), { status: 200, text: secret })
    t.equal((await redeem(stranger, stolen, foreign)).status, 202)
  },
)

/** DHCP of a machine's firmware through a switch that names the port, and the address set. */
async function takeAddressAt(segment: Segment, host: Host, port: string): Promise<void> {
  const whose = { mac: MAC, uuid: CTL_1.uuid ?? '', port }
  const acks = async () => (await kindsOf(segment)).filter(kind => kind === 'ack').length
  const before = await acks()
  await host.do({ do: 'discover', ...whose })
  await host.do({ do: 'request', ...whose, address: CTL_1.address, server: SERVER })
  await waitUntil('the lease', { limitSeconds: 10, everyMs: 50 }, async () =>
    (await acks()) > before ? { value: true } : { not: 'there is no acknowledgement' },
  )
  await host.do({ do: 'address', address: `${CTL_1.address}/24` })
}

async function fetchToken(host: Host): Promise<string> {
  await host.get(`/ipxe?uuid=${CTL_1.uuid}&mac=${MAC}`)
  return tokenIn(await host.get(`/ignition?uuid=${CTL_1.uuid}&mac=${MAC}`))
}

const byPort = { level: 'L2', approve: { ports: ['circuit=ge-0/0/7'] }, reboot: 'approve' } as const

/** Lets a host have the machine's address while it does something. */
async function inThePlaceOf(machine: Host, host: Host, work: () => Promise<void>): Promise<void> {
  await machine.do({ do: 'address', address: '10.20.0.240/24' })
  await host.do({ do: 'address', address: `${CTL_1.address}/24` })
  await work()
  await host.do({ do: 'address', address: '10.20.0.77/24' })
  await machine.do({ do: 'address', address: `${CTL_1.address}/24` })
}

t.test("goes by the switch port of the token's own boot, whatever boots later", { skip }, async t => {
  const segment = await segmentWith(t, byPort)
  const [machine, copier] = [await segment.host(), await segment.host()]
  await takeAddressAt(segment, copier, 'evil')
  const stolen = await fetchToken(copier)
  const foreign = await machineKey()
  const why = /switch port, circuit=evil, is not approved/
  t.match(await redeem(copier, stolen, foreign), { status: 202, text: why })
  await copier.do({ do: 'address', address: '10.20.0.77/24' })
  await takeAddressAt(segment, machine, 'ge-0/0/7')
  await inThePlaceOf(machine, copier, async () => {
    t.match(await redeem(copier, stolen, foreign), { status: 202, text: why }, 'the machine has its address')
  })
  const token = await fetchToken(machine)
  await inThePlaceOf(machine, copier, async () => {
    const later = /a later boot of the machine has begun/
    t.match(await redeem(copier, stolen, foreign), { status: 202, text: later })
  })
  t.match(await redeem(machine, token), { status: 200, text: secret })
  t.equal((await redeem(copier, stolen, foreign)).status, 403)
})

t.test('approves by no switch port where a boot came from two, and says so', { skip }, async t => {
  const segment = await segmentWith(t, byPort)
  const [machine, copier] = [await segment.host(), await segment.host()]
  await takeAddressAt(segment, copier, 'evil')
  await machine.do({ do: 'discover', mac: MAC, uuid: CTL_1.uuid ?? '', port: 'ge-0/0/7' })
  await waitUntil('the packet', { limitSeconds: 10, everyMs: 50 }, async () =>
    (await segment.events('ctl-1')).some(({ detail }) => detail['port'] === 'circuit=ge-0/0/7')
      ? { value: true }
      : { not: 'it is not in the journal' },
  )
  t.match(await redeem(copier, await fetchToken(copier)), {
    status: 202,
    text: /DHCP of this boot came from more than one switch port/,
  })
  t.match(await segment.alarms(), { held: 1, moved: 1 })
})

t.test(
  'a key that appears at another switch port than in the boot before raises an alarm',
  { skip },
  async t => {
    const segment = await segmentWith(t, { level: 'L2', approve: 'first-boot', reboot: 'same-key' })
    const machine = await segment.host()
    const key = await machineKey()
    const bootAt = async (port: string) => {
      await takeAddressAt(segment, machine, port)
      const token = await fetchToken(machine)
      t.match(await redeem(machine, token, key), { status: 200, text: secret }, port)
      await machine.agent('report', token, { stage: 'ready' })
      return (await segment.alarms()).moved
    }
    t.equal(await bootAt('ge-0/0/7'), undefined)
    t.equal(await bootAt('ge-0/0/7'), undefined, 'nor at the same port again')
    t.equal(await bootAt('ge-0/0/8'), 1)
    const moved = (await segment.events('ctl-1')).filter(({ kind }) => kind === 'moved')
    t.match(moved, [
      {
        text: 'ctl-1 shows its key at switch port circuit=ge-0/0/8; it was at circuit=ge-0/0/7',
        boot: 'b-0003',
      },
    ])
    t.equal(await bootAt('ge-0/0/8'), 1, 'once for each move')
    t.same(await segment.alarms(), { moved: 1 }, 'and no other alarm')
  },
)

t.test('opens the next boot alone, and not one that waits since before', { skip }, async t => {
  const segment = await segmentWith(t, { level: 'L2', approve: 'first-boot', reboot: 'same-key' })
  const [machine, copier] = [await segment.host(), await segment.host()]
  const first = await bootTo(machine, CTL_1)
  t.match(await redeem(machine, first), { status: 200 })
  await machine.agent('report', first, { stage: 'ready' })
  await machine.do({ do: 'address', address: '10.20.0.240/24' })
  const stolen = await bootTo(copier, CTL_1)
  const foreign = await machineKey()
  t.match(await redeem(copier, stolen, foreign), { status: 202 })
  await copier.do({ do: 'address', address: '10.20.0.77/24' })
  t.match(await segment.post('/v1/machines/ctl-1/reopen', {}), { status: 200 })
  await copier.do({ do: 'address', address: `${CTL_1.address}/24` })
  t.match(await redeem(copier, stolen, foreign), { status: 202 }, 'it is not the boot that was opened')
  await copier.do({ do: 'address', address: '10.20.0.77/24' })
  const next = await bootTo(machine, CTL_1)
  t.match(await redeem(machine, next), { status: 200, text: secret }, 'with a new key')
  t.equal((await redeem(copier, stolen, foreign)).status, 403)
})

t.test(
  'a stranger at the address of the machine ends neither its token nor its pinned key',
  { skip },
  async t => {
    const segment = await segmentWith(t, { level: 'L2', approve: 'first-boot', reboot: 'same-key' })
    const [machine, stranger] = [await segment.host(), await segment.host()]
    const key = await machineKey()
    const first = await bootTo(machine, CTL_1)
    t.match(await redeem(machine, first, key), { status: 200 })
    await machine.agent('report', first, { stage: 'ready' })
    const token = await bootTo(machine, CTL_1)
    await machine.do({ do: 'address', address: '10.20.0.250/24' }) // it does not answer ARP for a short time
    await stranger.do({ do: 'address', address: `${CTL_1.address}/24` })
    const stolen = tokenIn(await stranger.get(`/ignition?mac=${MAC}`))
    for (let keys = 0; keys < 4; keys += 1) t.equal((await redeem(stranger, stolen)).status, 202)
    t.match(await redeem(stranger, stolen), { status: 403, text: /4 other keys that this boot showed wait/ })
    for (let fetches = 0; fetches < 10; fetches += 1) await stranger.get(`/ignition?mac=${MAC}`)
    await stranger.do({ do: 'address', address: '10.20.0.251/24' })
    await machine.do({ do: 'address', address: `${CTL_1.address}/24` })
    t.match(await segment.post('/v1/machines/ctl-1/approve', {}), { status: 409, text: /keys/ })
    t.match(await redeem(machine, token, key), { status: 200, text: secret })
  },
)
