// Does the rerun of a killed `pilotlight up` complete, with nothing doubled? In a lab that is up: OpenStack is removed with
// everything it left, `up` is run and killed with -9 some time into the chart stage, again and again, each time a little
// later; then it is run to its end, which boots a guest. Objects that the first run made must be the last one's, and
// nothing of Kubernetes, Helm or OpenStack may be there twice.
//
//   bin/pilotlight lab up --keep
//   bin/pilotlight lab exec --lab small rack env PILOTLIGHT_TOKEN_FILE=lab-state/small/server/admin.token \
//     node_modules/.bin/node bench/kill-up.ts --site lab/racks/small/site.yaml --state lab-state/small/up \
//     --tools DIR [--rounds 4] [--kills 5] [--every 4]

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { kinds, type KubernetesObject } from '#rack/kubernetes/objects.ts'
import { connectAdmin } from '#rack/openstack/client.ts'
import { listHypervisors } from '#rack/openstack/compute.ts'
import { listAgents } from '#rack/openstack/network.ts'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { listRevisions } from '#rack/charts/releases/records.ts'
import { adminPassword } from '#rack/charts/secrets/secrets.ts'
import { withSession, type ChartSession, type SessionOptions } from '#rack/charts/session.ts'
import { readSiteFile } from '#rack/site/read.ts'

const { values: flags } = parseArgs({
  options: {
    site: { type: 'string', default: 'lab/racks/small/site.yaml' },
    state: { type: 'string', default: 'lab-state/small/up' },
    tools: { type: 'string', default: '' },
    server: { type: 'string', default: 'http://10.20.0.1:8080' },
    rounds: { type: 'string', default: '4' },
    kills: { type: 'string', default: '5' },
    every: { type: 'string', default: '4' },
  },
})
const main = join(import.meta.dirname, '../cli/main.js')
const common = [flags.site, '--state', flags.state, '--tools', flags.tools]
const workloads = [kinds.deployment, kinds.statefulset, kinds.daemonset]
const rounds = Number(flags.rounds)
const kills = Number(flags.kills)

const site = await readSiteFile(flags.site)
const options: SessionOptions = {
  site,
  plan: planCharts(site),
  stateDirectory: flags.state,
  kubeconfigPath: join(flags.state, 'kubeconfig'),
  toolsDirectory: flags.tools,
}

/** What must not change once it is there: UIDs of workloads by kind and name, and the texts of Secrets. */
type Seen = Map<string, string>

const rows: object[] = []
for (let round = 0; round < rounds; round += 1) {
  await pilotlight(['charts', 'uninstall', ...common, '--force', '--purge'])
  const seen: Seen = new Map()
  for (let kill = 0; kill < kills; kill += 1) {
    // Every round begins between the times of the one before it.
    const seconds = (kill + (round + 1) / rounds) * Number(flags.every)
    const phases = await killedUp(seconds)
    const changed = await withSession(options, [], session => compare(session, seen))
    rows.push({
      round: round + 1,
      kill: kill + 1,
      'seconds into the stage': seconds.toFixed(1),
      ...phases,
      changed,
    })
    console.table(rows.slice(-1))
  }
  const began = performance.now()
  const status = await pilotlight(['up', ...common, '--server', flags.server])
  const changed = await withSession(options, [], session => compare(session, seen))
  const doubled = status === 0 ? await withSession(options, [], findDoubled) : ['the rerun failed']
  const took = ((performance.now() - began) / 1000).toFixed(1)
  rows.push({ round: round + 1, kill: 'rerun', status, seconds: took, changed, doubled: doubled.join('; ') })
  console.table(rows.slice(-1))
}
console.table(rows)
process.exitCode = rows.some(row => Object.entries(row).some(isWrong)) ? 1 : 0

function isWrong([key, value]: [string, unknown]): boolean {
  return (key === 'status' && value !== 0) || (['changed', 'doubled'].includes(key) && value !== '')
}

