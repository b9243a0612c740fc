// The preflight without a cluster: charts that are missing, and charts that do not take their values.

import { dirname } from 'node:path'
import t from 'tap'
import { chosenOf, planCharts } from '#charts/plan.ts'
import { renderOffline } from '#charts/preflight.ts'
import { findTool } from '../cluster/api-server.ts'
import { smallSite } from '../cluster/site.ts'

const helm = findTool('helm')
const skip = helm === undefined ? 'helm not built yet (pilotlight lab builds it)' : false
const plan = chosenOf(planCharts(smallSite), ['mariadb', 'memcached'])
const options = { site: smallSite, stateDirectory: '/nowhere', toolsDirectory: dirname(helm ?? '') }

t.test('the pods of the whole plan are known before there is a cluster', { skip }, async t => {
  const pods = await renderOffline({ ...options, plan: planCharts(smallSite) })
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
  'a chart that is missing is told by its release, with the place where it was looked for',
  { skip },
  async t => {
    const releases = plan.releases.map(it => (it.name === 'memcached' ? { ...it, chart: 'memcache' } : it))
    await t.rejects(renderOffline({ ...options, plan: { ...plan, releases } }), {
      code: 'PREFLIGHT_FAILED',
      problems: [{ release: 'memcached', what: /its chart "memcache" is not there: .*helm\/memcache/ }],
    })
  },
)

t.test("a chart that does not take its values is told in Helm's words", { skip }, async t => {
  const layer = { origin: 'site file', values: { volume: { type: 'pvc' } } }
  const releases = plan.releases.map(it =>
    it.name === 'mariadb' ? { ...it, layers: [...it.layers, layer] } : it,
  )
  await t.rejects(renderOffline({ ...options, plan: { ...plan, releases } }), {
    code: 'PREFLIGHT_FAILED',
    message: /release mariadb: its chart "mariadb" does not render: .*volume.type is "pvc"/s,
  })
})
