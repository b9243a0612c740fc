// Attacks on what signs for a site: taking it from a bundle, from the server's files, from its routes, or by a signing
// request that asks for more than the machine may be.

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import { assembleBundle } from '#server/agent/assemble.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { machineBundle, siteAuthority } from '#rack/cluster/bundle.ts'
import { run } from '#host/command.ts'
import { compileSite } from '#rack/site/compile.ts'
import { machineFiles, makeKey, testPki } from '../site-pki.ts'
import { machineNamed, smallSite } from '../small-site.ts'
import { testServer, type TestServer } from '../server/serving.ts'

t.setTimeout(120_000) // a busy machine takes its time

const pki = await testPki(t.testdir())
const authority = siteAuthority(pki)
const controller = machineBundle(smallSite, pki, machineNamed(smallSite, 'ctl-1'))

/** Texts by which a secret is known in a file: as it is, and a line of each private key. */
const known = [
  ...Object.values(authority.signers).map(({ key }) => key),
  ...Object.values(authority.secrets),
].map(text => text.split('\n').find(line => /^[\w+/=]{40,}$|secret: /.test(line.trim())) ?? text)

async function siteServer(t: Test): Promise<TestServer> {
  const server = await testServer(t)
  const admin = {
    authorization: `Bearer ${readFileSync(join(server.statePath, 'admin.token'), 'utf8').trim()}`,
  }
  const name = smallSite.name
  t.equal((await server.put(`/v1/sites/${name}`, compileSite(smallSite), admin)).status, 200)
  t.equal((await server.put(`/v1/sites/${name}/authority`, authority, admin)).status, 200)
  t.equal((await server.put('/v1/machines/ctl-1/bundle', controller, admin)).status, 200)
  return server
}

t.test('no bundle of a site holds the private key of a root authority', async t => {
  for (const machine of smallSite.machines) {
    const files = await machineFiles(smallSite, pki, machine)
    for (const [name, { key, certificate }] of Object.entries(pki.authorities)) {
      const body = key.split('\n')[1] ?? key
      for (const { path, content } of files) t.notOk(content.includes(body), `${name} in ${path}`)
      // Nor any other key that signs for it.
      const signer = new X509Certificate(certificate)
      const keys = files.filter(({ content }) => content.includes('PRIVATE KEY'))
      for (const { path, content } of keys) t.notOk(belongs(signer, content), `${name} and ${path}`)
    }
  }
})

t.test('the server keeps keys and secrets sealed: its files show none of them', async t => {
  const server = await siteServer(t)
  t.ok(known.length === 5 && known.every(text => text.length >= 40))
  const read = () =>
    readdirSync(server.statePath).map(name => [name, readFileSync(join(server.statePath, name), 'latin1')])
  for (const [name = '', text = ''] of read()) for (const line of known) t.notOk(text.includes(line), name)
  await server.close()
  const store = new SqliteStore(join(server.statePath, 'pilotlight.db'))
  const { kubelets } = (await store.secrets.authority(smallSite.name)) ?? {}
  store.close()
  const made = [kubelets?.client.key, kubelets?.server.key].map(key => key?.split('\n')[1] ?? '')
  t.ok(made.every(line => line.length === 64))
  known.push(...made)
  for (const [name = '', text = ''] of read()) for (const line of known) t.notOk(text.includes(line), name)
})

t.test('no route gives an authority or a bundle back, and only an admin puts one', async t => {
  const server = await siteServer(t)
  const admin = {
    authorization: `Bearer ${readFileSync(join(server.statePath, 'admin.token'), 'utf8').trim()}`,
  }
  for (const path of [`/v1/sites/${smallSite.name}/authority`, '/v1/machines/ctl-1/bundle']) {
    const answer = await server.get(path, admin)
    t.ok([404, 405].includes(answer.status), path)
    t.notMatch(await answer.text(), 'PRIVATE KEY', path)
  }
  const { token } = (await (
    await server.post('/v1/tokens', { name: 'reader', role: 'read-only' }, admin)
  ).json()) as { token: string }
  const reader = { authorization: `Bearer ${token}` }
  t.equal((await server.put(`/v1/sites/${smallSite.name}/authority`, authority, reader)).status, 403)
  const logged = JSON.stringify(server.records)
  for (const line of known) t.notOk(logged.includes(line), 'nor in the log')
})

t.test('a signer whose key is of another certificate is refused when it is put', async t => {
  const server = await siteServer(t)
  const admin = {
    authorization: `Bearer ${readFileSync(join(server.statePath, 'admin.token'), 'utf8').trim()}`,
  }
  const { ca, 'etcd-ca': etcd } = authority.signers
  const signers = { ...authority.signers, ca: { certificate: ca?.certificate ?? '', key: etcd?.key ?? '' } }
  const answer = await server.put(`/v1/sites/${smallSite.name}/authority`, { ...authority, signers }, admin)
  t.equal(answer.status, 400)
  t.match(await answer.text(), /signer .*ca.* do not belong together/)
})

