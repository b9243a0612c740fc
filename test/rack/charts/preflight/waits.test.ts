// What pods of openstack-helm wait for: each way in which a wait does not end, beside the one in which it does.

import t from 'tap'
import { objectsIn } from '#rack/charts/preflight/rendered.ts'
import { checkWaits, type Around, type Present } from '#rack/charts/preflight/waits.ts'
import type { ReleasePlan } from '#rack/charts/plan/plan.ts'

const release = (name: string, after: string[] = [], group?: string): ReleasePlan => ({
  name,
  chart: name,
  layers: [],
  needs: [],
  after,
  promises: [],
  limitSeconds: 10,
  ...(group === undefined ? {} : { group }),
})

const waiting = (variable: string, value: string, on = 'compute') => `
kind: DaemonSet
metadata: { name: agent }
spec:
  template:
    spec:
      nodeSelector: { ${on}: enabled }
      containers: [{ name: a, image: a }]
      initContainers: [{ name: init, image: b, env: [{ name: ${variable}, value: '${value}' }] }]
`
const service = (name: string, selector = '{ app: db }') =>
  `kind: Service\nmetadata: { name: ${name} }\nspec: { selector: ${selector} }\n---\n`
const pods = (on = 'compute') =>
  `kind: DaemonSet\nmetadata: { name: ovs, labels: { part: ovs } }\nspec: { template: { metadata: { labels: { app: db, role: switch } }, spec: { nodeSelector: { ${on}: enabled }, containers: [{ name: a, image: a }] } } }\n---\n`

const nodes = [
  { metadata: { name: 'ctl-1', labels: { control: 'enabled' } } },
  { metadata: { name: 'cmp-1', labels: { compute: 'enabled' } } },
]
const cluster = (...present: Present): Around => ({ present, nodes })

/** The causes, of releases `one` and `two`; `two` is installed after `one`. */
function causes(manifests: { one?: string; two?: string }, around?: Around): string[] {
  const releases = [release('one'), release('two', ['one'])]
  const rendered = Object.entries(manifests).map(([name, text]) => ({
    release: name,
    objects: objectsIn(text),
  }))
  return checkWaits({ namespace: 'openstack', releases }, rendered, around).map(({ what }) => what)
}

t.test('a service that a release before makes ends the wait; one that nothing makes does not', async t => {
  const two = waiting('DEPENDENCY_SERVICE', 'openstack:mariadb,barbican-api')
  t.strictSame(causes({ one: service('mariadb') + pods(), two }), [
    'DaemonSet agent waits for Service barbican-api, which no release of the plan makes',
  ])
  t.strictSame(causes({ one: service('mariadb') + pods(), two }, cluster()), [
    'DaemonSet agent waits for Service barbican-api, which neither a release of the plan makes nor the cluster has',
  ])
  const there = { kind: 'Service', namespace: 'openstack', name: 'barbican-api' } as const
  t.strictSame(causes({ one: service('mariadb') + pods(), two }, cluster(there)), [])
})

t.test('a service whose selector no pod has never gets an endpoint', async t => {
  const two = waiting('DEPENDENCY_SERVICE', 'openstack:metadata')
  t.strictSame(causes({ one: service('metadata', '{ app: ingress-api }') + pods(), two }), [
    'DaemonSet agent waits for Service metadata, which selects pods with app=ingress-api: no release of the plan makes one',
  ])
  t.strictSame(causes({ one: service('metadata', '{}') + pods(), two }), [], 'it gets them by other means')
})

t.test('jobs and daemon sets are waited for by name, jobs by labels too', async t => {
  const job = 'kind: Job\nmetadata: { name: db-sync, labels: { part: sync } }\nspec: {}\n---\n'
  t.strictSame(causes({ one: job, two: waiting('DEPENDENCY_JOBS', 'db-sync,ghost') }), [
    'DaemonSet agent waits for Job ghost, which no release of the plan makes',
  ])
  t.strictSame(causes({ one: pods(), two: waiting('DEPENDENCY_DAEMONSET', 'ovs') }), [])
  t.equal(causes({ one: pods(), two: waiting('DEPENDENCY_DAEMONSET', 'ovn') }).length, 1)
  const json = (labels: object) => waiting('DEPENDENCY_JOBS_JSON', JSON.stringify([{ labels }]))
  t.strictSame(causes({ one: job, two: json({ part: 'sync' }) }), [])
  t.strictSame(causes({ one: job, two: json({ part: 'init' }) }), [
    'DaemonSet agent waits for a Job labelled part=init, which no release of the plan makes',
  ])
})

t.test('what only a later release makes does not come', async t => {
  const one = waiting('DEPENDENCY_SERVICE', 'openstack:nova-api')
  t.strictSame(causes({ one, two: service('nova-api') + pods() }), [
    'DaemonSet agent waits for Service nova-api, which release two makes, and that is installed after it',
  ])
  const rendered = [
    { release: 'one', objects: objectsIn(one) },
    { release: 'two', objects: objectsIn(service('nova-api') + pods()) },
  ]
  const together = [release('one', [], 'compute'), release('two', [], 'compute')]
  t.strictSame(checkWaits({ namespace: 'openstack', releases: together }, rendered), [])
})

const sameNode = (on: string) =>
  waiting(
    'DEPENDENCY_POD_JSON',
    JSON.stringify([{ namespace: 'openstack', labels: { role: 'switch' }, requireSameNode: true }]),
    on,
  )

t.test('a pod on the same node must run on each node of the one that waits', async t => {
  t.strictSame(causes({ one: pods(), two: sameNode('compute') }, cluster()), [])
  t.strictSame(causes({ one: pods(), two: sameNode('control') }, cluster()), [
    'DaemonSet agent waits for a Pod labelled role=switch, on its own node: DaemonSet ovs does not run on ctl-1',
  ])
  t.strictSame(causes({ two: sameNode('compute') }), [
    'DaemonSet agent waits for a Pod labelled role=switch, which no release of the plan makes',
  ])
})

t.test('waits of other namespaces are looked at where there is a cluster', async t => {
  const two = waiting('DEPENDENCY_SERVICE', 'ceph:rgw')
  t.strictSame(causes({ two }), [])
  t.strictSame(causes({ two }, cluster()), [
    'DaemonSet agent waits for Service rgw, which is not in the namespace ceph',
  ])
  t.strictSame(causes({ two }, cluster({ kind: 'Service', namespace: 'ceph', name: 'rgw' })), [])
})
