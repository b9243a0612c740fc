// `pilotlight disk` as an administrator gives it, and the routes below it: a key is kept by a machine, and shown.

import t from 'tap'
import { join } from 'node:path'
import { agentCall } from '../../server/agent-call.ts'
import { site, testServer } from '../../server/serving.ts'
import { machineKey } from '../../machine-key.ts'
import { slotServerFiles } from '../../slot-files.ts'
import { pilotlight } from '../pilotlight.ts'

const MAC = '52:54:00:20:00:01'
const UUID = '11111111-2222-4333-8444-555555555555'
const SECRET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

t.test('a machine puts its key, an administrator sees it and allows it, others do not', async t => {
  const dataPath = t.testdir(slotServerFiles('controller'))
  const statePath = join(dataPath, 'state')
  const server = await testServer(t, { dataPath, statePath, assetsPath: join(dataPath, 'assets') })
  const disk = { match: {}, explicit: true, mirror: false, encrypt: 'tpm', overwrite: false }
  const machines = site.machines.map(machine => ({ ...machine, disk }))
  await server.put('/v1/sites/rack-1', { ...site, machines })
  await server.get(`/ipxe?mac=${MAC}`)
  const { token } = (await (await server.get(`/ignition?mac=${MAC}`)).json()) as { token: string }
  const call = agentCall(server)
  const own = await machineKey()
  const key = { uuid: UUID, secret: SECRET, recipient: own.recipient, holder: 'tpm' }
  t.match(await call('disk-key', token, key), { status: 403, text: /DISK_KEY_REFUSED.*granted no disk/s })
  const seen = { name: 'sda', bytes: 1e12, serial: 'S1', holds: null }
  t.match(await call('install', token, { action: 'install', disks: [seen], chosen: ['sda'], found: null }), {
    status: 200,
  })
  for (const bad of [{ uuid: '../x' }, { secret: 'short' }, { holder: 'me' }])
    t.equal((await call('disk-key', token, { ...key, ...bad })).status, 400, JSON.stringify(bad))
  t.equal((await call('disk-key', 'x'.repeat(43), key)).status, 401)
  t.equal((await call('disk-key', token, key)).status, 204)
  const unlock = { machine: 'ctl-1', uuid: UUID }
  t.match(await call('unlock', '', unlock), { status: 403, text: /pilotlight disk unlock ctl-1/ })
  t.equal((await call('unlock', '', { ...unlock, uuid: 'x' })).status, 400)

  const env = {
    PILOTLIGHT_SERVER: server.url,
    PILOTLIGHT_TOKEN: server.admin.authorization.replace('Bearer ', ''),
  }
  const run = (...args: string[]) => pilotlight(args, { env })
  t.match(await run('disk', 'recovery-key', 'ctl-1'), {
    status: 0,
    out: /^ABCD-EFGH-IJKL-MNOP-QRST-UVWX-YZ23-4567 {2}LUKS 11111111-\S+, of \S+Z; its TPM opens it\n$/,
  })
  t.match(await run('disk', 'recovery-key', 'cmp-1'), { status: 4, err: /is not encrypted, or was wiped/ })
  t.match(await run('disk', 'recovery-key', 'nope'), { status: 3, err: /There is no machine/ })
  t.match(await run('disk', 'unlock', 'ctl-1'), {
    status: 0,
    out: /hands out the key of its disk until \S+Z/,
  })
  t.match(await run('disk', 'unlock', 'ctl-1', '--undo'), {
    status: 0,
    out: 'ctl-1: the permission to hand out the key of its disk is taken back\n',
  })
  t.match(await call('unlock', '', unlock), { status: 403 })
  t.match(await run('disk', 'unlock', 'ctl-1', '--undo'), { status: 3, err: /NOT_UNLOCKED[^]*journal ctl-1/ })
  t.match(await run('disk', 'unlock', 'ctl-1'), { status: 0 })
  const { text } = await call('unlock', '', unlock)
  const answer = await own.open((JSON.parse(text) as { challenge: string }).challenge)
  t.match(await call('unlock', '', { ...unlock, answer: 'wrong' }), { status: 403 })
  const handed = await call('unlock', '', { ...unlock, answer })
  t.notMatch(handed.text, SECRET, 'it is sealed to the disk')
  t.equal(await own.open((JSON.parse(handed.text) as { key: string }).key), SECRET)

  const reader = (await run('tokens', 'create', 'reader')).out.trim()
  const asReader = { ...env, PILOTLIGHT_TOKEN: reader }
  for (const verb of ['recovery-key', 'unlock'])
    t.match(await pilotlight(['disk', verb, 'ctl-1'], { env: asReader }), {
      status: 4,
      err: /NOT_ALLOWED|admin/,
    })
  const audit = await run('get', 'audit', '-o', 'jsonl')
  t.match(audit.out, /"action":"disk\.recover"[^\n]*"entity":"disk:ctl-1"[^\n]*LUKS 11111111/)
  t.match(audit.out, /"action":"disk\.unlock"/)
  t.match(audit.out, /"action":"disk\.lock"/)
  t.notMatch(audit.out, /ABCD-?EFGH/)
  const events = await (await server.get('/v1/events?machine=ctl-1')).text()
  t.match(events, /was shown the recovery key/)
  t.match(events, /allowed the server to hand out/)
  t.match(events, /was handed the key/)
  t.notMatch(events, /ABCD-?EFGH/)
})
