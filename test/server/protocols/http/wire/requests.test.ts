// What the server reports about itself: logs, metrics, and whether it is ready.

import { Socket } from 'node:net'
import { join } from 'node:path'
import { mkdirSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { Metrics } from '#server/metrics.ts'
import { lineLog } from '#server/log.ts'
import { waitUntil } from '#progress/wait.ts'
import { site, testServer } from '../../../serving.ts'

/** What a log wrote. */
function written(settings: Omit<Parameters<typeof lineLog>[0], 'stream'> = {}) {
  const pieces: string[] = []
  const log = lineLog({ stream: { write: text => pieces.push(text) }, ...settings })
  return { log, pieces }
}

t.test('a line is JSON for programs, or logfmt for people', async t => {
  const { log, pieces } = written()
  log('info', 'GET /ipxe', { client: '10.20.0.11', status: 200, who: undefined })
  log.flush()
  t.match(JSON.parse(pieces.join('')), {
    level: 'info',
    text: 'GET /ipxe',
    client: '10.20.0.11',
    status: 200,
  })
  const people = written({ format: 'text' })
  people.log('warn', 'a "file"', { file: 'groups/x.json', line: 3, list: [1] })
  people.log.flush()
  t.match(
    people.pieces.join(''),
    /^time=\S+ level=warn msg="a \\"file\\"" file=groups\/x\.json line=3 list="\[1\]"\n$/,
  )
})

t.test('a level shows itself and all above it', async t => {
  const { log, pieces } = written({ level: 'warn' })
  for (const level of ['debug', 'info', 'warn', 'error'] as const) log(level, level)
  log.flush()
  t.equal(pieces.join('').trim().split('\n').length, 2)
})

t.test('lines of one turn are written together, and an error at once', async t => {
  const { log, pieces } = written()
  log('info', 'a')
  log('info', 'b')
  t.equal(pieces.length, 0)
  log('error', 'c')
  t.equal(pieces.length, 1)
  log('info', 'd')
  await waitUntil('the turn is over', { limitSeconds: 5, everyMs: 1 }, async () =>
    pieces.length === 2 ? { value: true } : { not: 'nothing more is written' },
  )
})

t.test('a request is logged with its client, machine, status and duration', async t => {
  const server = await testServer(t)
  await server.put('/v1/sites/rack-1', site)
  await (await server.get('/ipxe?mac=52-54-00-20-00-01')).text()
  await (await server.get('/healthz')).text()
  const records = await waitUntil('both are logged', { limitSeconds: 5, everyMs: 10 }, async () => {
    const lines = server.records.filter(({ text }) => /\/(?:ipxe|healthz)/.test(text))
    return lines.length === 2 ? { value: lines } : { not: `${lines.length} of 2` }
  })
  const [script, health] = records
  t.match(script, {
    level: 'info',
    text: 'GET /ipxe',
    fields: { client: '127.0.0.1', machine: 'ctl-1', ms: Number },
  })
  t.match(health, { level: 'debug' }, 'who watches is not worth a line')
})

t.test('a request whose connection was reset meanwhile ends nothing but itself', async t => {
  const server = await testServer(t)
  // What getpeername(2) says of such a connection: nothing.
  const sockets = Socket.prototype as unknown as { _getpeername: () => object }
  const { _getpeername } = sockets
  sockets._getpeername = () => ({})
  try {
    await t.rejects(server.get('/ipxe'), 'no answer')
  } finally {
    sockets._getpeername = _getpeername
  }
  t.equal((await server.get('/healthz')).status, 200)
})

t.test('metrics count requests by route, and boots by what happened', async t => {
  const server = await testServer(t)
  await server.put('/v1/sites/rack-1', site)
  for (let turn = 0; turn < 3; turn += 1) await (await server.get('/ipxe?mac=52-54-00-20-00-01')).text()
  await (await server.get('/nothing/of/the/kind')).text()
  const text = await waitUntil('all are counted', { limitSeconds: 5, everyMs: 20 }, async () => {
    const said = await (await server.get('/metrics')).text()
    return said.includes('route="none"') ? { value: said } : { not: 'the last is not' }
  })
  t.match(text, 'pilotlight_http_requests_total{route="/ipxe",method="GET",status="200"} 3')
  t.match(text, 'pilotlight_http_requests_total{route="none",method="GET",status="404"} 1')
  t.match(text, /pilotlight_http_request_duration_seconds_bucket\{le="0.5",route="\/ipxe"\} \d/)
  t.match(text, 'pilotlight_boot_events_total{layer="http",kind="script"} 3')
  t.match(text, 'pilotlight_objects{kind="machines"} 2')
  t.match(text, 'pilotlight_objects{kind="groups"} 2')
  t.match(text, 'pilotlight_machines{phase="script"} 1')
  t.match(text, /pilotlight_certificate_expiry_seconds\{listener="agent"\} \d{10}/)
  t.match(text, /pilotlight_store_bytes [1-9]/)
  t.notMatch(text, /52:54|52-54|ctl-1/, 'no machine is in them')
})

t.test('a phase that no machine is in any more counts none', async t => {
  let machines: Record<string, number> = { script: 2 }
  const writes = { work: true, failures: 0, freeBytes: 1 }
  const measured = { objects: {}, problems: 0, storeBytes: 1, writes, certificates: {}, signing: {} }
  const metrics = new Metrics('1', async () => ({ ...measured, machines }))
  t.match(await metrics.text(), 'pilotlight_machines{phase="script"} 2')
  machines = { ready: 2 }
  t.notMatch(await metrics.text(), 'phase="script"')
})

t.test('a server with broken files is ready, and says how many they are', async t => {
  const groups = join(t.testdir(), 'data', 'groups')
  mkdirSync(groups, { recursive: true })
  writeFileSync(join(groups, 'broken.json'), '{')
  const server = await testServer(t, {
    dataPath: join(groups, '..'),
    statePath: join(t.testdirName, 'state'),
  })
  const answer = await server.get('/readyz')
  t.equal(answer.status, 200)
  t.match(await answer.json(), { status: 'ready', problems: 1 })
})
