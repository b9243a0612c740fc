// Renewal of a machine that runs, and attacks on it: without its token's boot, its key, or the right answer.

import { X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Authorities } from '#server/agent/authorities.ts'
import { Renewal } from '#server/agent/renewal.ts'
import type { Occurrence } from '#server/machines/occurrences.ts'
import type { MachineKey } from '#model/machine-key.ts'
import type { MachineBoot, Recipient } from '#server/store/machine-records.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { machineBundle, siteAuthority } from '#rack/cluster/bundle.ts'
import { run } from '#host/command.ts'
import { compileSite } from '#rack/site/compile.ts'
import { machineKey } from '../machine-key.ts'
import { whyNoNetworks } from '../network.ts'
import { makeKey, testPki } from '../site-pki.ts'
import { machineNamed, smallSite } from '../small-site.ts'
import { bootTo, CTL_1, laySegment, redeem, siteOf, trusting } from './segment.ts'

t.setTimeout(120_000) // a busy machine takes its time

const day = 86_400_000
const machine = machineNamed(smallSite, 'ctl-1')
const pki = await testPki(t.testdir())
const description = machineBundle(smallSite, pki, machine)
const keys = await Promise.all(description.requests.map(makeKey))
const csrs = Object.fromEntries(keys.map(({ name, csr }) => [name, csr]))

const putBoot = ({ machines }: SqliteStore, boot: MachineBoot) =>
  machines.change(boot.machine, record => record.putBoot(boot))
const putKey = ({ machines }: SqliteStore, key: MachineKey) =>
  machines.change(key.machine, record => record.putKey(key))
const spendBoot = ({ machines }: SqliteStore, name: string, boot: string, at: number, to?: Recipient) =>
  machines.change(name, record => record.spend(boot, at, to))

async function begun() {
  const store = new SqliteStore(':memory:')
  let now = Date.now()
  const authorities = new Authorities(store.secrets, () => now)
  await store.objects.putSite(smallSite.name, compileSite(smallSite), { who: 'test', at: now })
  await authorities.put(smallSite.name, siteAuthority(pki))
  await store.secrets.putBundle('ctl-1', description)
  const key = await machineKey()
  await putBoot(store, { machine: 'ctl-1', boot: 'b-0001', tokens: 1, proven: true, key: key.recipient })
  const alarms: Occurrence[] = []
  const clocks = { wall: () => now, steady: () => now }
  const renewal = new Renewal({
    store: store.machines,
    secrets: store.secrets,
    clocks,
    machineOf: () => machine,
    alarms: { raise: alarm => void alarms.push(alarm) },
  })
  const token = { hash: 'x', machine: 'ctl-1', boot: 'b-0001', until: 0 }
  const who = { token, machine, mac: machine.macs[0] ?? '', address: '10.20.0.11' }
  return { store, key, renewal, who, alarms, authorities, pass: (ms: number) => (now += ms) }
}

t.test('gives certificates for the keys that the machine has, and the successors of signers', async t => {
  const { store, key, renewal, who, authorities, pass } = await begun()
  await t.rejects(renewal.offer(who), { code: 'NOT_DELIVERED' }, 'not before the bundle')
  t.ok(await spendBoot(store, 'ctl-1', 'b-0001', Date.now()))
  pass(31 * day)
  t.strictSame(await authorities.renewSigners(), [smallSite.name])
  const { challenge, requests } = await renewal.offer(who)
  t.equal(requests.length, 11)
  const { sealed } = await renewal.renew(who, { answer: await key.open(challenge), csrs })

  const folder = t.testdir()
  writeFileSync(join(folder, 'renewed.tar'), await key.openBytes(sealed))
  const { stdout } = await run('tar', ['-tf', join(folder, 'renewed.tar')], { limitSeconds: 10 })
  const paths = stdout.trim().split('\n')
  t.strictSame(
    paths
      .filter(path => !description.requests.some(({ certificate }) => certificate === `/${path}`))
      .toSorted(),
    [
      'etc/kubernetes/kube-apiserver/client-ca.crt',
      'etc/kubernetes/kube-apiserver/kubelet-ca.crt',
      ...['client', 'serving'].flatMap(kind =>
        ['crt', 'key'].map(it => `etc/kubernetes/kube-controller-manager/kubelet-${kind}-signer.${it}`),
      ),
    ],
    'and neither the service account key nor the encryption key',
  )
  await run('tar', ['-xf', 'renewed.tar'], { limitSeconds: 10, cwd: folder })
  const read = (path: string) => readFileSync(join(folder, path), 'utf8')
  const server = keys.find(({ name }) => name === 'apiserver-ctl-1')
  const certificate = new X509Certificate(read('etc/kubernetes/kube-apiserver/tls.crt'))
  const { stdout: own } = await run('openssl', ['pkey', '-pubout'], {
    input: server?.key ?? '',
    limitSeconds: 10,
  })
  t.equal(certificate.publicKey.export({ type: 'spki', format: 'pem' }), own, 'for the key that it has')
  t.ok(certificate.validToDate.getTime() > Date.now() + 390 * day)
  t.equal(read('etc/kubernetes/kube-apiserver/client-ca.crt').split('BEGIN CERTIFICATE').length - 1, 3)
  t.ok(((await store.machines.signings()).get('ctl-1')?.until ?? 0) > Date.now() + 115 * day)
})

