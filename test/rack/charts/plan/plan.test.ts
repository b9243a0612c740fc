// The plan as data, and what the client's answers must hold.

import t from 'tap'
import { parse } from 'yaml'
import { stepsOf } from '#rack/charts/verbs/apply.ts'
import { cloudsYaml } from '#rack/openstack/openrc.ts'
import { chosenOf, valuesOf, type ReleasePlan } from '#rack/charts/plan/plan.ts'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { explainLayers, mergeValues } from '#rack/charts/values/values.ts'
import type { OptionalService } from '#rack/site/site.ts'
import { smallSite } from '../../../small-site.ts'

const withValues = (values: Record<string, unknown>) =>
  planCharts({ ...smallSite, openstack: { ...smallSite.openstack, values } })

t.test('all releases are installed at once; only their gates follow the needs', async t => {
  const steps = stepsOf(chosenOf(planCharts(smallSite), ['mariadb', 'rabbitmq', 'memcached', 'keystone']))
  t.strictSame(
    steps.map(({ id, needs }) => [id, ...needs]),
    [
      ['apply mariadb'],
      ['gate mariadb', 'apply mariadb'],
      ['apply rabbitmq'],
      ['gate rabbitmq', 'apply rabbitmq'],
      ['apply memcached'],
      ['gate memcached', 'apply memcached'],
      ['apply keystone'],
      ['gate keystone', 'apply keystone', 'gate mariadb', 'gate memcached'],
    ],
  )
})

t.test('a chart whose pods do not wait by themselves is held back until its needs are met', async t => {
  const plan = planCharts(smallSite)
  const releases = plan.releases.map(release => ({ ...release, after: release.needs }))
  const keystone = stepsOf({ ...plan, releases }).find(({ id }) => id === 'apply keystone')
  t.strictSame(keystone?.needs, ['gate mariadb', 'gate memcached'])
})

t.test("the site's values go over the plan's, and a release that is not there is named", async t => {
  const plan = withValues({ keystone: { pod: { replicas: { api: 2 } } } })
  const keystone = plan.releases.filter(({ name }) => name === 'keystone').map(valuesOf)
  t.match(keystone[0], {
    pod: { replicas: { api: 2 } },
    endpoints: { identity: { host_fqdn_override: { public: '10.20.0.11' } } },
  })
  t.throws(() => withValues({ keystoen: {} }), {
    code: 'CHART_PLAN',
    message: /"keystoen".*mariadb, rabbitmq/,
  })
  t.throws(() => withValues({ keystone: 'fast' }), { code: 'CHART_PLAN', message: /not a map/ })
})

t.test('where one machine does all, its guests get what the control plane leaves', async t => {
  const machines = smallSite.machines.filter(({ role }) => role === 'controller')
  t.match(reservedOf({ ...smallSite, machines }), { origin: 'layout all-in-one', value: Number })
  t.equal(reservedOf(smallSite), undefined)
})

const withWaves = (...waves: OptionalService[]) =>
  planCharts({ ...smallSite, openstack: { ...smallSite.openstack, waves } })

t.test('Magnum without Heat is refused, with what to add', async t => {
  t.throws(() => withWaves('magnum'), { code: 'CHART_PLAN', message: /Add heat to openstack.waves/ })
  const magnum = withWaves('magnum', 'heat').releases.find(({ name }) => name === 'magnum')
  t.ok(magnum?.needs.includes('heat'))
})

t.test('maps of values merge key by key, lists are replaced', async t => {
  const under = { a: { x: 1, y: [1, 2] }, b: 1 }
  t.strictSame(mergeValues(under, { a: { y: [3] }, c: null }), { a: { x: 1, y: [3] }, b: 1, c: null })
  t.strictSame(under, { a: { x: 1, y: [1, 2] }, b: 1 })
})

t.test('members of a group are installed together, and awaited together', async t => {
  const { releases, ...plan } = planCharts(smallSite)
  const [mariadb, rabbitmq, memcached, keystone] = releases as [
    ReleasePlan,
    ReleasePlan,
    ReleasePlan,
    ReleasePlan,
  ]
  const group = { group: 'pair' }
  const steps = stepsOf({
    ...plan,
    releases: [
      mariadb,
      { ...rabbitmq, ...group, needs: ['memcached', 'mariadb'], after: ['mariadb'] },
      { ...memcached, ...group, needs: ['rabbitmq'], after: ['rabbitmq'] },
      keystone,
    ],
  })
  const needsOf = (id: string) => steps.find(step => step.id === id)?.needs
  t.strictSame(needsOf('apply rabbitmq'), ['gate mariadb'])
  t.strictSame(needsOf('apply memcached'), ['gate mariadb'])
  t.strictSame(needsOf('gate memcached'), ['apply rabbitmq', 'apply memcached', 'gate mariadb'])
})

t.test('clouds.yaml leads the client to the public endpoint', async t => {
  t.match(parse(cloudsYaml(smallSite, 'p: "w')), {
    clouds: { pilotlight: { auth: { auth_url: 'http://10.20.0.11:30500/v3', password: 'p: "w' } } },
  })
})

/** What Nova keeps from guests, and whose value that is. */
function reservedOf(site: typeof smallSite) {
  const nova = planCharts(site).releases.find(({ name }) => name === 'nova')
  return explainLayers(nova?.layers ?? []).find(({ path }) => path.at(-1) === 'reserved_host_memory_mb')
}
