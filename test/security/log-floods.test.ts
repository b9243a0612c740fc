// Requests without end, for the lines that they leave in the log.

import t from 'tap'
import { site, testServer } from '../server/serving.ts'

t.test('sums up the requests of strangers, and writes those of machines and operators', async t => {
  const server = await testServer(t, { strangers: { logLines: { perSecond: 0.01, burst: 10 } } })
  const lines = (path: string) => server.told.filter(({ text }) => text === `GET ${path}`).length
  const ask = async (path: string, times: number, headers = {}) => {
    for (let at = 0; at < times; at += 1) await (await server.get(path, headers)).text()
    await server.get('/healthz') // those before it are told of
  }
  await ask('/ipxe?x=1', 50)
  t.equal(lines('/ipxe'), 10)
  t.match(server.logged.join('\n'), /warn \d+ requests of undeclared addresses left out of the log/)
  const metrics = await (await server.get('/metrics')).text()
  t.match(metrics, /pilotlight_refused_total\{reason="log_lines"\} \d+\n/)
  await ask('/profiles', 20, server.admin)
  t.equal(lines('/profiles'), 20, 'an operator')

  const [ctl] = site.machines
  const machines = [{ ...ctl!, address: '127.0.0.1' }] // the site has one
  t.equal((await server.put('/v1/sites/rack-1', { ...site, machines, groups: [] })).status, 200)
  await ask('/grub', 20)
  t.equal(lines('/grub'), 20, 'a machine')
})