t.test('refuses another answer, an answer used twice, and a rejected key', async t => {
  const { store, key, renewal, who, alarms } = await begun()
  await spendBoot(store, 'ctl-1', 'b-0001', Date.now())
  const { challenge } = await renewal.offer(who)
  await t.rejects(renewal.renew(who, { answer: 'guessed', csrs }), { code: 'WRONG_ANSWER' })
  t.match(alarms, [{ kind: 'refused', machine: 'ctl-1', text: /answered the challenge of ctl-1 wrongly/ }])
  const answer = await key.open(challenge)
  await t.resolves(renewal.renew(who, { answer, csrs }))
  await t.rejects(renewal.renew(who, { answer, csrs }), { code: 'WRONG_ANSWER' })

  const seen = { boot: 'b-0001', address: '10.20.0.11', mac: who.mac, why: 'lost', seenAt: 1 }
  const shown = { machine: 'ctl-1', fingerprint: 'SHA256:x', recipient: key.recipient }
  await putKey(store, { ...shown, ...seen, state: 'rejected' })
  await t.rejects(renewal.offer(who), { code: 'KEY_REFUSED', message: /is rejected/ })
})

t.test('refuses a key that is rejected, and a boot that ends, while what is renewed is signed', async t => {
  const { store, key, renewal, who } = await begun()
  await spendBoot(store, 'ctl-1', 'b-0001', Date.now())
  const asked = async () => {
    const { challenge } = await renewal.offer(who)
    const answer = await key.open(challenge)
    const renewed = renewal.renew(who, { answer, csrs })
    renewed.catch(() => undefined) // looked at later
    return { renewed }
  }
  const seen = { boot: 'b-0001', address: '10.20.0.11', mac: who.mac, why: 'lost', seenAt: 1 }
  const shown = { machine: 'ctl-1', fingerprint: 'SHA256:x', recipient: key.recipient, ...seen }
  const rejected = await asked()
  await putKey(store, { ...shown, state: 'rejected' })
  await t.rejects(rejected.renewed, { code: 'KEY_REFUSED', message: /is rejected/ })
  await putKey(store, { ...shown, state: 'approved' })
  const ended = await asked()
  await putBoot(store, { machine: 'ctl-1', boot: 'b-0002', tokens: 1, proven: true })
  await spendBoot(store, 'ctl-1', 'b-0002', Date.now(), { token: 'y', key: 'age1', fingerprint: 'SHA256:y' })
  await t.rejects(ended.renewed, { code: 'TOKEN_EXPIRED' })
})

t.test('refuses the token of a boot that has no bundle, whatever earlier boots had', async t => {
  const { store, renewal, who } = await begun()
  await spendBoot(store, 'ctl-1', 'b-0001', Date.now())
  const later = { ...who, token: { ...who.token, boot: 'b-0002' } }
  await t.rejects(renewal.offer(later), { code: 'NOT_DELIVERED' })
})

t.test(
  'a key that was approved in place of its own ends no renewal before the other has a bundle',
  async t => {
    const { store, key, renewal, who } = await begun()
    await spendBoot(store, 'ctl-1', 'b-0001', Date.now(), {
      token: 'x',
      key: key.recipient,
      fingerprint: 'SHA256:own',
    })
    const seen = { machine: 'ctl-1', address: '10.20.0.11', mac: who.mac, why: 'seen', seenAt: 1 }
    const own = { ...seen, fingerprint: 'SHA256:own', recipient: key.recipient, boot: 'b-0001' }
    await putKey(store, { ...own, state: 'approved' })
    await putKey(store, {
      ...seen,
      fingerprint: 'SHA256:x',
      recipient: 'x',
      boot: 'b-0002',
      state: 'approved',
    })
    await t.resolves(renewal.offer(who))
    await putKey(store, { ...own, recipient: 'shown with another', boot: 'b-0003', state: 'pending' })
    await t.resolves(renewal.offer(who), 'nor that someone shows it')
    await putKey(store, { ...own, recipient: 'shown with another', state: 'rejected' })
    await t.rejects(renewal.offer(who), { code: 'KEY_REFUSED' })
  },
)

t.test(
  'a machine that runs renews and reports while a copier waits and after it was opened',
  { skip: whyNoNetworks() },
  async t => {
    const site = siteOf({}, trusting({ level: 'L2', approve: 'first-boot', reboot: 'same-key' }))
    const segment = await laySegment(t, site)
    const files = [{ path: '/etc/secret', mode: 0o600, content: 'secret' }]
    await segment.put('/v1/machines/ctl-1/bundle', files)
    const [node, copier] = [await segment.host(), await segment.host()]
    const token = await bootTo(node, CTL_1)
    t.equal((await redeem(node, token)).status, 200)
    await node.agent('report', token, { stage: 'ready' })
    const goesOn = async (title: string) => {
      t.match(await node.agent('renew', token, {}), { status: 200 }, `renews ${title}`)
      t.match(await node.agent('report', token, { stage: 'ready' }), { status: 204 }, `reports ${title}`)
    }
    await segment.post('/v1/machines/ctl-1/reopen', {})
    await goesOn('after it was opened')
    await node.do({ do: 'address', address: '10.20.0.240/24' })
    const stolen = await bootTo(copier, CTL_1)
    await copier.agent('report', stolen, { stage: 'ready' })
    await copier.agent('enroll', stolen, { key: (await machineKey()).recipient })
    await copier.do({ do: 'address', address: '10.20.0.77/24' })
    await node.do({ do: 'address', address: '10.20.0.11/24' })
    await goesOn('while another one waits')
    await segment.restart()
    await goesOn('after a restart of the server')
  },
)
