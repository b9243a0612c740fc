// The PKI, judged by the real openssl where it is about certificates.

import { X509Certificate } from 'node:crypto'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { certificatesOf } from '#rack/cluster/certificates.ts'
import { mintAdministrator, type Pki, ensurePki } from '#rack/cluster/pki.ts'
import { run } from '#host/command.ts'
import { passingKey } from '#host/seal.ts'
import { makeAuthority, makeSigningPair } from '#host/x509.ts'
import { absent } from '../../absent.ts'
import { machineNamed, smallSite } from '../../small-site.ts'
import { machineFiles, testKey, testPki } from '../../site-pki.ts'

const noOpenssl = absent('openssl')
const day = 24 * 60 * 60 * 1000
const openssl = async (...args: string[]) => (await run('openssl', args, { limitSeconds: 10 })).stdout

/** Every file of a directory with its content. */
async function contents(directory: string): Promise<Record<string, string>> {
  const names = await readdir(directory)
  const files = names.map(async name => [name, await readFile(join(directory, name), 'latin1')] as const)
  return Object.fromEntries(await Promise.all(files))
}

const subject = (certificate: string) => new X509Certificate(certificate).subject

/** Every private key and secret of a PKI. */
function secretsOf(pki: Pki): string[] {
  return [
    ...Object.values(pki.authorities).map(({ key }) => key),
    pki.serviceAccount.privateKey,
    pki.encryptionKey,
  ]
}

t.test(
  'openssl accepts every certificate for its purpose, under its own authority only',
  { skip: noOpenssl },
  async t => {
    const directory = t.testdir()
    const pki = await testPki(directory)
    const flags = { server: 'sslserver', client: 'sslclient' }
    const machine = machineNamed(smallSite, 'ctl-1')
    const files = await machineFiles(smallSite, pki, machine)
    for (const { name, signer, purposes, certificate } of certificatesOf(smallSite, machine)) {
      const path = join(directory, 'leaf.pem')
      await writeFile(path, files.find(file => file.path === certificate)?.content ?? '')
      const at = (file: string) => join(directory, `${file}.crt`)
      for (const other of ['ca', 'etcd-ca', 'front-proxy-ca']) {
        const verified = openssl('verify', '-CAfile', at(other), path)
        if (other === signer) await t.resolves(verified, `${name} is signed by ${other}`)
        else await t.rejects(verified, `${name} is not signed by ${other}`)
      }
      for (const purpose of ['server', 'client'] as const) {
        const verified = openssl('verify', '-purpose', flags[purpose], '-CAfile', at(signer), path)
        if (purposes.includes(purpose)) await t.resolves(verified, `${name} is good as ${purpose}`)
        else await t.rejects(verified, `${name} is not good as ${purpose}`)
      }
    }
  },
)

