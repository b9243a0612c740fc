// What one "yes" to `up` approves, and what an operator's approval may take the place of, on a whole server.

import t, { type Test } from 'tap'
import { askAboutKeys } from '#cli/site/ask-about-keys.ts'
import { approveAtTerminal, newestBoot, type PendingKeys } from '#rack/up/approvals.ts'
import { Refusal } from '#client/refusal.ts'
import type { MachineState } from '#client/server.ts'
import { fingerprintOf } from '#server/agent/sealing.ts'
import type { MachineKeyView } from '#model/machine-key.ts'
import { machineKey as ageKey } from '../machine-key.ts'
import { whyNoNetworks } from '../network.ts'
import { bootTo, CTL_1, laySegment, redeem, siteOf, tokenIn, trusting, type Segment } from './segment.ts'

const skip = whyNoNetworks()
t.setTimeout(300_000)

const secret = [{ path: '/etc/secret', mode: 0o600, content: 'SECRET' }]
const limit = () => AbortSignal.timeout(20_000)
const operator = { level: 'L2', approve: 'operator', reboot: 'approve' } as const

async function machineKey() {
  const key = await ageKey()
  return { ...key, fingerprint: fingerprintOf(key.recipient) }
}

/** What `up` calls of the server, and a person who says yes. */
function upAt(segment: Segment) {
  const asked: string[] = []
  const shown: string[] = []
  const client = {
    keys: async (state: string) =>
      JSON.parse(await segment.read(`/v1/keys?state=${state}`)) as MachineKeyView[],
    machines: async () => JSON.parse(await segment.read('/machines')) as MachineState[],
    decideKey: async (name: string, verb: string, fingerprint?: string, { isOnly = false } = {}) => {
      const { status = 0, text = '' } = await segment.post(`/v1/machines/${name}/${verb}`, {
        fingerprint,
        isOnly,
      })
      if (status !== 200) throw new Refusal({ method: 'POST', url: '', status }, {}, text, '')
      return JSON.parse(text) as MachineKeyView
    },
  }
  const ask = async (text: string) => asked.push(text) > 0
  const show = (text: string) => {
    shown.push(text)
  }
  const approves = (keys: PendingKeys) => askAboutKeys(keys, { ask, show })
  return { client, terminal: { approves, show }, asked, shown }
}

/** A controller in its boot, with its own key and a stranger's; neither was shown yet. */
async function bootWithTwoKeys(t: Test) {
  const segment = await laySegment(t, siteOf({}, trusting(operator)))
  await segment.put('/v1/machines/ctl-1/bundle', secret)
  const machine = await segment.host()
  const [good, bad] = [await machineKey(), await machineKey()]
  const token = await bootTo(machine, CTL_1)
  return { segment, machine, good, bad, token }
}

t.test('one yes to up approves neither of two keys of one boot', { skip }, async t => {
  const { segment, machine, good, bad, token } = await bootWithTwoKeys(t)
  // The stranger read the token on the wire and took the address.
  t.match(await redeem(machine, token, bad), { status: 202 })
  t.match(await redeem(machine, token, good), { status: 202 })
  const { client, terminal, asked, shown } = upAt(segment)
  await approveAtTerminal(client, [CTL_1], terminal, { isPresentKnown: true }, limit())
  t.strictSame(asked, [])
  t.match(shown[0] ?? '', /^! ctl-1 +SHA256:/m)
  t.match(await redeem(machine, token, bad), { status: 202 }, 'still waits')
  t.match(await redeem(machine, token, good), { status: 202 }, 'still waits')

  const named = await segment.post('/v1/machines/ctl-1/approve', { fingerprint: good.fingerprint })
  t.equal(named.status, 200, named.text ?? '')
  const second = await segment.post('/v1/machines/ctl-1/approve', { fingerprint: bad.fingerprint })
  t.match(second, { status: 409, text: /OTHER_KEY_APPROVED[^]*machines reject ctl-1 --fingerprint SHA256:/ })
  t.match(await redeem(machine, token, bad), { status: 202 })
  t.match(await redeem(machine, token, good), { status: 200, text: /SECRET/ })
})

