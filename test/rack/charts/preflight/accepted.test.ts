// What a real API server says of objects that are only tried: nothing is stored.

import { dirname } from 'node:path'
import t from 'tap'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { checkAccepted } from '#rack/charts/preflight/accepted.ts'
import { renderOffline } from '#rack/charts/preflight/preflight.ts'
import { objectsIn } from '#rack/charts/preflight/rendered.ts'
import { kinds } from '#rack/kubernetes/objects.ts'
import { findTool } from '../../cluster/api-server.ts'
import { smallSite } from '../../../small-site.ts'
import { noCluster, startCluster } from '../cluster.ts'

const service = (name: string, nodePort: number) =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { type: NodePort, ports: [{ port: 80, nodePort: ${nodePort} }] }\n---\n`
const ingress = (host: string) =>
  `apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: api }\nspec: { rules: [{ host: "${host}" }] }\n---\n`
const map = (name: string, namespace = 'openstack') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: ${namespace} }\n---\n`
const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: racks.example.org }
spec:
  group: example.org
  scope: Namespaced
  names: { kind: Rack, plural: racks }
  versions: [{ name: v1, served: true, storage: true, schema: { openAPIV3Schema: { type: object } } }]
---
`
const rack = 'apiVersion: example.org/v1\nkind: Rack\nmetadata: { name: one }\n---\n'

t.test('the API server is asked about every object', { skip: noCluster, timeout: 120_000 }, async t => {
  const { api } = await startCluster(t)
  const refused = async (manifest: string) => {
    const rendered = [{ release: 'web', objects: objectsIn(manifest) }]
    return (await checkAccepted(api, 'openstack', rendered)).map(({ what }) => what)
  }

  await t.test('what it takes is no problem, and is not there afterwards', async t => {
    t.strictSame(await refused(map('good') + service('web', 30999) + ingress('web.example.org')), [])
    t.equal(await api.read({ ...kinds.namespace, name: 'openstack' }), undefined)
    t.equal(await api.read({ ...kinds.configMap, namespace: 'default', name: 'good' }), undefined)
  })

  await t.test('what it does not take is named with its own words', async t => {
    t.match(await refused(ingress('10.20.0.11')), [
      /^the API server does not take Ingress api: .*must be a DNS name, not an IP address/,
    ])
    t.match(await refused(map('Bad_Name')), [/ConfigMap Bad_Name: .*RFC 1123/])
    t.match(await refused(map('good', 'ceph')), [/ConfigMap good: namespaces "ceph" not found/])
    t.match(await refused(rack), [/Rack one: .*/])
  })

  await t.test('a kind or a namespace that the plan makes is not held against it', async t => {
    t.strictSame(await refused(definition + rack), [])
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: ceph }\n---\n'
    t.strictSame(await refused(namespace + map('good', 'ceph')), [])
  })

  await t.test('what is installed already is taken, its port too', async t => {
    await api.apply({ ...kinds.namespace, metadata: { name: 'openstack' } })
    const [object] = objectsIn(service('web', 30999))
    await api.apply({
      ...object,
      ...kinds.service,
      metadata: { name: 'web', namespace: 'openstack' },
    })
    t.strictSame(await refused(service('web', 30999)), [])
    t.match(await refused(service('other', 30999)), [/Service other: .*already allocated/])
  })

  await t.test('all objects of our own plan are taken', async t => {
    const plan = planCharts(smallSite)
    const { releases } = await renderOffline({
      site: smallSite,
      plan,
      stateDirectory: '/nowhere',
      toolsDirectory: dirname(findTool('helm') ?? ''),
    })
    t.ok(releases.flatMap(({ objects }) => objects).length > 60)
    t.strictSame(await checkAccepted(api, plan.namespace, releases), [])
  })
})
