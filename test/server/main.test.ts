import t from 'tap'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serverConfig } from '#server/config.ts'
import { serve } from '#server/main.ts'
import { site, testServer } from './serving.ts'

t.test('closing keeps no client waiting, and loses nothing', async t => {
  const server = await testServer(t)
  await server.put('/v1/sites/rack-1', site)
  const waiting = server.get('/v1/events?wait=60').then(
    answer => answer.status,
    () => 'cut off',
  )
  await server.get('/ipxe?mac=52-54-00-20-00-77')
  await waiting
  const idle = server.get('/v1/events?after=99&wait=60').catch(() => undefined)
  await server.get('/healthz')
  await server.close()
  await idle
  const again = await testServer(t, { statePath: server.statePath })
  t.match(await (await again.get('/machines')).json(), [
    { id: 'ctl-1' },
    { id: 'cmp-1' },
    { declared: false },
  ])
})

t.test('a server that is started where machines of its sites do not boot says so in its log', async t => {
  const server = await testServer(t)
  t.notMatch(server.logged.join('\n'), /DHCP is off/, 'without a site')
  await server.put('/v1/sites/rack-1', site)
  await server.close()
  const again = await testServer(t, { statePath: server.statePath })
  t.match(
    again.records.find(({ text }) => text.startsWith('DHCP is off in this server')),
    {
      level: 'warn',
      fields: { site: 'rack-1' },
    },
  )
})

t.test('settings that cannot work are refused by name', async t => {
  t.throws(() => serverConfig({ address: 'br0' }), {
    code: 'BAD_SETTINGS',
    message: /^address is "br0"; it takes/,
  })
  t.throws(() => serverConfig({ address: '10.20.0.1', httpPort: 70_000 }), { message: /http-port is 70000/ })
  t.throws(() => serverConfig({ address: '10.20.0.1', dataPath: '/none' }), {
    message: /data-path is "\/none"/,
  })
  t.equal(serverConfig({ address: '10.20.0.1', assetsPath: '' }).assetsPath, undefined)
})

t.test(
  'two servers never work in one state directory, and one that has ended locks no other out',
  async t => {
    const server = await testServer(t)
    const { statePath } = server
    await t.rejects(testServer(t, { statePath }), {
      code: 'STATE_IN_USE',
      message: `state-path ${statePath} is in use by the server with the process id ${process.pid}. Stop that one`,
    })
    t.equal((await server.get('/healthz')).status, 200, 'the first one serves on')
    await server.close()
    writeFileSync(join(statePath, 'lock'), JSON.stringify({ pid: process.pid, startTicks: 1 }))
    await t.resolves(testServer(t, { statePath }))
  },
)

t.test('state that was damaged is named, with what to do', async t => {
  for (const [name, message] of [
    ['pilotlight.db', /pilotlight\.db cannot be opened as the store: .+\. Stop the server, move the file/],
    [
      'tokens.json',
      /tokens\.json does not hold the tokens that the server wrote\. Restore it, or move it away/,
    ],
    ['ca.crt', /ca\.crt holds no certificate\. Restore it/],
    ['ca.key', /ca\.key holds no private key\. Restore it/],
  ] as const) {
    const statePath = join(t.testdir(), 'state')
    await (await testServer(t, { statePath })).close()
    rmSync(join(statePath, `${name}-wal`), { force: true })
    writeFileSync(join(statePath, name), 'garbage '.repeat(1000))
    await t.rejects(testServer(t, { statePath }), { code: 'BROKEN_STATE', message })
  }
})

t.test('a certificate that was damaged is made anew', async t => {
  const statePath = join(t.testdir(), 'state')
  await (await testServer(t, { statePath })).close()
  writeFileSync(join(statePath, 'agent.crt'), 'garbage')
  await testServer(t, { statePath })
  t.match(readFileSync(join(statePath, 'agent.crt'), 'utf8'), /^-----BEGIN CERTIFICATE-----/)
})

t.test('a port that is taken is named, and nothing stays open', async t => {
  const server = await testServer(t)
  const httpPort = Number(new URL(server.url).port)
  const settings = { httpPort, agentPort: 0, dhcp: false, tftp: false, statePath: join(t.testdir(), 'other') }
  const options = { signal: new AbortController().signal, log: () => {} }
  await t.rejects(serve(serverConfig({ address: '127.0.0.1', ...settings }), options), {
    code: 'CANNOT_LISTEN',
    message: new RegExp(`127.0.0.1, TCP port ${httpPort}: process ${process.pid} \\(.+\\) has it`),
  })
})

t.test('a file with a mistake is reported as a problem', async t => {
  const server = await testServer(t)
  const refused = async (body: unknown, detail: RegExp, status = 400) => {
    const answer = await server.put('/v1/sites/rack-1', body)
    t.equal(answer.status, status)
    t.match(answer.headers.get('content-type'), /^application\/problem\+json/)
    t.match(await answer.json(), { status, detail })
  }
  await refused({}, /must have required property 'network'/)
  const [machine] = site.machines
  await refused(
    { ...site, machines: [{ ...machine, macs: ['x'] }] },
    /machine ctl-1: "x" is not a MAC address/,
  )
  await refused(
    { ...site, machines: [{ ...machine, macs: ['01:00:5e:00:00:01'] }] },
    /machine ctl-1: "01:00:5e:00:00:01" is the MAC address of a group/,
  )
  await refused(
    { ...site, machines: [{ ...machine, name: 'c'.repeat(64) }] },
    /is not a host name in lower case, of labels of at most 63/,
  )
  const dry = await server.put('/v1/sites/rack-1?dryRun=true', { ...site, groups: [] })
  t.match(await dry.json(), { dryRun: true, warnings: [/^DHCP is off in this server/] })
  t.strictSame(await (await server.get('/machines')).json(), [], 'a dry run changes nothing')
  await refused({ ...site, machines: [machine, machine] }, /machine "ctl-1" is there twice/)
  const { network } = site
  await refused(
    { ...site, network: { ...network, gateway: '10.21.0.1' } },
    /the gateway 10\.21\.0\.1 is not an address/,
  )
  const moved = JSON.parse(JSON.stringify(site).replaceAll('10.20.0.', '10.99.0.')) as typeof site
  await server.put('/v1/sites/other', moved)
  await refused(site, /machine "ctl-1" of site rack-1 belongs to site other already/, 409)
  const inIt = { ...moved, machines: [], groups: [] }
  await refused(inIt, /Subnet 10\.99\.0\.0\/24 of site rack-1 overlaps 10\.99\.0\.0\/24 of site other/, 409)
  t.match(await (await server.put('/v1/sites/Rack_1', site)).json(), {
    detail: /cannot be the name of a site/,
  })
  const bundle = await server.put('/v1/machines/nobody/bundle', [])
  t.match(await bundle.json(), { status: 404, detail: /There is no machine "nobody"/ })
  t.match(await (await server.get('/v1/nothing')).json(), { status: 404 })
})
