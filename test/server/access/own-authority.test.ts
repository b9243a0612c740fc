import t from 'tap'
import { X509Certificate } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { serverIdentity } from '#server/access/own-authority.ts'

const DAY_MS = 86_400_000
const now = Date.parse('2026-11-21T12:00:00Z')

t.test('the certificate is renewed in the last third of its year, the authority is kept', async t => {
  const path = join(t.testdir(), 'state')
  const first = await serverIdentity(path, '10.20.0.1', now)
  const ca = new X509Certificate(first.ca)
  const leaf = new X509Certificate(first.certificate)
  t.ok(leaf.verify(ca.publicKey))
  t.equal(leaf.checkIP('10.20.0.1'), '10.20.0.1')
  t.ok(ca.validToDate.getTime() > now + 3600 * DAY_MS)

  t.same(await serverIdentity(path, '10.20.0.1', now + 200 * DAY_MS), first, 'young enough')
  const renewed = await serverIdentity(path, '10.20.0.1', now + 260 * DAY_MS)
  t.equal(renewed.ca, first.ca)
  t.not(renewed.certificate, first.certificate)
  t.ok(new X509Certificate(renewed.certificate).validToDate.getTime() > now + 600 * DAY_MS)

  const moved = await serverIdentity(path, '10.20.1.1', now + 261 * DAY_MS)
  t.equal(
    new X509Certificate(moved.certificate).checkIP('10.20.1.1'),
    '10.20.1.1',
    'another address, another one',
  )
  t.same(readdirSync(path).toSorted(), ['agent.crt', 'agent.key', 'ca.crt', 'ca.key'])
})
