// The signers of kubelet certificates: how long they live, what follows them, and what trusts them meanwhile.

import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { Authorities } from '#server/agent/authorities.ts'
import { signsUntil, withSigners } from '#server/agent/signers.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { makeAuthority } from '#host/x509.ts'
import { site } from '../serving.ts'

const day = 86_400_000
const start = Date.UTC(2027, 0, 1)
const ca = await makeAuthority({ commonName: 'ca' }, { notBefore: start - day, notAfter: start + 4000 * day })
const given = { signers: { ca }, secrets: { 'service-account.key': 'secret' } }

t.test('signers live for at most 90 days, each for one purpose', async t => {
  const { kubelets, secrets } = await withSigners(given, undefined, start)
  for (const [usage, signer] of [
    ['1.3.6.1.5.5.7.3.2', kubelets?.client],
    ['1.3.6.1.5.5.7.3.1', kubelets?.server],
  ] as const) {
    const {
      validToDate,
      validFromDate,
      ca: isAuthority,
      keyUsage,
    } = new X509Certificate(signer?.certificate ?? '')
    t.ok(isAuthority)
    t.strictSame(keyUsage, [usage])
    t.ok(validToDate.getTime() - validFromDate.getTime() <= 90 * day)
  }
  t.equal(secrets['service-account.key'], 'secret')
  t.equal(secrets['client-ca.crt'], ca.certificate + (kubelets?.client.certificate ?? ''))
  t.equal(secrets['kubelet-ca.crt'], ca.certificate + (kubelets?.server.certificate ?? ''))
})

t.test('a signer gets a successor at 30 days, and is trusted until its own end', async t => {
  const first = await withSigners(given, undefined, start)
  t.strictSame(await withSigners(given, first, start + 29 * day), first)
  const second = await withSigners(given, first, start + 31 * day)
  t.not(second.kubelets?.client.key, first.kubelets?.client.key)
  t.strictSame(second.kubelets?.client.earlier, [first.kubelets?.client.certificate])
  t.match(second.secrets['client-ca.crt'], first.kubelets?.client.certificate)
  t.equal(signsUntil(second), start + 120 * day)
  const third = await withSigners(given, second, start + 93 * day)
  t.strictSame(third.kubelets?.client.earlier, [second.kubelets?.client.certificate], 'the first one is over')
})

t.test('a signer that was made by a clock far ahead is replaced, and not trusted for ever', async t => {
  const ahead = await withSigners(given, undefined, start + 400 * day)
  const right = await withSigners(given, ahead, start)
  t.not(right.kubelets?.server.certificate, ahead.kubelets?.server.certificate)
  t.ok((signsUntil(right) ?? 0) <= start + 90 * day)
})

t.test(
  'an authority that is put again keeps its signers, and old ones get successors by themselves',
  async t => {
    const store = new SqliteStore(':memory:')
    t.teardown(() => store.close())
    let now = start
    const authorities = new Authorities(store.secrets, () => now)
    await store.objects.putSite('rack-1', site, { who: 'test', at: now })
    const first = await authorities.put('rack-1', given)
    t.strictSame(first, { changed: true, signsUntil: start + 89 * day })
    now += day
    t.strictSame(await authorities.put('rack-1', given), { ...first, changed: false })
    t.strictSame(await authorities.renewSigners(), [])
    now += 30 * day
    t.strictSame(await authorities.renewSigners(), ['rack-1'])
    t.equal((await store.secrets.authority('rack-1'))?.kubelets?.client.earlier.length, 1)
    const both = await Promise.all([authorities.put('rack-1', given), authorities.renewSigners()])
    t.match(both, [{ changed: false }, []])
  },
)
