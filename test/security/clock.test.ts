// A clock that is wrong by years, ahead or behind, at the first start or later (findings 13 to 15): certificates stay valid,
// nothing is forgotten, and leases run as long as the ACK said.

import { webcrypto, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { pathToFileURL } from 'node:url'
import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import { waitUntil } from '#progress/wait.ts'
import { serverIdentity } from '#server/access/own-authority.ts'
import { MachineIndex } from '#server/machines/identity.ts'
import { ProcessClock } from '#server/process/clock.ts'
import { leasesAfterJump } from '#server/protocols/dhcp/leases.ts'
import type { LeaseChange } from '#server/store/leases.ts'
import { type Lease } from '#model/lease.ts'
import { DhcpServer } from '#server/protocols/dhcp/socket.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { Pruning } from '#server/state/pruning.ts'
import { whyNoNetworks } from '../network.ts'
import { childServer } from './child-server.ts'
import { CTL_1, laySegment, siteOf, STRANGER } from './segment.ts'

t.setTimeout(120_000) // a busy machine takes its time

const DAY_MS = 86_400_000
const YEAR_MS = 365 * DAY_MS
const HOUR_MS = 3_600_000

/** The environment of a server whose wall clock is off, and by so much more at each SIGUSR2. */
function clockOff(offMs: number): Record<string, string> {
  const preload = pathToFileURL(join(import.meta.dirname, 'other-clock.mjs')).href
  return { NODE_OPTIONS: `--import=${preload}`, OTHER_CLOCK_MS: String(offMs) }
}

/** A server whose wall clock is off. */
function serverAt(t: Test, statePath: string, offMs: number) {
  return childServer(t, { statePath, env: clockOff(offMs) })
}

/** Says why a machine with the right clock would not trust the agents' listener; undefined when it does. */
async function distrust(statePath: string, said: readonly string[]): Promise<string | undefined> {
  const line = said.find(one => one.includes('"text":"serving"')) ?? '{}'
  const { hostname, port } = new URL((JSON.parse(line) as { agent: string }).agent)
  const socket = connect({
    host: hostname,
    port: Number(port),
    ca: readFileSync(join(statePath, 'ca.crt')),
    rejectUnauthorized: false,
  })
  await once(socket, 'secureConnect')
  const { authorized, authorizationError } = socket
  socket.destroy()
  return authorized ? undefined : String(authorizationError)
}

for (const [what, offMs] of [
  ['twenty years ahead', 20 * YEAR_MS],
  ['at the beginning of 1980', Date.parse('1980-01-01') - Date.now()],
] as const) {
  t.test(`machines trust a server whose first start was ${what}`, { timeout: 120_000 }, async t => {
    const statePath = join(t.testdir(), 'state')
    const wrong = await serverAt(t, statePath, offMs)
    t.equal(await distrust(statePath, wrong.said), undefined, 'while its clock is wrong')
    await wrong.kill()
    const ca = readFileSync(join(statePath, 'ca.crt'), 'utf8')
    const right = await childServer(t, { statePath })
    t.equal(await distrust(statePath, right.said), undefined, 'after its clock was set')
    t.equal(readFileSync(join(statePath, 'ca.crt'), 'utf8'), ca, 'by the same authority')
    const leaf = new X509Certificate(readFileSync(join(statePath, 'agent.crt')))
    t.ok(leaf.validToDate.getTime() < Date.now() + 400 * DAY_MS, 'with an end that is counted from now')
    await right.kill()
  })
}

t.test('an authority that an earlier version made with a clock ahead is made again with its key', async t => {
  const statePath = join(t.testdir(), 'state')
  const now = Date.now()
  const { ca } = await serverIdentity(statePath, '127.0.0.1', now)
  await import('reflect-metadata') // before the library, which looks for it as it loads
  const x509 = await import('@peculiar/x509')
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const pem = readFileSync(join(statePath, 'ca.key'), 'utf8')
  const bytes = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  const signingKey = await webcrypto.subtle.importKey('pkcs8', bytes, algorithm, false, ['sign'])
  const good = new x509.X509Certificate(ca)
  const ahead = await x509.X509CertificateGenerator.create({
    subject: good.subject,
    issuer: good.subject,
    notBefore: new Date(now + 3 * YEAR_MS),
    notAfter: new Date(now + 13 * YEAR_MS),
    signingAlgorithm: algorithm,
    publicKey: good.publicKey,
    signingKey,
  })
  writeFileSync(join(statePath, 'ca.crt'), ahead.toString('pem'))
  const reports: string[] = []
  const next = await serverIdentity(statePath, '127.0.0.1', now, 'agent', text => reports.push(text))
  const made = new X509Certificate(next.ca)
  t.ok(made.validFromDate.getTime() < now && made.validToDate.getTime() > now + 100 * YEAR_MS)
  t.ok(new X509Certificate(ca).publicKey.equals(made.publicKey))
  t.ok(new X509Certificate(next.certificate).verify(made.publicKey))
  t.match(reports, [
    /ca\.crt was valid from .+ to .+, which the clock does not fit: it was made again with the same key/,
  ])
  t.strictSame(await serverIdentity(statePath, '127.0.0.1', now), next, 'once')
})

t.test('a start with a clock forty days ahead forgets nothing', { timeout: 120_000 }, async t => {
  const statePath = join(t.testdir(), 'state')
  const first = await childServer(t, { statePath })
  for (let machine = 10; machine < 40; machine += 1) {
    for (const route of ['ipxe', 'ignition'])
      await first.ask('GET', `/${route}?mac=52-54-00-20-00-${machine}`)
  }
  await first.ask('PUT', '/v1/profiles/gone', { id: 'gone' })
  await first.ask('DELETE', '/v1/profiles/gone')
  await first.ask('GET', '/v1/events')
  await first.kill()
  const counts = () => {
    const sqlite = new Sqlite(join(statePath, 'pilotlight.db'), { readonly: true })
    const of = (table: string) => sqlite.prepare(`SELECT count(*) FROM ${table}`).pluck().get()
    const all = ['boots', 'events', 'revisions'].map(of)
    sqlite.close()
    return all
  }
  const before = counts()
  t.ok(Number(before[1]) >= 30)
  const ahead = await serverAt(t, statePath, 40 * DAY_MS)
  t.match(
    ahead.said.join('\n'),
    /The clock and the newest boot event are 40 days apart \(ahead\): nothing is forgotten for a day/,
  )
  await ahead.ask('GET', '/v1/events')
  await ahead.kill()
  t.strictSame(counts(), before)
})

t.test(
  'a clock that is set while the server runs is logged, and the server goes on',
  { timeout: 120_000 },
  async t => {
    const statePath = join(t.testdir(), 'state')
    const server = await serverAt(t, statePath, 2 * YEAR_MS)
    server.child.kill('SIGUSR2')
    await waitUntil('the jump is logged', { limitSeconds: 30, everyMs: 100 }, async () =>
      server.said.some(line => /The host's clock was set by 6307\d{4} s/.test(line))
        ? { value: true }
        : { not: 'not yet' },
    )
    t.match(
      server.said.join('\n'),
      /The clock was set; old and new time are 730 days apart \(ahead\): nothing is forgotten/,
    )
    t.match(await server.ask('GET', '/readyz'), { status: 200 })
    t.equal(await distrust(statePath, server.said), undefined)
    await server.kill()
  },
)

t.test(
  'old events are forgotten by the newest one, a tenth at once, not soon after a start or a jump',
  async t => {
    const clock = { wall: 100 * DAY_MS, steady: 0 }
    const asked: [number, number][] = []
    let newest: number | undefined = 100 * DAY_MS
    const store = {
      newestEvent: async () => newest,
      prune: async (before: number, share: number) => void asked.push([before / DAY_MS, share]),
    }
    const logged: string[] = []
    const pruning = new Pruning(
      { store, days: 30, newest },
      { now: () => clock.wall, steady: () => clock.steady },
      (_, text) => void logged.push(text),
    )
    t.teardown(() => pruning.close())
    const pass = (ms: number) => {
      clock.wall += ms
      clock.steady += ms
      return pruning.look()
    }
    await pass(60_000)
    t.strictSame(asked, [], 'not in the first minutes')
    await pass(10 * 60_000)
    t.strictSame(asked, [[70, 0.1]], 'by the newest event')
    await pass(HOUR_MS)
    t.equal(asked.length, 1, 'once a day')
    await pass(DAY_MS)
    t.equal(asked.length, 2)
    clock.wall += 1000 * DAY_MS
    pruning.clockJumped(1000 * DAY_MS)
    newest = clock.wall
    await pass(23 * HOUR_MS)
    t.equal(asked.length, 2, 'not for a day after a jump')
    t.equal(logged.length, 1)
    pruning.clockJumped(HOUR_MS)
    t.equal(logged.length, 1, 'an hour is not a jump')
  },
)

t.test('one pass forgets at most a tenth, the oldest first', async t => {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  for (let id = 1; id <= 50; id += 1) {
    const boot = { id: `b-${id.toString(16).padStart(4, '0')}`, mac: '52:54:00:20:00:01', began: id }
    void store.events.append(boot, {
      at: id,
      boot: boot.id,
      mac: boot.mac,
      layer: 'http',
      kind: 'script',
      text: 'x',
      detail: {},
    })
  }
  await store.prune(1000, 0.1)
  t.strictSame(
    (await store.events.eventsAfter(0, { limit: 100 })).map(({ id }) => id),
    Array.from({ length: 45 }, (_, at) => at + 6),
  )
  t.equal(await store.newestEvent(), 50)
})

t.test('the clock of the process goes on evenly, and reports jumps of the host', async t => {
  const host = { wall: 1e12, steady: 5000 }
  const clock = new ProcessClock({ wall: () => host.wall, steady: () => host.steady })
  t.teardown(() => clock.close())
  const jumps: number[] = []
  clock.onJump(jump => {
    jumps.push(jump)
    t.not(clock.now(), host.wall, 'it follows after all were called')
  })
  host.steady += 1000
  host.wall += 1500
  t.equal(clock.now(), 1e12 + 1000, 'not before it is compared')
  clock.compare()
  t.equal(clock.now(), 1e12 + 1500, 'small steps are followed without a word')
  host.wall -= YEAR_MS
  host.steady += 10
  t.equal(clock.now(), 1e12 + 1510)
  clock.compare()
  t.strictSame(jumps, [-YEAR_MS - 10])
  t.equal(clock.now(), host.wall)
})

const lease: Lease = { address: '10.20.0.100', mac: '52:54:00:20:00:77', state: 'bound', expiresAt: 0 }

t.test('leases move with a clock that is set, on disk and in memory', async t => {
  const kept = new Map<string, Lease>([[lease.address, { ...lease, expiresAt: 1000 }]])
  const commit = async (changes: readonly LeaseChange[]) => {
    for (const change of changes) if (change.kind === 'put') kept.set(change.lease.address, change.lease)
  }
  const options = {
    address: '10.20.0.1',
    url: 'http://10.20.0.1:8080',
    network: () => undefined,
    leases: { all: async () => [...kept.values()], commit },
    events: { record: () => {} },
    reservations: new MachineIndex(),
    report: (problem: Error) => t.error(problem),
  }
  const server = new DhcpServer(options, await options.leases.all())
  t.teardown(() => server.close())
  server.sawAlive(lease.address) // longer in memory than on disk
  const before = server.leaseAt(lease.address)?.expiresAt ?? 0
  t.ok(before > Date.now())
  server.clockMoved(YEAR_MS)
  t.equal(server.leaseAt(lease.address)?.expiresAt, before + YEAR_MS)
  await new Promise(setImmediate)
  t.equal(kept.get(lease.address)?.expiresAt, before + YEAR_MS)
})

t.test(
  'a clock that is set while the server runs takes no address from its client',
  { skip: whyNoNetworks(), timeout: 120_000 },
  async t => {
    const only = '10.20.0.100'
    const segment = await laySegment(t, siteOf({ pool: { first: only, last: only } }), clockOff(YEAR_MS))
    // A client that answers no probe: only its lease says that the address is taken.
    const client = await segment.host()
    const taken = await client.do({ do: 'dhcp', ...STRANGER, stage: 'firmware', keep: false })
    t.equal(taken.address, only)
    const { child, said } = segment.server()
    child.kill('SIGUSR2')
    await waitUntil('the jump is logged', { limitSeconds: 30, everyMs: 100 }, async () =>
      said.some(line => /The host's clock was set by 3153\d{4} s/.test(line))
        ? { value: true }
        : { not: 'not yet' },
    )
    const other = {
      mac: '52:54:00:77:77:77',
      uuid: CTL_1.uuid ?? '',
      stage: 'firmware',
      keep: false,
    } as const
    t.not((await (await segment.host()).do({ do: 'dhcp', ...other })).address, only)
    const sqlite = new Sqlite(join(segment.statePath, 'pilotlight.db'), { readonly: true })
    t.teardown(() => sqlite.close())
    const [ends] = sqlite.prepare('SELECT expires_at FROM leases').pluck().all()
    t.ok(Number(ends) > Date.now() + YEAR_MS * 2 - HOUR_MS, 'on disk, too, it ends when it was to end')
  },
)

t.test(
  'leases of an earlier process keep the time that they had left, whatever the clock says now',
  async t => {
    const now = 1.8e12
    const after = (expiresAt: number, lastSeen: number | undefined) =>
      leasesAfterJump([{ ...lease, expiresAt }], lastSeen, now)?.[0]?.expiresAt
    t.equal(after(now + HOUR_MS, now - 60_000), undefined, 'as it is')
    t.equal(after(now - HOUR_MS, now - 2 * HOUR_MS), undefined, 'it ran out while the server was stopped')
    const behind = now + 20 * YEAR_MS
    t.equal(after(behind + HOUR_MS, behind), now + HOUR_MS, 'written by a clock that was ahead')
    const ahead = now - 40 * DAY_MS
    t.equal(after(ahead + HOUR_MS, ahead), now + HOUR_MS, 'read by a clock that is ahead')
    t.equal(after(ahead - HOUR_MS, ahead), now - HOUR_MS, 'one that had run out stays so')
    t.equal(after(now + YEAR_MS, undefined), now + 12 * HOUR_MS, 'never longer than any lease')
  },
)
