// What a site says about charts: pins that hold until someone asks for others, and words of features that select something.

import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { chartsOfSite, lockSiteCharts } from '#rack/charts/sources/of-site.ts'
import { readLock } from '#rack/charts/sources/lock-file.ts'
import type { Site } from '#rack/site/site.ts'
import { atItsPlace } from '#rack/up/check-site-values.ts'
import { smallSite } from '../../../small-site.ts'

const helm = 'no-helm-is-needed'

t.test('a folder whose chart changed under its version is not pinned again without --update', async t => {
  const { site, source, lock } = siteIn(t.testdir())
  const first = await lockSiteCharts(site, { helm, update: false })
  t.strictSame(await lockSiteCharts(site, { helm, update: false }), first, 'the same again')
  appendFileSync(join(source, 'nova', 'values.yaml'), 'more: 1\n')
  const refused = {
    code: 'CHART_LOCK',
    message: /^Chart nova 1\.0\.0 from .* is not the one that was locked.*Someone changed it/,
    remedy: /charts lock SITE --update$/,
  }
  await t.rejects(lockSiteCharts(site, { helm, update: false }), refused)
  await t.rejects(lockSiteCharts(site, { helm, update: false, versions: { nova: '1.0.0' } }), refused)
  await t.rejects(
    chartsOfSite(site, { helm, stateDirectory: source }).then(({ charts }) =>
      charts.unpack('nova', t.testdirName),
    ),
    refused,
  )
  t.strictSame(await readLock(lock), first.lock, 'the lock file is as it was')
  const updated = await lockSiteCharts(site, { helm, update: true })
  t.not(updated.lock.charts['nova']?.sha256, first.lock.charts['nova']?.sha256)
})

t.test('a folder with another version than the pinned one is taken only with --update', async t => {
  const { site, source } = siteIn(t.testdir())
  await lockSiteCharts(site, { helm, update: false })
  writeFileSync(join(source, 'nova', 'Chart.yaml'), 'name: nova\nversion: 1.1.0\n')
  await t.rejects(lockSiteCharts(site, { helm, update: false }), {
    code: 'CHART_NOT_FOUND',
    message: /the folder has version 1\.1\.0, and 1\.0\.0 is wanted/,
    remedy: /--update$/,
  })
  const { lock } = await lockSiteCharts(site, { helm, update: true })
  t.equal(lock.charts['nova']?.version, '1.1.0')
})

const OVERRIDES = {
  nova: { '2026.1-noble.yaml': 'a: 1\n', 'tls.yaml': 'b: 2\n' },
  cinder: { 'ceph-rbd.yaml': '' },
}

const refusals: readonly [features: string[], message: RegExp][] = [
  [
    ['frobnicate'],
    /PL-1004 .*site\.yaml:7:14 openstack\.features\[0\]: The feature frobnicate selects no file of .*There are: /s,
  ],
  [['tls', 'ceph-rdb'], /features\[1\]: .*ceph-rdb.*Write ceph-rbd/s],
  [['2026.10', 'noble'], /features\[0\]: .*Write 2026\.1,/s],
  [['noble'], /features\[0\]: .*only together with others: 2026\.1-noble/s],
  [
    Array.from({ length: 24 }, (_, index) => `w${index}`),
    /openstack\.features: .*24 words, and 8 are the most/,
  ],
]

for (const [features, message] of refusals)
  t.test(`features ${features.slice(0, 2).join(' ')} are refused at their place`, async t => {
    const { site, file } = siteIn(t.testdir({ overrides: OVERRIDES }), features)
    await lockSiteCharts(site, { helm, update: false })
    await t.rejects(
      atItsPlace(file, () => chartsOfSite(site, { helm, stateDirectory: t.testdirName })),
      { code: 'FILE_PROBLEMS', message },
    )
  })

t.test('features that select files together or alone, of whatever chart, are taken', async t => {
  const { site } = siteIn(t.testdir({ overrides: OVERRIDES }), ['2026.1', 'noble', 'tls', 'ceph-rbd'])
  await lockSiteCharts(site, { helm, update: false })
  const { plan } = await chartsOfSite(site, { helm, stateDirectory: t.testdirName })
  const nova = plan.releases.find(({ name }) => name === 'nova')
  t.match(nova?.layers.slice(0, 2), [{ values: { a: 1 } }, { values: { b: 2 } }])
})

t.test('a folder of overrides that is not there is named, and so are features without one', async t => {
  const { site, file } = siteIn(t.testdir(), [])
  await lockSiteCharts(site, { helm, update: false })
  const options = { helm, stateDirectory: t.testdirName }
  await t.rejects(
    atItsPlace(file, () => chartsOfSite(site, options)),
    { message: /PL-1004 .*site\.yaml:6:\d+ openstack\.charts\.overrides: There is no folder .*overrides/ },
  )
  const { charts: origin, ...openstack } = { ...site.openstack, features: ['tls'] }
  if (origin === undefined) throw new Error('siteIn names a source')
  await t.rejects(chartsOfSite({ ...site, openstack }, options), { message: /features select nothing/ })
  const { source, lock } = origin
  const without = { ...site, openstack: { ...openstack, charts: { source, lock } } }
  await t.rejects(chartsOfSite(without, options), {
    message: /The feature tls selects nothing: there is no override in /,
  })
})

const refers = (secret: string) => ({ nova: { conf: { nova: { extra: { a: 1, b: [secret] } } } } })

t.test('a value that refers to no secret of the plan is refused at its place', async t => {
  const folder = t.testdir({
    'site.yaml':
      'name: small\nopenstack:\n  values:\n    nova:\n      conf: { nova: { extra: { a: 1, b: [x] } } }\n',
  })
  const planned = (values: Record<string, unknown>) =>
    atItsPlace(join(folder, 'site.yaml'), () =>
      chartsOfSite(
        { ...smallSite, openstack: { ...smallSite.openstack, values } },
        { helm, stateDirectory: folder },
      ),
    )
  await t.rejects(planned(refers('secret://nova-bd/password')), {
    message:
      /PL-1004 .*:5:42 openstack\.values\.nova\.conf\.nova\.extra\.b\.0: refers to secret:\/\/nova-bd\/password.*Write nova-db,/s,
  })
  await t.rejects(planned(refers('secret://nova-db/passwort')), {
    message: /no such key of it.*It has: password/s,
  })
  await t.resolves(planned(refers('secret://nova-db/password')))
  await t.rejects(planned({ nova: 5 }), { message: /PL-1004 .*:4:5 openstack\.values\.nova: is not a map/ })
})

/** A site whose charts are in a folder, one for each release of its plan, and the lines of its file that matter. */
function siteIn(folder: string, features?: readonly string[]) {
  const source = join(folder, 'source')
  const lock = join(folder, 'charts.lock')
  const overrides = features === undefined ? {} : { overrides: join(folder, 'overrides') }
  const openstack = {
    ...smallSite.openstack,
    charts: { source, lock, ...overrides },
    features: features ?? [],
  }
  const site: Site = { ...smallSite, openstack }
  for (const { chart } of planCharts(site).releases) {
    mkdirSync(join(source, chart), { recursive: true })
    writeFileSync(join(source, chart, 'Chart.yaml'), `name: ${chart}\nversion: 1.0.0\n`)
    writeFileSync(join(source, chart, 'values.yaml'), 'own: 1\n')
  }
  const file = join(folder, 'site.yaml')
  writeFileSync(
    file,
    `name: small\n\n\nopenstack:\n  charts:\n    overrides: ./overrides\n  features: [${(features ?? []).join(', ')}]\n`,
  )
  return { site, source, lock, file }
}
