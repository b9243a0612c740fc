// What a host of the wire does in the name of a controller does not change how that counts for the quorum of etcd. Where no DHCP shows whose
// a boot is, it needs only the machine's MAC.

import t, { type Test } from 'tap'
import { join } from 'node:path'
import { machineKey } from '../../../../machine-key.ts'
import { passMinutes } from '../../../../pass-minutes.ts'
import { SLOT_VERSION, slotServerFiles } from '../../../../slot-files.ts'
import { agentCall, authorityOf } from '../../../agent-call.ts'
import { moveToThisHost, testServer } from '../../../serving.ts'
import { textFrom } from '../../../text-from.ts'
import { ask, BEFORE, declare, macOf } from '../../../upgrade-rack.ts'

t.setTimeout(120_000)
const HOMES = { 'ctl-1': '127.0.0.1', 'ctl-2': '127.0.0.2', 'ctl-3': '127.0.0.3' } as const
const NAMES = ['ctl-1', 'ctl-2', 'ctl-3'] as const
const STRANGER = '127.0.0.66'
type Name = (typeof NAMES)[number]
const question = { version: SLOT_VERSION, slot: 'a', kernel: BEFORE, good: true }

/** Three installed controllers that had their bundles, each at an address of this host. */
async function controllersOf(t: Test) {
  const dataPath = t.testdir(slotServerFiles('controller'))
  const paths = { dataPath, assetsPath: join(dataPath, 'assets'), statePath: join(dataPath, 'state') }
  const first = await testServer(t, paths)
  await declare(first, NAMES)
  for (const name of NAMES)
    await first.put(`/v1/machines/${name}/bundle`, [{ path: '/etc/x', mode: 0o600, content: 'x' }])
  await first.close()
  for (const name of NAMES) moveToThisHost(paths.statePath, name, HOMES[name])
  const server = await testServer(t, paths)
  const macOfName = (name: Name) => macOf(NAMES.indexOf(name))
  const boot = async (name: Name, from: string) => {
    await textFrom(from, `${server.url}/ipxe?mac=${macOfName(name)}`)
    const config = await textFrom(from, `${server.url}/ignition?mac=${macOfName(name)}`)
    return (JSON.parse(config) as { token: string }).token
  }
  const tokens = new Map<string, string>()
  const keys = new Map<string, Awaited<ReturnType<typeof machineKey>>>()
  const install = { disk: 'sda', slot: 'a', version: SLOT_VERSION }
  for (const name of NAMES) {
    const call = agentCall(server, HOMES[name])
    const token = await boot(name, HOMES[name])
    const key = await machineKey()
    await call('install', token, ask)
    await call('report', token, { stage: 'installed', install })
    if ((await call('enroll', token, { key: key.recipient })).status === 202)
      await server.post(`/v1/machines/${name}/approve`, {}, server.admin)
    const enrolled = await call('enroll', token, { key: key.recipient })
    const { challenge } = JSON.parse(enrolled.text) as { challenge: string }
    const bundle = await call('bundle', token, { answer: await key.open(challenge) })
    const ready = await call('report', token, { stage: 'ready', install })
    if (bundle.status !== 200 || ready.status !== 204) throw new Error(`${bundle.text} ${ready.text}`)
    tokens.set(name, token)
    keys.set(name, key)
  }
  return {
    server,
    boot,
    token: (name: Name) => tokens.get(name) ?? '',
    own: (name: Name) => agentCall(server, HOMES[name])('order', tokens.get(name) ?? '', question),
    /** Orders a wipe, and takes it back: gives the code of a refusal, or the verb that was ordered. */
    wipe: async (name: Name) => {
      const sent = await server.post('/v1/orders', { verb: 'wipe', machines: [name], count: 1 }, server.admin)
      const text = JSON.stringify(await sent.json())
      await server.delete(`/v1/machines/${name}/order`, server.admin)
      return text
    },
    phase: async (name: Name) =>
      ((await (await server.get(`/machines/${name}`)).json()) as { phase: string }).phase,
    /** Enters its disk over the network, and shows the key on it. */
    enter: async (name: Name) => {
      const call = agentCall(server, HOMES[name])
      const token = await boot(name, HOMES[name])
      const sealed = JSON.parse((await call('token', '', { machine: name })).text) as { proof: string }
      const { authority } = authorityOf(server)
      const found = { machine: name, authority, uuid: 'u', version: SLOT_VERSION }
      const proof = await keys.get(name)?.open(sealed.proof)
      const entered = await call('install', token, { ...ask, found, proof })
      if (entered.status !== 200) throw new Error(entered.text)
      return { call, token }
    },
  }
}

