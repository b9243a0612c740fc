// Mistakes in a site's values are reported with their place in its file.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { atItsPlace, checkSiteValues } from '#rack/up/check-site-values.ts'
import { readSiteFile } from '#rack/site/read.ts'

const SITE = `name: rack-1
network: { subnet: 10.20.0.0/24 }
machines:
  - { name: ctl-1, mac: 52-54-00-20-00-01, role: controller }
openstack:
  values:
    keystone:
      pod:
        replicas: { api: many }
        replica: { api: 2 }
      conf: { keystone: { token: { expiration: 7200 } } }
`

t.test('every wrong value is reported at once, each with line, type and remedy', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'site-values-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const path = join(directory, 'site.yaml')
  await writeFile(path, SITE)
  const site = await readSiteFile(path)
  await t.rejects(checkSiteValues(path, site, planCharts(site)), {
    code: 'FILE_PROBLEMS',
    problems: [
      {
        code: 'PL-1004',
        line: 9,
        what: 'openstack.values.keystone.pod.replicas.api: must be a number, and is the text "many"',
        remedy: 'the chart has 1 there',
      },
      {
        code: 'PL-1002',
        line: 10,
        what: 'openstack.values.keystone.pod.replica: the chart reads no such key',
      },
    ],
  })
  await writeFile(path, SITE.replace('many', '1').replace('        replica: { api: 2 }\n', ''))
  const mended = await readSiteFile(path)
  await checkSiteValues(path, mended, planCharts(mended))
})

t.test('values for a release that is not there are reported with their line', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'site-values-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const path = join(directory, 'site.yaml')
  await writeFile(path, SITE.replace('    keystone:', '    keystoen:'))
  const site = await readSiteFile(path)
  await t.rejects(
    atItsPlace(path, async () => planCharts(site)),
    {
      code: 'FILE_PROBLEMS',
      problems: [{ code: 'PL-1002', line: 7, what: /"keystoen".* is not a release/ }],
    },
  )
})
