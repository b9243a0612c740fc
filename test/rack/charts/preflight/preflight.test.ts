// The preflight without a cluster: charts that are missing, charts that do not take their values, and what no chart is to
// blame for.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { chosenOf } from '#rack/charts/plan/plan.ts'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { renderOffline } from '#rack/charts/preflight/preflight.ts'
import { findTool } from '../../cluster/api-server.ts'
import { smallSite } from '../../../small-site.ts'

const helm = findTool('helm')
const skip = helm === undefined ? 'helm not built yet (pilotlight lab builds it)' : false
const plan = chosenOf(planCharts(smallSite), ['mariadb', 'memcached'])
const options = { site: smallSite, stateDirectory: '/nowhere', toolsDirectory: dirname(helm ?? '') }

t.test('the pods of the whole plan are known before there is a cluster', { skip }, async t => {
  const { pods } = await renderOffline({ ...options, plan: planCharts(smallSite) })
  t.match(
    pods.find(({ workload }) => workload === 'DaemonSet nova-compute'),
    {
      release: 'nova',
      count: 'each node',
      nodeSelector: { 'openstack-compute-node': 'enabled' },
    },
  )
  for (const { workload, requests } of pods) t.ok(requests.memoryBytes > 0, `${workload} says what it needs`)
})

t.test(
  'a chart that is missing is reported by its release, with the place where it was looked for',
  { skip },
  async t => {
    const releases = plan.releases.map(it => (it.name === 'memcached' ? { ...it, chart: 'memcache' } : it))
    await t.rejects(renderOffline({ ...options, plan: { ...plan, releases } }), {
      code: 'PREFLIGHT_FAILED',
      problems: [{ release: 'memcached', what: /^Chart memcache is not available from .*services: ENOENT/ }],
    })
  },
)

t.test("a chart that does not take its values is reported with Helm's message", { skip }, async t => {
  const layer = { origin: 'site file', values: { volume: { type: 'pvc' } } }
  const releases = plan.releases.map(it =>
    it.name === 'mariadb' ? { ...it, layers: [...it.layers, layer] } : it,
  )
  await t.rejects(renderOffline({ ...options, plan: { ...plan, releases } }), {
    code: 'PREFLIGHT_FAILED',
    message: /release mariadb: its chart "mariadb" does not render: .*volume.type is "pvc"/s,
  })
})

t.test('no chart is blamed for a helm that is not there, nor for an interruption', async t => {
  const tools = await mkdtemp(join(tmpdir(), 'tools-'))
  t.teardown(() => rm(tools, { recursive: true }))
  const broken = join(tools, 'helm')
  await writeFile(broken, '#!/no/such/shell\n', { mode: 0o755 })
  const without = { ...options, plan, toolsDirectory: tools }
  await t.rejects(renderOffline(without), {
    code: 'COMMAND_FAILED',
    message: /helm template .*: spawn .*ENOENT/,
  })

  const interrupted = new AbortController()
  const slow = '#!/bin/sh\nsleep 20\n'
  await writeFile(broken, slow, { mode: 0o755 })
  setTimeout(() => interrupted.abort(new DOMException('interrupted', 'AbortError')), 100)
  await t.rejects(renderOffline({ ...without, signal: interrupted.signal }), { name: 'AbortError' })
})
