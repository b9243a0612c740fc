// Requests without end, for the lines that they leave in the log.

import t from 'tap'
import { logLines } from '#server/protocols/http/wire/requests.ts'
import { moveToThisHost, site, testServer } from '../server/serving.ts'

t.test('sums up the requests of strangers, and writes those of machines and operators', async t => {
  const rate = { perSecond: 0.01, burst: 10 }
  const settings = { strangers: { logLines: { perAddress: rate, inAll: rate } } }
  const server = await testServer(t, settings)
  const lines = (path: string, of = server) => of.records.filter(({ text }) => text === `GET ${path}`).length
  const ask = async (path: string, times: number, headers = {}, of = server) => {
    for (let at = 0; at < times; at += 1) await (await of.get(path, headers)).text()
    await of.get('/healthz') // those before it are reported
  }
  await ask('/ipxe?x=1', 50)
  t.equal(lines('/ipxe'), 10)
  t.match(server.logged.join('\n'), /warn \d+ requests of undeclared addresses left out of the log/)
  const metrics = await (await server.get('/metrics')).text()
  t.match(metrics, /pilotlight_refused_total\{reason="log_lines"\} \d+\n/)
  await ask('/profiles', 20, server.admin)
  t.equal(lines('/profiles'), 20, 'an operator')

  t.equal((await server.put('/v1/sites/rack-1', { ...site, groups: [] })).status, 200)
  await server.close()
  moveToThisHost(server.statePath, 'ctl-1')
  const again = await testServer(t, { ...settings, statePath: server.statePath })
  await ask('/grub', 20, {}, again)
  t.equal(lines('/grub', again), 20, 'a machine')
})

t.test('one address takes no lines from others, and machines none from strangers', async t => {
  const left: string[] = []
  const [few, many] = [5, 12].map(burst => ({ perSecond: 0.001, burst }))
  const mayLog = logLines(
    (_, address) => left.push(address),
    address => address === '10.20.0.11',
    { perAddress: few!, inAll: many! }, // of two
  )
  const lines = (address: string, times: number) =>
    Array.from({ length: times }, () => mayLog(address)).filter(Boolean).length
  t.equal(lines('10.20.0.11', 50), 50, 'a machine')
  t.equal(lines('10.0.0.1', 50), 5, 'a flood')
  t.equal(lines('10.0.0.2', 1), 1, 'another address')
  t.equal(lines('127.0.0.1', 50), 6, 'this host has no limit but that of all')
  t.equal(lines('10.0.0.3', 1), 0, 'that of all is used up')
  t.equal(left.length, 45 + 44 + 1, 'the others are counted')
})
