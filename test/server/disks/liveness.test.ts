import t from 'tap'
import { silentText } from '#server/disks/controllers.ts'
import { Liveness } from '#server/disks/liveness.ts'

t.test('a machine is heard for five minutes after each question, and after the start of the server', t => {
  let now = 1_000_000
  const liveness = new Liveness(() => now)
  now += 300_000
  t.ok(liveness.isHeard('ctl-1'), 'it may ask in a moment')
  now += 1
  t.notOk(liveness.isHeard('ctl-1'))
  liveness.heard('ctl-1')
  now += 300_000
  t.ok(liveness.isHeard('ctl-1'))
  t.notOk(liveness.isHeard('ctl-2'))
  now += 1
  t.notOk(liveness.isHeard('ctl-1'))
  t.end()
})

t.test('the kernel that was ready goes on while it asks, whatever boots in the name of its machine', t => {
  let now = 1_000_000
  const liveness = new Liveness(() => now)
  liveness.heard('ctl-1', { kernel: 'k1', isReady: false })
  t.notOk(liveness.isReadySince('ctl-1', 1000), 'it was not ready yet')
  liveness.heard('ctl-1', { kernel: 'k1', isReady: true })
  now += 500
  t.ok(liveness.isReadySince('ctl-1', 1000))
  t.notOk(liveness.isReadySince('ctl-1', 500), 'the boot may be its own')
  liveness.heard('ctl-1', { kernel: 'k2', isReady: false })
  t.notOk(liveness.isReadySince('ctl-1', 500), 'another start of the kernel')
  liveness.heard('ctl-1', { kernel: 'k1', isReady: false })
  t.ok(liveness.isReadySince('ctl-1', 500))
  liveness.began('ctl-1')
  t.notOk(liveness.isReadySince('ctl-1', 500), 'it reports that it starts')
  t.end()
})

const off = (name: string) => ({ name, runs: false, isSilent: true })

t.test('a refusal names those that are silent', t => {
  t.equal(silentText([{ name: 'ctl-1', runs: true, isSilent: false }]), '')
  t.match(silentText([off('ctl-2'), { name: 'ctl-1', runs: false, isSilent: false }]), /^ctl-2 has not asked/)
  t.match(silentText([off('ctl-2'), off('ctl-3')]), /^ctl-2, ctl-3 have not asked .* 5 minutes/)
  t.end()
})
