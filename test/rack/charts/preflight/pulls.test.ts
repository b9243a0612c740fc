// Images that machines neither have nor reach.

import t from 'tap'
import { podGroupsOf, type Node } from '#rack/charts/preflight/capacity.ts'
import { checkPulls } from '#rack/charts/preflight/pulls.ts'
import { objectsIn } from '#rack/charts/preflight/rendered.ts'
import type { Values } from '#rack/charts/values/values.ts'

/** What is said of one release whose pod has these images. */
function problems(
  images: readonly string[],
  more: { reached?: readonly string[]; own?: Values; nodes?: readonly Node[] } = {},
) {
  const containers = images
    .map((image, index) => `{ name: c${index}, image: ${JSON.stringify(image)} }`)
    .join(', ')
  const pod = `apiVersion: v1\nkind: Pod\nmetadata: { name: agent }\nspec: { containers: [${containers}] }\n`
  const layers = [
    { origin: 'images', values: {} },
    { origin: 'site file', values: more.own ?? {} },
  ]
  const groups = podGroupsOf('agents', objectsIn(pod))
  return checkPulls([{ name: 'agents', layers }], groups, more.reached ?? [], more.nodes)
}

const nodeWith = (...names: readonly string[]): Node => ({
  metadata: { name: 'one' },
  status: { images: [{ names }] },
})

t.test("this program's images are on every machine", async t => {
  t.strictSame(problems(['pilotlight.local/openstack-helm:zed']), [])
})

t.test('an image from elsewhere is refused with its registry, and the key to name it by', async t => {
  const [problem] = problems(['registry.test/agent:2', 'docker-name:1', 'registry.test/other:1'])
  t.equal(
    problem?.what,
    'Pod agent wants the image registry.test/agent:2, and 2 more: no machine has them, and of those that machines pull from the site names no registry',
  )
  t.match(problem?.remedy, 'openstack: { registries: [registry.test, default] }')
  t.match(problem?.remedy, 'openstack.values.agents.images.tags')
})

t.test('a registry that the site names is reached, whole or below a path, and no other', async t => {
  const image = 'registry.test:5000/team/agent:2'
  t.strictSame(problems([image], { reached: ['registry.test:5000'] }), [])
  t.strictSame(problems([image], { reached: ['registry.test:5000/team/'] }), [])
  for (const reached of ['registry.test', 'registry.test:5000/tea', 'registry.test:5000/other'])
    t.match(problems([image], { reached: [reached] }), [{ what: `the site names ${reached}` }], reached)
  t.strictSame(problems(['agent', 'team/agent:2'], { reached: ['default'] }), [])
})

t.test("images that the site's values name are its own choice", async t => {
  const own = { images: { tags: { agent: 'registry.test/agent:2' } } }
  t.strictSame(problems(['registry.test/agent:2'], { own }), [])
  t.equal(problems(['registry.test/agent:3'], { own }).length, 1)
})

t.test('an image that every node for its pods has is there', async t => {
  t.strictSame(problems(['agent:2'], { nodes: [nodeWith('registry.test/library/agent:2')] }), [])
  t.equal(problems(['agent:2'], { nodes: [nodeWith('registry.test/library/agent:2'), nodeWith()] }).length, 1)
  t.equal(problems(['agent:2'], { nodes: [nodeWith('agent:1')] }).length, 1)
})
