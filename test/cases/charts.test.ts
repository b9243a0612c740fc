// Reports of users, as a kind each: values of Helm that mean something else than their author meant.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { withOverrides } from '#rack/charts/sources/overrides.ts'
import { chartDefaults } from '#rack/charts/values/defaults.ts'
import { mergeLayers } from '#rack/charts/values/values.ts'
import { parseSite } from '#rack/site/read.ts'

const VALUES = 'conf: { mine: { wsgi: on, uwsgi: Off, motto: "on", mode: 0750, answer: n, size: 1_024 } }\n'
const AS_HELM = { wsgi: true, uwsgi: false, motto: 'on', mode: 488, answer: false, size: 1024 }

const site = parseSite(
  'site.yaml',
  `name: north
network: { subnet: 192.168.40.0/24 }
machines: [{ name: head, mac: "52:54:00:40:00:01", role: controller }]
openstack:
  values:
    glance:
      ${VALUES}`,
)

t.test('chart-values-yes-no: `no` below openstack.values means what it means to Helm', async t => {
  const glance = planCharts(site).releases.find(({ name }) => name === 'glance')
  t.match(mergeLayers(glance?.layers ?? []), { conf: { mine: AS_HELM } })
})

t.test('chart-values-yes-no: so it does in the files of charts.overrides', async t => {
  const folder = t.testdir({ glance: { 'caracal.yaml': VALUES } })
  const plan = await withOverrides(planCharts(site), folder, ['caracal'])
  const [lowest] = plan.releases.find(({ chart }) => chart === 'glance')?.layers ?? []
  t.match(lowest, { origin: join(folder, 'glance/caracal.yaml'), values: { conf: { mine: AS_HELM } } })
})

t.test("chart-values-yes-no: so it does in a chart's own values", async t => {
  const chart = t.testdir({ 'Chart.yaml': 'name: mine\nversion: 0.1.0\n', 'values.yaml': VALUES })
  t.strictSame(await chartDefaults(chart), { conf: { mine: AS_HELM } })
})

t.test('a value that Helm refuses is refused with its line and column, also in an override', async t => {
  const values = '{ glance: { conf: { mine: { limit: .inf } } } }'
  const text = `name: n\nnetwork: { subnet: 192.168.40.0/24 }\nmachines: []\nopenstack:\n  values: ${values}\n`
  t.throws(
    () => parseSite('site.yaml', text),
    /PL-1004 site\.yaml:5:46 openstack\.values\.glance\.conf\.mine\.limit: "\.inf"/,
  )
  const folder = t.testdir({})
  mkdirSync(join(folder, 'nova'))
  writeFileSync(join(folder, 'nova/caracal.yaml'), 'conf:\n  - *nowhere\n')
  await t.rejects(withOverrides(planCharts(site), folder, ['caracal']), {
    code: 'CHART_FILE',
    message: /nova\/caracal\.yaml:2:5 /,
  })
})
