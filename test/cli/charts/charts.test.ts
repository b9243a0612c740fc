// `pilotlight charts` as its users meet it: what is planned, whose each value is, and how mistakes end.

import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { EXIT } from '#cli/exit.ts'
import { writeKubeconfig } from '#rack/cluster/kubeconfig.ts'
import { testPki } from '../../site-pki.ts'
import { freePort } from '../../free-ports.ts'

const MAIN = join(import.meta.dirname, '../../../cli/main.js')
const directory = await mkdtemp(join(tmpdir(), 'cli-charts-'))
t.teardown(() => rm(directory, { recursive: true }))
const state = ['--state', join(directory, 'state')]

function charts(...args: string[]): Promise<{ status: number | null; out: string; err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, 'charts', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: directory },
    })
    const said = { out: '', err: '' }
    child.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (said.err += chunk.toString()))
    child.on('error', reject)
    child.on('close', status => resolve({ status, ...said }))
  })
}

async function siteWith(values: string): Promise<string> {
  const path = join(directory, 'site.yaml')
  const text = `name: rack-1
network: { subnet: 10.20.0.0/24 }
machines:
  - { name: ctl-1, mac: 52-54-00-20-00-01, role: controller }
openstack: { values: ${values} }
`
  await writeFile(path, text)
  return path
}

t.test('the plan is printed as lines and as JSON, without a cluster', async t => {
  const site = await siteWith('{}')
  const { status, out } = await charts('plan', site, ...state)
  t.equal(status, EXIT.done)
  t.match(out, /^keystone; needs mariadb, memcached\n {4}job keystone-db-sync/m)
  const json = JSON.parse((await charts('plan', site, '--json', ...state)).out) as Record<string, unknown>
  t.match(json, { apiVersion: 'pilotlight/v1', plan: 'compute-kit', namespace: 'openstack' })
})

t.test('values are shown with their origin, and a list that replaces a list is pointed out', async t => {
  const site = await siteWith('{ rabbitmq: { conf: { enabled_plugins: [rabbitmq_management] } } }')
  const { out } = await charts('plan', site, '--values', 'rabbitmq', ...state)
  t.match(
    out,
    /enabled_plugins: \["rabbitmq_management"\] {2}\(site file, instead of the whole list of the chart\)/,
  )
  t.match(out, /images.tags.rabbitmq\w*: "pilotlight.local\/openstack-infra:\w+" {2}\(site facts\)/)
})

t.test('mistakes end before anything is touched, with the status of their kind', async t => {
  const good = await siteWith('{}')
  t.match(await charts('status', good, ...state), { status: EXIT.notFound, err: /no cluster to ask/ })
  const cluster = ['--kubeconfig', good, '--tools', directory] // never asked: there is no helm to ask with
  t.match(await charts('diff', good, ...state, ...cluster), {
    status: EXIT.usage,
    err: /there is no helm.*\n.*images build/,
  })
  t.match(await charts('package', join(directory, 'packed')), {
    status: EXIT.usage,
    err: /there is no helm.*\n.*images build/,
  })
  t.match(await charts('rotate', good, ...state), {
    status: EXIT.usage,
    err: /no secret is named; the plan has .*keystone-fernet-keys/,
  })
  t.match(await charts('plan', good, '--values', 'novva', ...state), {
    status: EXIT.usage,
    err: /no release "novva". It has: mariadb/,
  })
  const bad = await siteWith('{ nova: { pod: { replicas: { api: many } } } }')
  t.match(await charts('apply', bad, ...state), {
    status: EXIT.usage,
    err: /PL-1004 .*site.yaml:5:\d+ openstack.values.nova.pod.replicas.api: must be a number/,
  })
})

t.test(
  'a cluster that does not answer is reported with its own status, by every verb that asks it',
  async t => {
    const site = await siteWith('{}')
    const kubeconfig = join(directory, 'kubeconfig')
    const pki = await testPki(join(directory, 'pki'))
    await writeKubeconfig(kubeconfig, pki, `https://127.0.0.1:${await freePort()}`)
    const tools = join(directory, 'tools') // of a helm that is never run
    await mkdir(tools)
    await writeFile(join(tools, 'helm'), '', { mode: 0o755 })
    for (const verb of ['status', 'uninstall'])
      t.match(await charts(verb, site, ...state, '--kubeconfig', kubeconfig, '--tools', tools), {
        status: EXIT.unreachable,
        err: /the Kubernetes API at https:\S+ does not answer: connect ECONNREFUSED/,
      })
  },
)

t.test('charts that are our own have nothing to lock, and a source without them is named', async t => {
  t.match(await charts('lock', await siteWith('{}')), {
    status: EXIT.usage,
    err: /names no source of charts.*\n?.*openstack: { charts: { source: /,
  })
  const path = await siteWith(`{}, charts: { source: ${join(directory, 'nowhere')} }`)
  t.match(await charts('lock', path), {
    status: EXIT.notFound,
    err: /Chart mariadb is not available from .*nowhere: there is no such folder/,
  })
})