t.test('the API server is named by every name under which it is reached', { skip: noOpenssl }, async t => {
  const files = await machineFiles(smallSite, await testPki(t.testdir()), machineNamed(smallSite, 'ctl-1'))
  const certificate = files.find(({ path }) => path === '/etc/kubernetes/kube-apiserver/tls.crt')
  const names = new X509Certificate(certificate?.content ?? '').subjectAltName?.split(', ') ?? []
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

t.test(
  'a kubelet is a node by name and group, an administrator is not a system:masters',
  { skip: noOpenssl },
  async t => {
    const pki = await testPki(t.testdir())
    const files = await machineFiles(smallSite, pki, machineNamed(smallSite, 'cmp-1'))
    const kubelet = files.find(({ path }) => path === '/etc/kubernetes/kubelet/client.crt')
    t.equal(subject(kubelet?.content ?? ''), 'O=system:nodes\nCN=system:node:cmp-1')
    t.equal(subject(pki.admin.certificate), 'O=pilotlight:admins\nCN=pilotlight-admin')
    const breakGlass = await mintAdministrator(pki.authorities.ca, 'break-glass')
    t.equal(subject(breakGlass.certificate), 'O=system:masters\nCN=pilotlight-break-glass')
  },
)

t.test('an administrator is minted anew for eight hours, and kept nowhere', async t => {
  const directory = t.testdir()
  const [first, second] = [await testPki(directory), await testPki(directory)]
  t.not(first.admin.key, second.admin.key)
  for (const { certificate } of [first.admin, await mintAdministrator(first.authorities.ca, 'break-glass')]) {
    const { validToDate, validFromDate } = new X509Certificate(certificate)
    t.ok(validToDate.getTime() <= Date.now() + 8.01 * 60 * 60 * 1000, validToDate.toISOString())
    t.ok(validToDate.getTime() - validFromDate.getTime() <= 9 * 60 * 60 * 1000)
  }
  t.notOk((await readdir(directory)).some(name => /admin|break/.test(name)))
})

t.test('only the owner can read the directory, and no file in it shows a secret', async t => {
  const directory = t.testdir()
  await chmod(directory, 0o755)
  const pki = await testPki(directory)
  t.equal((await stat(directory)).mode & 0o777, 0o700)
  for (const [name, text] of Object.entries(await contents(directory))) {
    t.equal((await stat(join(directory, name))).mode & 0o777, 0o600, name)
    t.notMatch(text, 'PRIVATE KEY', name)
    for (const secret of secretsOf(pki)) t.notOk(text.includes(secret.trim()), name)
  }
})

t.test('a second run changes nothing and says so', async t => {
  const directory = t.testdir()
  const first = await testPki(directory)
  t.ok(first.changes.includes('ca: made, good for 10 years'))
  const before = await contents(directory)
  const second = await testPki(directory)
  t.strictSame(second.changes, [])
  t.strictSame(await contents(directory), before)
  t.strictSame(second, { ...first, admin: second.admin, changes: [] })
})

t.test('authorities are valid for clocks that are years behind, whenever they were made', async t => {
  const { authorities } = await testPki(t.testdir(), Date.now() + 400 * day)
  for (const { certificate } of Object.values(authorities))
    t.ok(new X509Certificate(certificate).validFromDate.getTime() < Date.now() - 5 * 365 * day)
})

t.test('a lost authority, service account key or encryption key is reported, not replaced', async t => {
  for (const name of ['ca.key.sealed', 'ca.crt', 'etcd-ca.crt', 'sa.key.sealed', 'encryption.key.sealed']) {
    const directory = t.testdir()
    await testPki(directory)
    await rm(join(directory, name))
    const before = await contents(directory)
    await t.rejects(testPki(directory), { code: 'PKI_DAMAGED' }, name)
    t.strictSame(await contents(directory), before, 'nothing was changed')
  }
})

t.test('another key opens nothing and changes nothing', async t => {
  const directory = t.testdir()
  await testPki(directory)
  const before = await contents(directory)
  await t.rejects(ensurePki(directory, passingKey()), {
    code: 'SEALED',
    message: /does not open with the key/,
  })
  t.strictSame(await contents(directory), before)
})

t.test('an authority of another PKI is reported, not trusted', async t => {
  const root = t.testdir()
  const [ours, other] = [join(root, 'ours'), join(root, 'other')]
  await testPki(ours)
  await testPki(other)
  await writeFile(join(ours, 'ca.crt'), await readFile(join(other, 'ca.crt')))
  await t.rejects(testPki(ours), { message: /ca\.crt and ca\.key do not belong together/ })
})

t.test('what an interrupted first run left behind does not matter', async t => {
  const directory = t.testdir({ 'etcd-ca.key': 'half', 'sa.key': 'half' })
  await t.resolves(testPki(directory))
  t.notOk((await readdir(directory)).some(name => name.endsWith('.key')))
})

t.test('a directory of an earlier version, in clear, is sealed with the keys that it has', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'pki-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const keep = (name: string, text: string) => writeFile(join(directory, name), text, { mode: 0o600 })
  const validity = { notBefore: Date.now() - day, notAfter: Date.now() + 1000 * day }
  const made: Record<string, string> = {}
  for (const name of ['ca', 'etcd-ca', 'front-proxy-ca', 'admin', 'kubelet-client-ctl-1']) {
    const pair = await makeAuthority({ commonName: name }, validity)
    made[name] = pair.key
    await keep(`${name}.crt`, pair.certificate)
    await keep(`${name}.key`, pair.key)
  }
  const account = makeSigningPair()
  await keep('sa.key', account.privateKey)
  await keep('sa.pub', account.publicKey)
  await keep('encryption.key', `${Buffer.alloc(32, 7).toString('base64')}\n`)

  const pki = await ensurePki(directory, testKey)
  for (const name of ['ca', 'etcd-ca', 'front-proxy-ca'] as const)
    t.equal(pki.authorities[name].key, made[name])
  t.strictSame(pki.serviceAccount, account)
  t.equal(pki.encryptionKey, Buffer.alloc(32, 7).toString('base64'))
  const after = await contents(directory)
  for (const [name, text] of Object.entries(after)) t.notMatch(text, 'PRIVATE KEY', name)
  t.notOk('admin.crt' in after || 'kubelet-client-ctl-1.crt' in after, 'nor certificates without a key')
  t.strictSame((await ensurePki(directory, testKey)).changes, [])
})
