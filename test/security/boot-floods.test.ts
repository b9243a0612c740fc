// Where DHCP shows no boot, anyone can begin one in a machine's name: thousands of addresses ask for a machine's script
// and config, enroll keys, and neither keep the machine out nor leave more than a bounded trace.

import Database from 'better-sqlite3'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { machineKey } from '../machine-key.ts'
import { whyNoNetworks } from '../network.ts'
import {
  BUNDLE_FILES,
  CTL_1,
  HTTP,
  laySegment,
  MAC,
  redeem,
  siteOf,
  tokenIn,
  trusting,
  UUID,
  type Host,
  type Segment,
} from './segment.ts'

/** The addresses that ask: more than any number that the server remembers of a machine. */
const ADDRESSES = 3000
t.setTimeout(600_000) // a busy machine takes its time
const skip = whyNoNetworks()

type Attacked = { segment: Segment; machine: Host; stranger: Host; flood: (paths: string[]) => Promise<void> }

/** A segment with a machine at its declared address, and a host with 65,536 addresses. */
async function attacked(t: Test, dhcp: 'off' | 'proxy'): Promise<Attacked> {
  const segment = await laySegment(t, siteOf({ dhcp }, trusting({ level: 'L2' })))
  await segment.put('/v1/machines/ctl-1/bundle', BUNDLE_FILES)
  const [machine, stranger] = [await segment.host(), await segment.host()]
  await machine.do({ do: 'address', address: `${CTL_1.address}/24` })
  await stranger.do({ do: 'address', address: '10.20.0.77/24' })
  await stranger.do({ do: 'own', subnet: '10.99.0.0/16' })
  await segment.operator.do({ do: 'route', subnet: '10.99.0.0/16', via: '10.20.0.77' })
  const flood = async (paths: string[]) => {
    const { text, error } = await stranger.do({ do: 'flood', base: HTTP, paths, addresses: ADDRESSES })
    t.match(JSON.parse(text ?? '{}'), { 200: ADDRESSES * paths.length }, `all are answered ${error ?? ''}`)
  }
  return { segment, machine, stranger, flood }
}

/** What the server keeps of the machine. */
async function kept(segment: Segment): Promise<Record<string, number>> {
  await segment.events('ctl-1') // what was reported is on disk
  const db = new Database(join(segment.statePath, 'pilotlight.db'), { readonly: true })
  try {
    const count = (table: string) =>
      (db.prepare(`SELECT count(*) AS rows FROM ${table} WHERE machine = 'ctl-1'`).get() as { rows: number })
        .rows
    const tables = ['boots', 'machine_boots', 'tokens', 'machine_keys', 'events']
    return Object.fromEntries(tables.map(table => [table, count(table)]))
  } finally {
    db.close()
  }
}

async function residentBytes(segment: Segment): Promise<number> {
  const [, bytes] = /^process_resident_memory_bytes (\d+)/m.exec(await segment.read('/metrics')) ?? []
  return Number(bytes)
}

const script = `/ipxe?uuid=${UUID}&mac=${MAC}`
const config = `/ignition?uuid=${UUID}&mac=${MAC}`

t.test('boots that strangers begin in a machine’s name keep it out of nothing', { skip }, async t => {
  const { segment, machine, stranger, flood } = await attacked(t, 'off')
  const before = await residentBytes(segment)
  await flood([script, config])
  t.equal((await machine.get(script)).status, 200)
  await flood([script, config])
  const token = tokenIn(await machine.get(config))
  t.match(token, /^[\w-]{43}$/, 'between its script and its config')
  await flood([script, config, config])
  t.equal((await machine.agent('report', token, { stage: 'booted' })).status, 204, 'between config and agent')

  const key = await machineKey()
  t.match(await redeem(machine, token, key), { status: 202 }, 'its key waits for an operator')
  const keys = async () =>
    JSON.parse(await segment.read('/v1/machines/ctl-1/keys')) as { address: string; fingerprint: string }[]
  let enrolled = 0
  for (let at = 0; at < 30; at += 1) {
    await stranger.do({ do: 'address', address: `10.20.0.${100 + at}/24` })
    await stranger.get(script)
    const stolen = tokenIn(await stranger.get(config))
    if (stolen !== '' && (await redeem(stranger, stolen)).status === 202) enrolled += 1
  }
  t.ok(enrolled <= 8, `${enrolled} keys of strangers wait`)
  const own = (await keys()).find(({ address }) => address === CTL_1.address)
  t.match(await segment.post('/v1/machines/ctl-1/approve', { fingerprint: own?.fingerprint }), {
    status: 200,
  })
  t.equal((await redeem(machine, token, key)).status, 200)

  t.equal((await machine.get(script)).status, 200)
  t.match(tokenIn(await machine.get(config)), /^[\w-]{43}$/, 'and it boots again')
  const rows = await kept(segment)
  t.ok(rows['boots']! <= 2 * 80, `${rows['boots']} boots`)
  t.ok(rows['machine_boots']! <= 264, `${rows['machine_boots']} boots with tokens`)
  t.ok(rows['tokens']! <= 400, `${rows['tokens']} tokens`)
  t.ok(rows['machine_keys']! <= 20, `${rows['machine_keys']} keys`)
  t.ok(rows['events']! <= 3000, `${rows['events']} events`)
  const grown = (await residentBytes(segment)) - before
  t.ok(grown < 150 << 20, `${Math.round(grown / 2 ** 20)} MiB more in memory`)
})