/** Runs `up` and kills it so many seconds after its chart stage began; returns how far the releases were. */
async function killedUp(seconds: number): Promise<{ 'releases gated': number; done: number }> {
  const child = spawn(process.execPath, [main, 'up', ...common, '--server', flags.server], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = new Promise<NodeJS.Signals | null>(resolve =>
    child.on('exit', (_, signal) => resolve(signal)),
  )
  let timer: NodeJS.Timeout | undefined
  child.stderr.on('data', (chunk: Buffer) => {
    if (timer === undefined && /^ *[\d.]+s {2}openstack/m.test(chunk.toString()))
      timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000)
  })
  if ((await ended) !== 'SIGKILL')
    throw new Error('up ended by itself before it was killed: run it by hand to see why')
  return withSession(options, [], async ({ store, plan }) => {
    const steps = plan.releases.flatMap(({ name }) => store.lastStep(name) ?? [])
    const count = (phase: string) => steps.filter(step => step.phase === phase).length
    return { 'releases gated': count('gated'), done: count('done') }
  })
}

/** Runs a verb to its end, and gives its status. */
function pilotlight(args: readonly string[]): Promise<number | null> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  return new Promise(resolve => child.on('exit', resolve))
}

/** Adds what is new to `seen`, and names what is not as it was. */
async function compare({ api, plan }: ChartSession, seen: Seen): Promise<string> {
  const now: Seen = new Map()
  for (const kind of workloads)
    for (const { metadata } of await api.listMetadata({ ...kind, namespace: plan.namespace }))
      now.set(`${kind.kind} ${metadata.name}`, metadata.uid ?? '')
  type Secret = KubernetesObject & { readonly data?: object }
  for (const { name } of plan.secrets) {
    const secret = await api.read<Secret>({ ...kinds.secret, namespace: plan.namespace, name })
    if (secret !== undefined) now.set(`secret ${name}`, JSON.stringify(secret.data))
  }
  const changed = [...seen].filter(([key, value]) => now.get(key) !== value).map(([key]) => key)
  for (const [key, value] of now) seen.set(key, value)
  return changed.join(' ')
}

/** Whatever is there more often than once. */
async function findDoubled({ api, plan, stateDirectory }: ChartSession): Promise<string[]> {
  const password = (await adminPassword(stateDirectory)) ?? ''
  const cloud = await connectAdmin(site, password)
  type Listed<Key extends string> = Record<Key, { name?: string; type?: string; id: string }[]>
  const [services, endpoints, users, agents, hypervisors, computes, revisions, jobs] = await Promise.all([
    cloud.get<Listed<'services'>>('identity', '/services'),
    cloud.get<{ endpoints: { service_id: string; interface: string; region_id: string }[] }>(
      'identity',
      '/endpoints',
    ),
    cloud.get<Listed<'users'>>('identity', '/users'),
    listAgents(cloud),
    listHypervisors(cloud),
    cloud.get<{ services: { binary: string; host: string }[] }>('compute', '/os-services'),
    listRevisions(api, plan.namespace),
    api.listMetadata({ ...kinds.job, namespace: plan.namespace }),
  ])
  const lists: Record<string, string[]> = {
    service: services.services.map(({ type }) => type ?? ''),
    endpoint: endpoints.endpoints.map(it => `${it.service_id} ${it.interface} ${it.region_id}`),
    user: users.users.map(({ name }) => name ?? ''),
    agent: agents.map(({ binary, host }) => `${binary} ${host}`),
    hypervisor: hypervisors.map(({ service }) => service.host),
    'nova service': computes.services.map(({ binary, host }) => `${binary} ${host}`),
    'deployed revision': revisions.filter(({ status }) => status === 'deployed').map(({ name }) => name),
    job: jobs.map(({ metadata }) => metadata.name.replace(/-[0-9a-f]{10}$/, '')),
  }
  const pending = revisions
    .filter(({ status }) => status.startsWith('pending'))
    .map(({ name }) => `${name} is pending`)
  return [
    ...pending,
    ...Object.entries(lists).flatMap(([what, names]) =>
      [...new Set(names.filter((name, index) => names.indexOf(name) !== index))].map(
        name => `${what} ${name}`,
      ),
    ),
  ]
}
