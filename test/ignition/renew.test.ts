// The agent's whole way to its certificates against a real server: enrolls its key, fetches the bundle, and renews it. It
// runs in its own mount namespace, whose /etc and /run are folders of the test.

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { machineBundle, siteAuthority } from '#rack/cluster/bundle.ts'
import { run } from '#host/command.ts'
import { compileSite } from '#rack/site/compile.ts'
import { testPki } from '../site-pki.ts'
import { testServer } from '../server/serving.ts'
import { machineNamed, smallSite } from '../small-site.ts'

const agent = readFileSync(join(import.meta.dirname, '../../ignition/scripts/agent'), 'utf8')
const missing: string[] = []
for (const name of ['jq', 'age', 'openssl', 'setpriv', 'unshare'])
  await run('sh', ['-c', `command -v ${name}`], { limitSeconds: 5 }).catch(() => missing.push(name))
const skip =
  process.getuid?.() !== 0 ? 'needs root' : missing.length > 0 ? `needs ${missing.join(', ')}` : false

const pki = await testPki(t.testdir())

t.test(
  'a controller makes its keys, fetches its bundle, and renews its certificates',
  { skip, timeout: 120_000 },
  async t => {
    const root = t.testdir({
      profiles: { 'controller.json': '{"id":"controller","ignition_id":"a.ign.njk","boot":{"kernel":"/k"}}' },
      ignition: { 'a.ign.njk': '{"ignition":{"version":"3.4.0"},"token":{{ agent.token | json }}}' },
      machine: { etc: { pilotlight: {} }, run: {} },
    })
    const statePath = join(root, 'state')
    const server = await testServer(t, { dataPath: root, statePath })
    const site = compileSite(smallSite)
    const put = async (path: string, body: unknown) =>
      t.equal((await server.put(path, body, server.admin)).status, 200, path)
    await put(`/v1/sites/${smallSite.name}`, site)
    await put(`/v1/sites/${smallSite.name}/authority`, siteAuthority(pki))
    const description = machineBundle(smallSite, pki, machineNamed(smallSite, 'ctl-1'))
    await put('/v1/machines/ctl-1/bundle', description)

    const mac = '52-54-00-20-00-01'
    await server.get(`/ipxe?mac=${mac}`)
    const { token } = (await (await server.get(`/ignition?mac=${mac}`)).json()) as { token: string }
    const machine = join(root, 'machine')
    const keep = (name: string, text: string) => writeFileSync(join(machine, 'etc/pilotlight', name), text)
    keep('agent.env', `AGENT_URL=${server.agentUrl}\nMACHINE=ctl-1\nROLE=controller\nBUNDLE=yes\n`)
    keep('authorization', `Authorization: Bearer ${token}\n`)
    keep('ca.crt', readFileSync(join(statePath, 'ca.crt'), 'utf8'))
    mkdirSync(join(machine, 'run/pilotlight-agent'), { recursive: true })
    const inMachine = (text: string, ...args: string[]) => {
      const prepare = `mount --bind "$0/etc" /etc && mount --bind "$0/run" /run && exec bash -c "$1" agent "\${@:2}"`
      const inside = ['--mount', 'bash', '-c', prepare, machine, text, ...args]
      return run('unshare', inside, { limitSeconds: 60 })
    }
    const fetchOnly = agent.replace(/^main$/m, 'fetch_bundle || { echo "$reason"; exit 1; }')

    await t.rejects(inMachine(fetchOnly), { message: /ctl-1 at 127\.0\.0\.1 waits/ }, 'it waits')
    t.equal((await server.post('/v1/machines/ctl-1/approve', {}, server.admin)).status, 200)
    await inMachine(fetchOnly)
    const read = (path: string) => readFileSync(join(machine, path), 'utf8')
    for (const { key, certificate, signer } of description.requests) {
      const made = new X509Certificate(read(certificate))
      t.ok(made.checkPrivateKey(createPrivateKey(read(key))), certificate)
      t.ok(
        made.checkIssued(new X509Certificate(siteAuthority(pki).signers[signer]?.certificate ?? '')),
        certificate,
      )
      t.equal(statSync(join(machine, key)).mode & 0o777, 0o600)
      t.equal(statSync(join(machine, certificate)).mode & 0o777, 0o644)
    }
    for (const { path } of description.secrets)
      t.equal(statSync(join(machine, path)).mode & 0o777, 0o600, path)
    const metrics = await (await server.get('/metrics', server.admin)).text()
    t.match(metrics, /^pilotlight_site_signing_ends_seconds\{site="small"\} 1\d{9}/m)

    const paths = description.requests.map(({ certificate }) => certificate)
    const [before, keysBefore] = [paths.map(read), description.requests.map(({ key }) => read(key))]
    const account = statSync(join(machine, 'etc/kubernetes/kube-apiserver/sa.key')).mtimeMs
    const { stdout } = await inMachine(agent, 'renew')
    t.match(stdout, `renewed: ${paths.length + 6} files`)
    for (const [at, path] of paths.entries()) t.not(read(path), before[at], path)
    t.strictSame(
      description.requests.map(({ key }) => read(key)),
      keysBefore,
      'for the keys that are there',
    )
    t.equal(statSync(join(machine, 'etc/kubernetes/kube-apiserver/sa.key')).mtimeMs, account)
    const left = readdirSync(machine, { recursive: true }).filter(name => String(name).endsWith('.new'))
    t.strictSame(left, [])
    const { events } = (await (await server.get('/v1/events?machine=ctl-1', server.admin)).json()) as {
      events: { kind: string }[]
    }
    t.strictSame(
      events.map(({ kind }) => kind).filter(kind => ['bundle', 'renewed', 'refused'].includes(kind)),
      ['bundle', 'renewed'],
    )
    await t.rejects(
      inMachine(fetchOnly),
      { message: /fetched in this boot before|409/ },
      'the bundle itself is given once',
    )

    await server.close()
    const store = new SqliteStore(join(statePath, 'pilotlight.db'))
    t.ok((await store.machines.signings()).has('ctl-1'))
    store.close()
  },
)
