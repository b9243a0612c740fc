// Values: their layers with the origin of each key, and what a chart can take.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { checkValues } from '#rack/charts/values/check-values.ts'
import { chartDefaults } from '#rack/charts/values/defaults.ts'
import { chartFolder } from '#rack/charts/sources/ours.ts'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { explainLayers, mergeLayers, showPath } from '#rack/charts/values/values.ts'
import { smallSite } from '../../../small-site.ts'

t.test('each merged value has its origin, and what it replaced', async t => {
  const layers = [
    { origin: 'chart', values: { a: { x: 1, list: [1, 2] }, gone: { deep: 1 } } },
    { origin: 'site file', values: { a: { list: [3] }, gone: 'flat' } },
  ]
  t.strictSame(explainLayers(layers), [
    { path: ['a', 'list'], value: [3], origin: 'site file', replaced: { origin: 'chart', value: [1, 2] } },
    { path: ['a', 'x'], value: 1, origin: 'chart' },
    { path: ['gone'], value: 'flat', origin: 'site file' },
  ])
  t.strictSame(mergeLayers(layers), { a: { x: 1, list: [3] }, gone: 'flat' })
})

t.test('a path is shown as a person would write it', async t => {
  t.equal(showPath(['pod', 'replicas', 'api']), 'pod.replicas.api')
  t.equal(showPath(['conf', 'neutron.conf', 'x']), 'conf["neutron.conf"].x')
})

const defaults = {
  pod: { replicas: { api: 1 }, resources: {} },
  conf: { keystone: { token: { expiration: 3600 } } },
  tolerations: [],
  volume: { type: 'host_path', size: null },
  images: { tags: { api: 'x:1' } },
  enabled: true,
}

const takes: [what: string, values: object][] = [
  ['a number for a number', { pod: { replicas: { api: 3 } } }],
  ['an option that the chart does not name', { conf: { keystone: { cache: { enabled: false } } } }],
  ['an option as text where the chart has a number', { conf: { keystone: { token: { expiration: '1h' } } } }],
  ['anything where the chart has nothing', { volume: { size: 10 } }],
  ['requests of a component', { pod: { resources: { api: { requests: { cpu: 1 } } } } }],
  ['a number for a text', { images: { tags: { api: 7 } } }],
]
for (const [what, values] of takes) {
  t.test(`a chart takes ${what}`, async t => {
    t.strictSame(checkValues(defaults, { ...values }), [])
  })
}

const refuses: [what: string, values: object, problem: object][] = [
  [
    'a text for a number',
    { pod: { replicas: { api: 'many' } } },
    {
      kind: 'wrong type',
      path: ['pod', 'replicas', 'api'],
      what: 'must be a number, and is the text "many"',
    },
  ],
  [
    'a key that nothing reads',
    { pod: { replica: { api: 2 } } },
    { kind: 'unknown key', path: ['pod', 'replica'], remedy: 'its neighbours are: replicas resources' },
  ],
  ['a scalar for a section of options', { conf: { keystone: 'fast' } }, { what: /must be a map/ }],
  ['a text for a switch', { enabled: 'yes please' }, { what: /must be a boolean/ }],
  ['a text for a list', { tolerations: 'all' }, { what: /must be a list/ }],
]
for (const [what, values, problem] of refuses) {
  t.test(`a chart refuses ${what}`, async t => {
    const problems = checkValues(defaults, { ...values })
    t.equal(problems.length, 1)
    t.match(problems[0], problem)
  })
}

t.test('what a chart imports from its library is below its own values', async t => {
  const root = await mkdtemp(join(tmpdir(), 'defaults-'))
  t.teardown(() => rm(root, { recursive: true }))
  const files = {
    'one/Chart.yaml':
      'version: 1.0.0\ndependencies: [{ name: lib, repository: file://../lib, import-values: [common] }]\n',
    'one/values.yaml': 'a: { own: 1 }',
    'lib/values.yaml': 'exports: { common: { a: { own: 0, shared: 2 } }, other: { b: 1 } }',
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), text)
  }
  t.strictSame(await chartDefaults(join(root, 'one')), { a: { own: 1, shared: 2 } })
})

for (const { name, chart, layers } of planCharts(smallSite).releases) {
  t.test(`the chart of ${name} takes what the plan gives it`, async t => {
    const problems = checkValues(await chartDefaults(chartFolder(chart)), mergeLayers(layers))
    t.strictSame(problems, [])
  })
}
