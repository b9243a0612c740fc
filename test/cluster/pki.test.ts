// The PKI, judged by the real openssl where it is about certificates.

import { X509Certificate } from 'node:crypto'
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { certificatesOf } from '#cluster/certificates.ts'
import { ensurePki } from '#cluster/pki.ts'
import { run } from '#host/command.ts'
import { smallSite, withMachine } from '../small-site.ts'

const day = 24 * 60 * 60 * 1000
const openssl = async (...args: string[]) => (await run('openssl', args, { limitSeconds: 10 })).stdout
const noOpenssl = await openssl('version').then(
  () => false as const,
  () => 'openssl is not installed',
)

/** Every file of a directory with its content. */
async function contents(directory: string): Promise<Record<string, string>> {
  const names = await readdir(directory)
  const files = names.map(async name => [name, await readFile(join(directory, name), 'utf8')] as const)
  return Object.fromEntries(await Promise.all(files))
}

t.test(
  'openssl accepts every certificate for its purpose, under its own authority only',
  { skip: noOpenssl },
  async t => {
    const directory = t.testdir()
    await ensurePki(smallSite, directory)
    const flags = { server: 'sslserver', client: 'sslclient' }
    for (const { name, authority, purposes } of certificatesOf(smallSite)) {
      const at = (file: string) => join(directory, `${file}.crt`)
      for (const other of ['ca', 'etcd-ca', 'front-proxy-ca']) {
        const verified = openssl('verify', '-CAfile', at(other), at(name))
        if (other === authority) await t.resolves(verified, `${name} is signed by ${other}`)
        else await t.rejects(verified, `${name} is not signed by ${other}`)
      }
      for (const purpose of ['server', 'client'] as const) {
        const verified = openssl('verify', '-purpose', flags[purpose], '-CAfile', at(authority), at(name))
        if (purposes.includes(purpose)) await t.resolves(verified, `${name} is good as ${purpose}`)
        else await t.rejects(verified, `${name} is not good as ${purpose}`)
      }
    }
  },
)

t.test('the API server is named by every name under which it is reached', { skip: noOpenssl }, async t => {
  const directory = t.testdir()
  await ensurePki(smallSite, directory)
  const text = await openssl(
    'x509',
    '-in',
    join(directory, 'apiserver.crt'),
    '-noout',
    '-ext',
    'subjectAltName',
  )
  const names = text.split('\n')[1]?.trim().split(', ') ?? []
  t.strictSame(names.toSorted(), [
    'DNS:ctl-1',
    'DNS:kubernetes',
    'DNS:kubernetes.default',
    'DNS:kubernetes.default.svc',
    'DNS:kubernetes.default.svc.cluster.local',
    'DNS:localhost',
    'IP Address:10.20.0.11',
    'IP Address:10.3.0.1',
    'IP Address:127.0.0.1',
  ])
})

t.test('a kubelet is a node by name and group, an administrator is not a system:masters', async t => {
  const pki = await ensurePki(smallSite, t.testdir())
  const subject = (name: string) => new X509Certificate(pki.leaves.get(name)?.certificate ?? '').subject
  t.equal(subject('kubelet-client-cmp-1'), 'O=system:nodes\nCN=system:node:cmp-1')
  t.equal(subject('admin'), 'O=pilotlight:admins\nCN=pilotlight-admin')
  t.equal(subject('break-glass'), 'O=system:masters\nCN=pilotlight-break-glass')
})

t.test('only the owner can read the directory and its files', async t => {
  const directory = t.testdir()
  await chmod(directory, 0o755)
  await ensurePki(smallSite, directory)
  t.equal((await stat(directory)).mode & 0o777, 0o700)
  for (const name of await readdir(directory)) {
    t.equal((await stat(join(directory, name))).mode & 0o777, 0o600, name)
  }
})

t.test('a second run changes nothing and says so', async t => {
  const directory = t.testdir()
  const first = await ensurePki(smallSite, directory)
  t.ok(first.changes.includes('apiserver: new'))
  const before = await contents(directory)
  const second = await ensurePki(smallSite, directory)
  t.strictSame(second.changes, [])
  t.strictSame(await contents(directory), before)
  t.strictSame(second, { ...first, changes: [] })
})

t.test('a machine added later gets its certificates, and all others stay', async t => {
  const directory = t.testdir()
  await ensurePki(smallSite, directory)
  const before = await contents(directory)
  const { changes } = await ensurePki(withMachine(smallSite, 'cmp-2', '10.20.0.13'), directory)
  t.strictSame(changes, ['kubelet-client-cmp-2: new', 'kubelet-serving-cmp-2: new'])
  t.match(await contents(directory), before)
})

t.test('leaves are renewed when a third of their year is left, authorities are not', async t => {
  const directory = t.testdir()
  const start = Date.now()
  const first = await ensurePki(smallSite, directory, start)
  t.strictSame((await ensurePki(smallSite, directory, start + 240 * day)).changes, [])
  const later = await ensurePki(smallSite, directory, start + 250 * day)
  t.equal(later.changes.length, certificatesOf(smallSite).length)
  t.ok(later.changes.includes('admin: less than a third of its life is left (115 days)'))
  t.strictSame(later.authorities, first.authorities)
  t.strictSame(later.serviceAccount, first.serviceAccount)
})

t.test('a certificate that must name something else is made anew, with the reason', async t => {
  const directory = t.testdir()
  await ensurePki(smallSite, directory)
  const moved = { ...smallSite, cluster: { ...smallSite.cluster, apiAddress: '10.20.0.10' } }
  const { changes } = await ensurePki(moved, directory)
  t.strictSame(changes, ['apiserver: must also name IP Address:10.20.0.10'])
})

t.test('a lost authority, service account key or encryption key is told, not replaced', async t => {
  for (const name of ['ca.key', 'ca.crt', 'etcd-ca.crt', 'sa.key', 'encryption.key']) {
    const directory = t.testdir()
    await ensurePki(smallSite, directory)
    await rm(join(directory, name))
    const before = await contents(directory)
    await t.rejects(ensurePki(smallSite, directory), { code: 'PKI_DAMAGED' }, name)
    t.strictSame(await contents(directory), before, 'nothing was changed')
  }
})

t.test('a certificate of another authority is told, not trusted', async t => {
  const [ours, other] = [join(t.testdir(), 'ours'), join(t.testdir(), 'other')]
  await ensurePki(smallSite, ours)
  await ensurePki(smallSite, other)
  await writeFile(join(ours, 'admin.crt'), await readFile(join(other, 'admin.crt')))
  await t.rejects(ensurePki(smallSite, ours), { message: /admin\.crt was not signed by ca\.crt/ })
})

t.test('what an interrupted first run left behind is no obstacle', async t => {
  const directory = t.testdir({ 'etcd-ca.key': 'half', 'sa.key': 'half' })
  await t.resolves(ensurePki(smallSite, directory))
})
