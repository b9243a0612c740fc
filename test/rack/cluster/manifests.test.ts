// The manifests of the small rack as they are applied, kept as golden files: `UPDATE_GOLDEN=1` rewrites them.

import { readFile, writeFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { administrators } from '#rack/cluster/manifests/access.ts'
import { clusterManifests } from '#rack/cluster/manifests/all.ts'
import { components } from '#rack/cluster/manifests/components.ts'
import { staticPod } from '#rack/cluster/manifests/control-plane.ts'
import type { Manifest } from '#rack/kubernetes/objects.ts'
import { smallSite } from '../../small-site.ts'

/** Compares with the golden file of that name; renewing it still fails the run, so that no one forgets to look. */
async function golden(t: Test, name: string, manifests: readonly Manifest[]): Promise<void> {
  const file = new URL(`golden/${name}.json`, import.meta.url)
  if (process.env['UPDATE_GOLDEN'] === '1') {
    await writeFile(file, `${JSON.stringify(manifests, null, 2)}\n`)
    t.fail(`renewed ${name}.json: read the difference, then run without UPDATE_GOLDEN`)
    return
  }
  t.strictSame(manifests, JSON.parse(await readFile(file, 'utf8')))
}

t.test('the objects of the small rack are those of the golden file', t =>
  golden(t, 'objects', [...administrators(), ...clusterManifests(smallSite)]),
)

t.test('the static copies of the small rack are those of the golden file', t =>
  golden(
    t,
    'static-pods',
    components.map(component => staticPod(smallSite, component)),
  ),
)

t.test('with three controllers the leaders are three, apart from each other', async t => {
  const controllers = ['1', '2', '3'].map(n => ({
    name: `ctl-${n}`,
    macs: [`52:54:00:20:01:0${n}`],
    role: 'controller' as const,
    address: `10.20.0.2${n}`,
    labels: {},
  }))
  const objects = clusterManifests({ ...smallSite, machines: controllers })
  t.match(
    objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'kube-scheduler'),
    { spec: { replicas: 3, template: { spec: { affinity: { podAntiAffinity: Object } } } } },
  )
})

t.test('a site without resolvers has its DNS answer for the cluster alone', async t => {
  const corefiles = [smallSite, { ...smallSite, network: { ...smallSite.network, dns: [] } }].map(site =>
    clusterManifests(site).find(it => it.kind === 'ConfigMap' && it.metadata.name === 'coredns'),
  )
  t.match(corefiles[0], { data: { Corefile: /^ {2}forward \. 10\.20\.0\.1$/m } })
  t.match(corefiles[1], { data: { Corefile: /^(?!.*forward)/s } })
})

t.test('no object is declared twice', async t => {
  const keys = clusterManifests(smallSite).map(
    ({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`,
  )
  t.strictSame(keys, [...new Set(keys)])
})