t.test('an operator who approved the wrong key rejects it first', { skip }, async t => {
  const { segment, machine, good, bad, token } = await bootWithTwoKeys(t)
  await redeem(machine, token, bad)
  await redeem(machine, token, good)
  const decide = (verb: string, { fingerprint }: { fingerprint: string }) =>
    segment.post(`/v1/machines/ctl-1/${verb}`, { fingerprint })
  t.equal((await decide('approve', bad)).status, 200)
  t.equal((await decide('approve', good)).status, 409)
  t.equal((await decide('reject', bad)).status, 200)
  t.equal((await decide('approve', good)).status, 200)
  t.match(await redeem(machine, token, bad), { status: 403 })
  t.match(await redeem(machine, token, good), { status: 200, text: /SECRET/ })
})

t.test(
  'a key that comes between the question and yes is not approved, nor the one that was shown',
  { skip },
  async t => {
    const { segment, machine, good, bad, token } = await bootWithTwoKeys(t)
    await redeem(machine, token, bad)
    const { client, terminal, shown } = upAt(segment)
    const approves = async () => (await redeem(machine, token, good)).status === 202
    await approveAtTerminal(client, [CTL_1], { ...terminal, approves }, { isPresentKnown: true }, limit())
    t.match(shown, [/^the key of ctl-1 was not approved: [^]*showed 2 keys/])
    t.match(await redeem(machine, token, bad), { status: 202 })
  },
)

t.test('up leaves alone the key of a boot before it switched the machine on', { skip }, async t => {
  const segment = await laySegment(t, siteOf({}, trusting(operator)))
  await segment.put('/v1/machines/ctl-1/bundle', secret)
  const machine = await segment.host()
  const [old, fresh] = [await machineKey(), await machineKey()]
  t.match(await redeem(machine, await bootTo(machine, CTL_1), old), { status: 202 })
  const { client, terminal, asked } = upAt(segment)
  const after = await newestBoot(client)
  const approved = approveAtTerminal(client, [CTL_1], terminal, { after, isPresentKnown: true }, limit())
  const token = await bootTo(machine, CTL_1)
  t.match(await redeem(machine, token, fresh), { status: 202 })
  await approved
  t.equal(asked.length, 1)
  t.notMatch(asked[0], old.fingerprint)
  t.match(await redeem(machine, token, fresh), { status: 200, text: /SECRET/ })
  const late = await segment.post('/v1/machines/ctl-1/approve', { fingerprint: old.fingerprint })
  t.match(late, { status: 409, text: /a key of a later boot of ctl-1 is approved/ })
})

t.test(
  'where DHCP is off, one yes approves no key of a machine in whose name a stranger asks',
  { skip },
  async t => {
    const segment = await laySegment(t, siteOf({ dhcp: 'off' }, trusting(operator)))
    await segment.put('/v1/machines/ctl-1/bundle', secret)
    const query = `?uuid=${CTL_1.uuid}&mac=${CTL_1.macs[0]}`
    const boot = async (address: string) => {
      const host = await segment.host()
      await host.do({ do: 'address', address })
      await host.get(`/ipxe${query}`)
      const [token, key] = [tokenIn(await host.get(`/ignition${query}`)), await machineKey()]
      t.match(await redeem(host, token, key), { status: 202 })
      return { host, token, key }
    }
    const [stranger, own] = [await boot('10.20.0.77/24'), await boot('10.20.0.11/24')]
    const { client, terminal, asked, shown } = upAt(segment)
    await approveAtTerminal(client, [CTL_1], terminal, { isPresentKnown: false }, limit())
    t.strictSame(asked, [])
    t.match(shown[0] ?? '', own.key.fingerprint)
    t.match(await redeem(stranger.host, stranger.token, stranger.key), { status: 202 })
    const named = await segment.post('/v1/machines/ctl-1/approve', { fingerprint: own.key.fingerprint })
    t.equal(named.status, 200, named.text ?? '')
    t.match(await redeem(own.host, own.token, own.key), { status: 200, text: /SECRET/ })
  },
)
