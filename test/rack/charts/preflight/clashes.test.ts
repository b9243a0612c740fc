// What two objects of a plan cannot both have.

import t from 'tap'
import { checkClashes } from '#rack/charts/preflight/clashes.ts'
import { objectsIn } from '#rack/charts/preflight/rendered.ts'

const problems = (one: string, two: string) =>
  checkClashes('openstack', [
    { release: 'one', objects: objectsIn(one) },
    { release: 'two', objects: objectsIn(two) },
  ]).map(({ release, what }) => `${release}: ${what}`)

const service = (name: string, ports: string) =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [${ports}] }\n`

t.test('an object of two releases is named with both', async t => {
  const api = service('api', '')
  t.strictSame(problems(api, api), ['two: Service api is made by release one too'])
  const named = 'apiVersion: v1\nkind: Service\nmetadata: { name: api, namespace: openstack }\n'
  t.equal(problems(api, named).length, 1, 'the namespace of the plan, with and without its name')
  t.strictSame(problems(api, named.replace('openstack', 'other')), [])
  t.strictSame(problems(api, api.replace('Service', 'ConfigMap')), [])
})

t.test('a node port belongs to one service, by its protocol', async t => {
  const keystone = service('keystone-api', '{ port: 5000, nodePort: 30500 }')
  t.strictSame(problems(keystone, service('glance-api', '{ port: 9292, nodePort: 30500 }')), [
    'two: Service glance-api takes node port 30500, which Service keystone-api of release one takes too',
  ])
  t.strictSame(problems(keystone, service('dns', '{ port: 53, nodePort: 30500, protocol: UDP }')), [])
  t.strictSame(problems(keystone, service('glance-api', '{ port: 9292 }')), [])
})

t.test('a node port is one that nodes give', async t => {
  t.strictSame(problems(service('api', '{ port: 80, nodePort: 80 }, { port: 81, nodePort: 32767 }'), ''), [
    'one: Service api takes node port 80; node ports are 30000 to 32767',
  ])
  t.equal(problems(service('api', '{ port: 80, nodePort: 32768 }'), '').length, 1)
})
