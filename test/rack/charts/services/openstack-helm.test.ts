// The upstream charts, as far as they can be proven: the plan for any site, and rendered where the charts are at hand.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'tap'
import { renderChart } from '#rack/charts/releases/helm.ts'
import { valuesOf } from '#rack/charts/plan/plan.ts'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { withSecretTexts } from '#rack/charts/secrets/secret-values.ts'
import { chartsOfSite, lockSiteCharts } from '#rack/charts/sources/of-site.ts'
import { overrideNames } from '#rack/charts/sources/overrides.ts'
import type { Site } from '#rack/site/site.ts'
import { findTool } from '../../cluster/api-server.ts'
import { smallSite } from '../../../small-site.ts'

const helm = findTool('helm') ?? 'helm'
const skip = findTool('helm') === undefined ? 'helm not built yet (pilotlight lab builds it)' : false
const scratch = await mkdtemp(join(tmpdir(), 'pilotlight-'))
after(() => rm(scratch, { recursive: true, force: true }))

function siteWith(source: string, more: Partial<Site['openstack']> = {}): Site {
  const charts = { source, lock: join(scratch, `${source.replaceAll('/', '_')}.lock`) }
  return {
    ...smallSite,
    openstack: { ...smallSite.openstack, plan: 'openstack-helm', charts, ...more },
  }
}

test('every password that upstream defaults to "password" is a reference to one of the plan', async t => {
  const plan = planCharts(siteWith('/none', { waves: ['cinder', 'heat', 'magnum'] }))
  const texts = Object.fromEntries(
    plan.secrets.map(({ name, entries }) => [
      name,
      Object.fromEntries(Object.keys(entries).map(key => [key, 'x'])),
    ]),
  )
  const found: string[] = []
  for (const release of plan.releases) {
    const values = valuesOf(release)
    JSON.stringify(values, (key, value: unknown) => {
      if (/password|_secret|cookie/.test(key) && typeof value === 'string') found.push(value)
      return value
    })
    t.doesNotThrow(() => withSecretTexts(values, texts), release.name)
  }
  t.ok(found.length > 60)
  t.same(
    found.filter(value => !value.startsWith('secret://')),
    [],
  )
})

test('libvirt, nova and neutron, whose pods wait for each other, are one group and apply nothing by turns', async t => {
  const { releases } = planCharts(siteWith('/none'))
  t.same(
    releases.filter(({ group }) => group === 'compute').map(({ name }) => name),
    ['libvirt', 'nova', 'neutron'],
  )
  t.ok(releases.every(({ needs, after }) => needs === after))
})

test('feature words are combined as upstream combines them', async t => {
  t.same(overrideNames(['2026.1', 'ubuntu_noble', 'gateway']), [
    '2026.1',
    'ubuntu_noble',
    '2026.1-ubuntu_noble',
    'gateway',
    '2026.1-gateway',
    'ubuntu_noble-gateway',
    '2026.1-ubuntu_noble-gateway',
  ])
})

test(
  'a folder of charts in upstream’s layout is locked, and its overrides are below the site’s values',
  { skip },
  async t => {
    const folder = await upstreamLayout(join(scratch, 'charts'))
    const site = siteWith(folder, { features: ['2026.1'], values: { keystone: { debug: 'high' } } })
    const options = { helm, stateDirectory: scratch }
    await t.rejects(chartsOfSite(site, options), { message: /not pinned.*charts lock/ })
    await lockSiteCharts(site, { helm, update: false })
    const { plan, charts } = await chartsOfSite(site, options)
    const keystone = plan.releases.find(({ name }) => name === 'keystone')
    assert(keystone)
    const { path } = await charts.unpack('keystone', join(scratch, 'staged'))
    const rendered = await renderChart('keystone', path, valuesOf(keystone), { helm, namespace: 'openstack' })
    t.match(rendered, /debug: "high", tag: "from-override"/)
  },
)

const upstream = process.env['PILOTLIGHT_OPENSTACK_HELM'] ?? ''
const absent = existsSync(join(upstream, 'keystone', 'Chart.yaml'))
  ? skip
  : "openstack-helm's charts are not at hand: name a folder of them in PILOTLIGHT_OPENSTACK_HELM"

test('the real charts render with the plan’s values', { skip: absent }, async t => {
  const site = siteWith(upstream, { features: ['2026.1', 'ubuntu_noble'] })
  await lockSiteCharts(site, { helm, update: false })
  const { plan, charts } = await chartsOfSite(site, { helm, stateDirectory: scratch })
  for (const release of plan.releases) {
    const { path } = await charts.unpack(release.chart, join(scratch, 'upstream'))
    const rendered = await renderChart(release.name, path, valuesOf(release), {
      helm,
      namespace: plan.namespace,
    })
    for (const promised of release.promises)
      if ('name' in promised)
        t.match(rendered, `name: "${promised.name}"`, `${release.name}: ${promised.name}`)
  }
})

/** A chart for each release, and one override, in the folders that upstream has. */
async function upstreamLayout(folder: string): Promise<string> {
  const template = 'data: { debug: "{{ .Values.debug }}", tag: "{{ .Values.tag }}" }\n'
  for (const { chart } of planCharts(siteWith(folder)).releases) {
    await mkdir(join(folder, chart, 'templates'), { recursive: true })
    await writeFile(join(folder, chart, 'Chart.yaml'), `apiVersion: v2\nname: ${chart}\nversion: 2026.1.0\n`)
    await writeFile(
      join(folder, chart, 'templates', 'all.yaml'),
      `kind: ConfigMap\nmetadata: { name: a }\n${template}`,
    )
  }
  await mkdir(join(folder, 'values_overrides', 'keystone'), { recursive: true })
  await writeFile(
    join(folder, 'values_overrides', 'keystone', '2026.1.yaml'),
    'debug: low\ntag: from-override\n',
  )
  return folder
}
