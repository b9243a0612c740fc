// The client and the watch against a real kube-apiserver with the product's flags: what a script could get wrong.

import { join } from 'node:path'
import t from 'tap'
import { mintAdministrator } from '#rack/cluster/pki.ts'
import { renderKubeconfig } from '#rack/cluster/kubeconfig.ts'
import { connect } from '#rack/kubernetes/connect.ts'
import { NamespaceView } from '#rack/kubernetes/namespace-view.ts'
import { kinds, type KubernetesObject } from '#rack/kubernetes/objects.ts'
import { waitUntil } from '#progress/wait.ts'
import { missingTools, startApiServer } from '../cluster/api-server.ts'
import { testPki } from '../../site-pki.ts'
import { smallSite } from '../../small-site.ts'

const until = <T>(what: string, look: () => Promise<T | undefined>) =>
  waitUntil(what, { limitSeconds: 20, everyMs: 20 }, async () => {
    const seen = await look()
    return seen === undefined ? { not: 'not seen' } : { value: seen }
  })

t.test('client and watch on a real API server', { skip: missingTools(), timeout: 120_000 }, async t => {
  const root = t.testdir()
  const pki = await testPki(join(root, 'pki'))
  const api = await startApiServer(smallSite, pki, root)
  t.teardown(() => api.close())
  const pair = await mintAdministrator(pki.authorities.ca, 'break-glass')
  const kubeconfig = renderKubeconfig(api.server, pki.authorities.ca.certificate, 'break-glass', pair)
  const client = await connect(kubeconfig)
  t.teardown(() => client.close())
  const namespace = 'watched'
  await client.apply({ ...kinds.namespace, metadata: { name: namespace } })

  const labels = { app: 'it' }
  const deployment = (name: string, replicas: number) => ({
    ...kinds.deployment,
    metadata: { name, namespace, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'it', image: 'it' }] } },
    },
  })
  await t.test('a namespace is seen as it changes', async t => {
    const view = new NamespaceView(client, namespace)
    t.teardown(() => view.close())
    t.strictSame((await view.look()).deployments, [])
    await client.apply(deployment('a', 1))
    await until('the deployment', async () => (await view.look()).deployments[0])
    await client.apply(deployment('a', 3))
    await until('the change', async () =>
      (await view.look()).deployments.find(({ spec }) => spec?.replicas === 3),
    )
    await client.remove({ ...kinds.deployment, namespace, name: 'a' })
    await until('the removal', async () => ((await view.look()).deployments.length === 0 ? true : undefined))
  })

  await t.test('a watch outlives its API server', async t => {
    const view = new NamespaceView(client, namespace)
    t.teardown(() => view.close())
    await client.apply(deployment('b', 1))
    await until('the deployment', async () => (await view.look()).deployments[0])
    await api.restart()
    await client.apply(deployment('b', 2))
    const seen = await until('the change', async () =>
      (await view.look()).deployments.find(({ spec }) => spec?.replicas === 2),
    )
    t.equal(seen.metadata.name, 'b')
  })

  await t.test('a selection is made by the server, and metadata comes without the rest', async t => {
    const secret = (name: string, owner: string) => ({
      ...kinds.secret,
      metadata: { name, namespace, labels: { owner } },
      stringData: { word: 'pssst' },
    })
    await client.apply(secret('one', 'helm'))
    await client.apply(secret('two', 'another'))
    const found = await client.listMetadata({ ...kinds.secret, namespace, labels: 'owner=helm' })
    t.strictSame(
      found.map(({ metadata }) => metadata.name),
      ['one'],
    )
    t.notMatch(JSON.stringify(found), /pssst|"data":/)
    const byField = await client.list<KubernetesObject>({
      ...kinds.secret,
      namespace,
      fields: 'metadata.name=two',
    })
    t.equal(byField.items.length, 1)
  })

  await t.test('a field that the server does not know is its to refuse, not ours to drop', async t => {
    const { spec, ...rest } = deployment('c', 1)
    await t.rejects(client.apply({ ...rest, spec: { ...spec, fromTomorrow: 1 } }), {
      status: 500,
      message: /fromTomorrow/,
    })
  })
})