t.test('a stranger does not make a controller that is off count as one that runs', async t => {
  const { server, boot, own, wipe, phase, enter } = await controllersOf(t)
  for (const name of NAMES) await own(name)
  passMinutes(t, 6)
  for (const name of ['ctl-1', 'ctl-2'] as const) await own(name)
  t.match(await wipe('ctl-1'), /ctl-3 has not asked for orders/)
  const stolen = await boot('ctl-3', STRANGER)
  const call = agentCall(server, STRANGER)
  t.equal((await call('report', stolen, { stage: 'ready' })).status, 204)
  t.equal((await call('order', stolen, question)).status, 200)
  t.not(await phase('ctl-3'), 'ready')
  t.match(await wipe('ctl-1'), /BREAKS_QUORUM/)
  const alarms = JSON.stringify(await (await server.get('/v1/alarms')).json())
  t.match(alarms, /127\.0\.0\.66 reported ctl-3 ready .* does not count as ready by it/)
  // The machine itself comes back: over the network, into its disk, with the key on it.
  const back = await enter('ctl-3')
  t.equal((await back.call('report', back.token, { stage: 'ready' })).status, 204)
  t.equal(await phase('ctl-3'), 'ready')
  t.match(await wipe('ctl-1'), /"verb":"wipe"/)
})

t.test(
  'a stranger that boots in the name of a controller that runs does not make it count as off',
  async t => {
    const { server, boot, own, wipe, phase } = await controllersOf(t)
    for (const name of NAMES) await own(name)
    const stolen = await boot('ctl-3', STRANGER)
    await agentCall(server, STRANGER)('report', stolen, { stage: 'failed' })
    t.not(await phase('ctl-3'), 'ready')
    t.match(await wipe('ctl-1'), /BREAKS_QUORUM/, 'until it asks again, which it does each minute')
    await own('ctl-3')
    t.match(await wipe('ctl-1'), /"verb":"wipe"/)
    passMinutes(t, 6)
    for (const name of ['ctl-1', 'ctl-2'] as const) await own(name)
    t.match(await wipe('ctl-1'), /BREAKS_QUORUM/)
  },
)

t.test('a stranger that asks too often keeps no machine from its orders and its console log', async t => {
  const { server, boot, own, token } = await controllersOf(t)
  const stolen = await boot('ctl-3', STRANGER)
  const call = agentCall(server, STRANGER)
  const statuses: number[] = []
  for (let at = 0; at < 14; at++) statuses.push((await call('order', stolen, question)).status)
  t.ok(statuses.includes(429))
  t.equal((await own('ctl-3')).status, 200)
  const part = 'x'.repeat(120_000)
  const sent: number[] = []
  for (let at = 1; at <= 40; at++)
    sent.push(
      (await call(`console?boot=00000000-0000-4000-8000-0000000000aa&part=${at}`, stolen, part)).status,
    )
  t.ok(sent.includes(429))
  const home = agentCall(server, HOMES['ctl-3'])
  const kept = await home(`console?boot=${BEFORE}&part=1`, token('ctl-3'), 'a line\n'.repeat(10_000))
  t.equal(kept.status, 204, kept.text)
})