t.test('a signing request chooses neither subject, nor names, nor usages', async t => {
  const [request] = controller.requests
  if (request === undefined) throw new Error('no request')
  const asked = ['-subj', '/O=system:masters/CN=root', '-addext', 'subjectAltName=DNS:api,IP:10.20.0.11']
  const more = [
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-addext',
    'extendedKeyUsage=serverAuth,clientAuth',
  ]
  const { stdout } = await run(
    'openssl',
    [
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      '/dev/null',
      ...asked,
      ...more,
    ],
    { limitSeconds: 10 },
  )
  const [made] = await assembleBundle(
    { ...controller, files: [], requests: [request], secrets: [] },
    authority,
    { [request.name]: stdout },
    Date.now(),
  )
  const certificate = new X509Certificate(made?.content ?? '')
  t.equal(certificate.subject, 'O=system:nodes\nCN=system:node:ctl-1')
  t.equal(certificate.subjectAltName, undefined)
  t.notOk(certificate.ca)
  t.strictSame(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2'], 'clientAuth alone')
})

t.test('a request that does not prove its key, or whose key is of another kind, is refused', async t => {
  const [request] = controller.requests
  if (request === undefined) throw new Error('no request')
  const description = { ...controller, files: [], requests: [request], secrets: [] }
  const assemble = (csr: string | undefined) =>
    assembleBundle(description, authority, csr === undefined ? {} : { [request.name]: csr }, Date.now())
  const [mine, other] = await Promise.all([makeKey(request), makeKey(request)])
  // The key of one request under the signature of another: what a stranger could make of a public key alone.
  const bytes = Buffer.from(mine.csr.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  bytes[bytes.length - 1]! ^= 1 // the last byte of the signature
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
  await t.rejects(assemble(forged), {
    code: 'BAD_REQUEST',
    message: /its signature is not of the key inside it/,
  })
  await t.rejects(assemble(other.key), { code: 'BAD_REQUEST', message: /not a certificate request/ })
  await t.rejects(assemble('x'.repeat(1000)), { code: 'BAD_REQUEST' })
  await t.rejects(assemble(undefined), { code: 'BAD_REQUEST', message: /"kubelet-client-ctl-1" is missing/ })
  const rsa = ['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', '/dev/null', '-subj', '/']
  const { stdout } = await run('openssl', rsa, { limitSeconds: 20 })
  await t.rejects(assemble(stdout), { code: 'BAD_REQUEST', message: /not an ECDSA key on P-256/ })
  await t.resolves(assemble(mine.csr))
})

t.test('a certificate is valid for clocks that are a year behind', async t => {
  const now = Date.now()
  const files = await machineFiles(smallSite, pki, machineNamed(smallSite, 'ctl-1'), now)
  for (const { path, content } of files.filter(file =>
    /(client|serving|tls|server|peer)\.crt$/.test(file.path),
  ))
    t.ok(new X509Certificate(content).validFromDate.getTime() <= now - 364 * 86_400_000, path)
})

t.test('an earlier store with bundles in clear is emptied of them when it is opened', async t => {
  const path = join(t.testdir(), 'pilotlight.db')
  const migrations = join(import.meta.dirname, '../../server/store/sqlite/migrations')
  const scripts = readdirSync(migrations).toSorted()
  const clear = scripts.findIndex(name => name.endsWith('-sealed.sql'))
  const earlier = new Sqlite(path)
  earlier.pragma('journal_mode = WAL')
  for (const name of scripts.slice(0, clear)) earlier.exec(readFileSync(join(migrations, name), 'utf8'))
  earlier.pragma(`user_version = ${clear}`)
  const secret = 'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg'
  for (const version of ['first', 'second'])
    earlier.prepare('REPLACE INTO bundles VALUES (?, ?)').run('ctl-1', `${version} ${secret}`.repeat(200))
  earlier.close()
  t.ok(readFileSync(path, 'latin1').includes(secret))

  const store = new SqliteStore(path)
  t.equal(await store.secrets.bundle('ctl-1'), undefined)
  for (const name of readdirSync(join(path, '..')))
    t.notOk(readFileSync(join(path, '..', name), 'latin1').includes(secret), name)
  store.close()
})

t.test(
  'a store whose key is missing or another is refused at the start, with the file and the way back',
  async t => {
    const directory = t.testdir()
    const path = join(directory, 'pilotlight.db')
    const store = new SqliteStore(path)
    await store.secrets.replaceAuthority('small', undefined, authority)
    store.close()
    writeFileSync(join(directory, 'store.key'), Buffer.alloc(32).toString('base64'))
    const wanted = {
      code: 'BROKEN_STATE',
      message: /store\.key is not the key of .*pilotlight\.db.*Restore/s,
    }
    t.throws(() => new SqliteStore(path), wanted)
    rmSync(join(directory, 'store.key'))
    t.throws(() => new SqliteStore(path), wanted)
    t.notOk(readdirSync(directory).includes('store.key'), 'no new key is made beside what another one sealed')
  },
)

function belongs(certificate: X509Certificate, files: string): boolean {
  const keys = files.match(/-----BEGIN (\w+ )?PRIVATE KEY-----[^-]+-----END (\w+ )?PRIVATE KEY-----/g) ?? []
  return keys.some(key => certificate.checkPrivateKey(createPrivateKey(key)))
}
