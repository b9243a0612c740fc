// Removing and changing back: in which order, to which revision, and what is refused.

import t from 'tap'
import type { HelmRelease } from '#rack/charts/releases/records.ts'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { removalSteps } from '#rack/charts/verbs/uninstall.ts'
import { chooseRevision } from '#rack/charts/verbs/rollback.ts'
import { smallSite } from '../../../small-site.ts'

t.test('what needs something is removed before it, and a group together', async t => {
  const steps = removalSteps(planCharts(smallSite).releases)
  const needsOf = (id: string) => steps.find(step => step.id === id)?.needs
  t.strictSame(needsOf('nova'), [])
  t.ok(needsOf('keystone')?.includes('glance'))
  t.ok(needsOf('mariadb')?.includes('keystone'))
  t.ok(needsOf('placement')?.includes('nova'))
  for (const { id, needs } of steps) t.notOk(needs.includes(id))
})

const revision = (number: number, status: string): HelmRelease => ({
  name: 'nova',
  revision: number,
  status,
  at: 0,
})

t.test('the revision before the last sound one comes back, unless another is named', async t => {
  const kept = [
    revision(9, 'superseded'),
    revision(10, 'superseded'),
    revision(11, 'deployed'),
    revision(12, 'failed'),
  ]
  t.equal(chooseRevision('nova', kept, undefined), 10)
  t.equal(chooseRevision('nova', kept, 9), 9)
  t.throws(() => chooseRevision('nova', kept, 3), { message: /no revision 3 to go back to. It has: 11 10 9/ })
  t.throws(() => chooseRevision('nova', kept.slice(2), undefined), {
    message: /no earlier revision to go back to/,
  })
  t.throws(() => chooseRevision('nova', [], undefined), { code: 'CHART_PLAN', message: /not installed/ })
})