t.test('nor does a restart of the server between script and config', { skip }, async t => {
  const { segment, machine, stranger, flood } = await attacked(t, 'off')
  for (let at = 0; at < 3000; at += 1) await stranger.get(script) // more events than are kept of a machine
  await machine.get(script)
  await flood([script, config])
  await segment.events('ctl-1') // what was reported is on disk
  await segment.restart()
  await flood([script, config])
  const token = tokenIn(await machine.get(config))
  t.match(token, /^[\w-]{43}$/)
  t.equal((await machine.agent('report', token, { stage: 'booted' })).status, 204)
})

for (const [where, address] of [
  ['its declared address', CTL_1.address],
  ['another address', '10.20.0.55'],
] as const) {
  t.test(`a machine at ${where} waits for its approval while others boot in its name`, { skip }, async t => {
    const { segment, machine, stranger, flood } = await attacked(t, 'off')
    await machine.do({ do: 'address', address: `${address}/24` })
    await machine.get(script)
    const [token, key] = [tokenIn(await machine.get(config)), await machineKey()]
    t.match(await redeem(machine, token, key), { status: 202 })
    await flood([script, config])
    for (let at = 0; at < 205; at += 1) {
      await stranger.get(script)
      await stranger.get(config)
    }
    t.match(await redeem(machine, token, key), { status: 202 })
    t.equal((await segment.post('/v1/machines/ctl-1/approve', {})).status, 200)
    t.equal((await redeem(machine, token, key)).status, 200)
  })
}

t.test('one address that fetches a config without end is given few tokens', { skip }, async t => {
  const { segment, machine, stranger } = await attacked(t, 'off')
  await stranger.get(script)
  for (let at = 0; at < 200; at += 1) await stranger.get(config)
  for (let at = 0; at < 200; at += 1) {
    await stranger.get(script)
    await stranger.get(config)
  }
  await machine.get(script)
  t.match(tokenIn(await machine.get(config)), /^[\w-]{43}$/)
  const configs = (await segment.events('ctl-1')).filter(({ kind }) => kind === 'config')
  t.ok(configs.length <= 200, `${configs.length} configs with tokens`)
  const rows = await kept(segment)
  t.ok(rows['boots']! <= 80, `${rows['boots']} boots`)
})

t.test('in proxy mode a flood in a machine’s name begins no boots', { skip }, async t => {
  const { segment, machine, stranger, flood } = await attacked(t, 'proxy')
  const other = '10.20.0.2'
  const packets = async () => {
    for (let at = 0; at < 100; at += 1) {
      await stranger.do({ do: 'discover', mac: MAC, uuid: UUID })
      await stranger.do({
        do: 'request',
        mac: MAC,
        uuid: UUID,
        address: `10.20.0.${100 + at}`,
        server: other,
      })
    }
  }
  await machine.do({ do: 'discover', mac: MAC, uuid: UUID })
  await machine.do({ do: 'request', mac: MAC, uuid: UUID, address: CTL_1.address, server: other })
  await packets()
  await flood([script, config])
  t.equal((await machine.get(script)).status, 200)
  await packets()
  await flood([script, config])
  const token = tokenIn(await machine.get(config))
  t.match(token, /^[\w-]{43}$/, 'between its script and its config')
  await packets()
  await flood([script, config])
  t.equal((await machine.agent('report', token, { stage: 'booted' })).status, 204)
  const rows = await kept(segment)
  t.match(rows, { machine_boots: 1, tokens: 1 })
  t.ok(rows['boots']! <= 3, `${rows['boots']} boots`)
})
