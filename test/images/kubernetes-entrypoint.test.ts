// The program that pods of openstack-helm wait with, against an API that answers over TLS: each kind of dependency, missing and then
// there.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { dataFile } from '#images/files.ts'
import { absent, skipFile } from '../absent.ts'

skipFile(t, absent('python3'))

const program = dataFile('openstack-helm/kubernetes-entrypoint')
const folder = await mkdtemp(join(tmpdir(), 'entrypoint-'))
t.teardown(() => rm(folder, { recursive: true }))
const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'ca.crt')]
const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
await run(
  'openssl',
  [
    ...made,
    '-subj',
    '/CN=kubernetes',
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    '-keyout',
    key,
    '-out',
    certificate,
  ],
  { limitSeconds: 30 },
)
await writeFile(join(folder, 'token'), 'token-of-the-pod\n')

const ready = { status: { conditions: [{ type: 'Ready', status: 'True' }] }, metadata: { name: 'p' } }
const complete = { status: { conditions: [{ type: 'Complete', status: 'True' }] } }
const api = '/api/v1/namespaces/openstack'
const own = {
  metadata: { name: 'me' },
  spec: { nodeName: 'node-7' },
  status: { containerStatuses: [{ name: 'db', ready: true }] },
}
const labelled = (labels: string) => `${api}/pods?labelSelector=${encodeURIComponent(labels)}`

/** What a pod says that it needs, what is asked for, and the answer that makes it true. */
const cases: readonly [variable: string, value: string, path: string, answer: object, missing: RegExp][] = [
  [
    'DEPENDENCY_SERVICE',
    'openstack:mariadb',
    `${api}/endpoints/mariadb`,
    { subsets: [{ addresses: [{ ip: '10.1.1.1' }] }] },
    /service openstack:mariadb/,
  ],
  [
    'DEPENDENCY_JOBS',
    'keystone-db-sync',
    '/apis/batch/v1/namespaces/openstack/jobs/keystone-db-sync',
    complete,
    /job openstack:keystone-db-sync/,
  ],
  [
    'DEPENDENCY_JOBS_JSON',
    '[{"labels":{"job":"x"}}]',
    '/apis/batch/v1/namespaces/openstack/jobs?labelSelector=job%3Dx',
    { items: [complete] },
    /job \{"labels"/,
  ],
  ['DEPENDENCY_POD_JSON', '[{"labels":{"a":"b"}}]', labelled('a=b'), { items: [ready] }, /pod a=b/],
  [
    'DEPENDENCY_POD_JSON',
    '[{"labels":{"a":"b"},"requireSameNode":true}]',
    `${labelled('a=b')}&fieldSelector=spec.nodeName%3Dnode-7`,
    { items: [ready] },
    /pod a=b on this node/,
  ],
  ['DEPENDENCY_CONTAINER', 'db', `${api}/pods/me`, own, /container db of this pod/],
  [
    'DEPENDENCY_CUSTOM_RESOURCE',
    '[{"apiVersion":"x.io/v1","kind":"Flow","name":"f","fields":[{"key":"status.phase","value":"Done"}]}]',
    '/apis/x.io/v1/namespaces/openstack/flows/f',
    { status: { phase: 'Done' } },
    /Flow f/,
  ],
]

// All at once: each waits for seconds.
t.jobs = cases.length
for (const [variable, value, path, answer, missing] of cases)
  t.test(`${variable} ${value} is waited for, and ends when it is there`, { buffered: true }, async t => {
    let isThere = false
    const authorizations = new Set<string | undefined>()
    const server = createServer(
      { key: await readFile(key), cert: await readFile(certificate) },
      (request, response) => {
        authorizations.add(request.headers.authorization)
        const found =
          request.url === path && isThere
            ? answer
            : request.url === `${api}/pods/me` && path !== request.url
              ? own
              : undefined
        response.writeHead(found === undefined ? 404 : 200).end(JSON.stringify(found ?? {}))
      },
    ).listen(0, '127.0.0.1')
    t.teardown(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const env = {
      PATH: process.env['PATH'] ?? '',
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: String(port),
      SERVICE_ACCOUNT: folder,
      NAMESPACE: 'openstack',
      POD_NAME: 'me',
      COMMAND: 'echo started',
      [variable]: value,
    }
    const child = spawn('python3', [program], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (missing.test(output)) isThere = true
    })
    const [status] = (await once(child, 'close', { signal: AbortSignal.timeout(20_000) })) as [number]
    t.equal(status, 0)
    t.match(output, /^waiting for .*\nall dependencies are there\nstarted\n$/)
    t.same([...authorizations], ['Bearer token-of-the-pod'])
  })
