// A wipe that nothing proves, and the install that is ordered after it.

import t from 'tap'
import { agentCall } from '../../../agent-call.ts'
import { moveToThisHost } from '../../../serving.ts'
import { macOf, rackOf } from '../../../upgrade-rack.ts'

t.test('an install after a wipe that nothing proves overwrites no disk with other data', async t => {
  const rack = await rackOf(t, ['cmp-1'])
  await rack.server.close()
  moveToThisHost(rack.server.statePath, 'cmp-1')
  await rack.reopen()
  const { server } = rack
  const order = (verb: string, more = {}) =>
    server.post('/v1/orders', { verb, machines: ['cmp-1'], count: 1, ...more }, server.admin)
  const boot = async () => {
    await server.get(`/ipxe?mac=${macOf(0)}`)
    return ((await (await server.get(`/ignition?mac=${macOf(0)}`)).json()) as { token: string }).token
  }
  const call = agentCall(server)
  await order('wipe', { withoutProof: true })
  const wiping = await boot()
  const dead = { name: 'sda', bytes: 960e9, serial: 'S1', holds: 'gpt on sda', own: 'unreadable' }
  await call('install', wiping, { action: 'install', disks: [dead], chosen: [], found: null })
  t.equal((await call('report', wiping, { stage: 'wiped' })).status, 204)
  await order('reinstall')
  const data = { name: 'sdb', bytes: 400e9, serial: 'DATA', holds: 'LVM2_member on sdb' }
  const asked = await call('install', await boot(), {
    action: 'install',
    disks: [dead, data],
    chosen: ['sdb'],
    found: null,
  })
  t.equal(asked.status, 409, asked.text)
  t.match(asked.text, /INSTALLED_ELSEWHERE.*installed on sda/)
})
