// Alarms, leases and the audit log from the command line.

import { join } from 'node:path'
import t from 'tap'
import { testServer } from '../../server/serving.ts'
import { pilotlight } from '../pilotlight.ts'

t.test('alarms are listed, acknowledged and cleared, and the audit log says by whom', async t => {
  const folder = t.testdir({ data: { groups: { 'a.json': '{' } } })
  const [dataPath, statePath] = [join(folder, 'data'), join(folder, 'state')]
  const server = await testServer(t, { dataPath, statePath })
  const admin = server.admin.authorization.replace('Bearer ', '')
  const env = { PILOTLIGHT_SERVER: server.url, PILOTLIGHT_TOKEN: admin }
  const id = `PL-7022:data:${dataPath}`
  const run = (...args: string[]) => pilotlight(args, { env })
  t.match(await run('get', 'alarms'), { out: /ID +SEVERITY +STATE[^]*PL-7022:data:\S+ +minor +active/ })
  t.match(await run('alarms', 'ack', id), { status: 0, out: `${id} is acknowledged\n` })
  t.match(await run('get', 'alarm', id, '-o', 'yaml'), { out: /^state: acknowledged$/m })
  t.match(await run('alarms', 'clear', id), { out: `${id} is cleared\n` })
  t.match(await run('alarms', 'clear', 'PL-7001:machine:x'), { status: 3, err: /There is no alarm/ })
  t.match(await run('alarms', 'ack', 'nope'), { status: 3, err: /pilotlight get alarms/ })
  t.match(await run('alarms', 'ack', id), { status: 4, err: /is cleared: there is nothing to acknowledge/ })
  t.match(await run('get', 'audit', '-o', 'jsonl'), {
    out: /"action":"alarm\.clear"[^\n]*\n[^\n]*"action":"alarm\.clear"[^\n]*\n[^\n]*"who":"bootstrap"[^\n]*"action":"alarm\.acknowledge"/,
  })
  t.match(await run('get', 'leases', '-o', 'json'), {
    status: 0,
    out: '{\n  "apiVersion": "pilotlight/v1",\n  "items": []\n}\n',
  })
  t.match(await run('get', 'lease', '10.20.0.9'), { status: 3, err: /10\.20\.0\.9/ })
})
