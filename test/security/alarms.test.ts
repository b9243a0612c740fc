// Alarms and the audit log under attack: a sender repeats what is refused, and neither list grows with it.

import t from 'tap'
import type { Alarm } from '#model/alarm.ts'
import { whyNoNetworks } from '../network.ts'
import { bootTo, CTL_1, HTTP, laySegment, siteOf, trusting } from './segment.ts'

t.setTimeout(300_000) // it lays a segment and starts a server, while others use the machine
const skip = whyNoNetworks()
const [MAC = ''] = CTL_1.macs

t.test('a thousand refusals are one alarm that counts them, and no audit entry', { skip }, async t => {
  const segment = await laySegment(t, siteOf({}, trusting({ level: 'L1' })))
  await segment.put('/v1/machines/ctl-1/bundle', [{ path: '/etc/a', mode: 384, content: 'the secret' }])
  await bootTo(await segment.host(), CTL_1)
  const intruder = await segment.host()
  await intruder.do({ do: 'address', address: '10.20.0.77' })
  const list = async () => {
    const { items } = JSON.parse(await segment.read('/v1/alarms?code=PL-7001')) as { items: Alarm[] }
    return items
  }
  for (let at = 0; at < 1000; at += 1) await intruder.get(`/ignition?mac=${MAC}&serial=${at}`)
  const alarms = await list()
  t.match(alarms, [{ id: 'PL-7001:machine:ctl-1', severity: 'major', state: 'active', count: 1000 }])
  t.equal(alarms.length, 1)
  t.match(alarms[0]?.reason, /^10\.20\.0\.77 asked for the config of ctl-1/)

  for (let at = 0; at < 200; at += 1) {
    await intruder.agent('bundle', `wrong-${at}`, { answer: 'x' })
    await intruder.do({ do: 'fetch', method: 'DELETE', url: `${HTTP}/v1/tokens/bootstrap` })
  }
  const audit = await segment.read('/v1/audit')
  t.strictSame(
    (JSON.parse(audit) as { items: { action: string }[] }).items.map(({ action }) => action),
    ['machine.bundle', 'site.put'],
  )
  t.notMatch(audit, 'the secret')
})

t.test('alarms and what was acknowledged outlive the server', { skip }, async t => {
  const segment = await laySegment(t, siteOf({}, trusting({ level: 'L1' })))
  await segment.put('/v1/machines/ctl-1/bundle', [])
  await bootTo(await segment.host(), CTL_1)
  const intruder = await segment.host()
  await intruder.do({ do: 'address', address: '10.20.0.77' })
  await intruder.get(`/ignition?mac=${MAC}`)
  const id = 'PL-7001:machine:ctl-1'
  t.equal((await segment.post(`/v1/alarms/${id}/acknowledge`, {})).status, 200)
  await segment.restart()
  t.match(JSON.parse(await segment.read(`/v1/alarms/${id}`)), {
    state: 'acknowledged',
    acknowledged: { who: 'bootstrap' },
  })
  t.match(JSON.parse(await segment.read('/v1/audit')), { items: [{ action: 'alarm.acknowledge' }] })
})
