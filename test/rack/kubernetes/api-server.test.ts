// The client and the watch against a real kube-apiserver with the product's flags: what a script could get wrong.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { mintAdministrator } from '#rack/cluster/pki.ts'
import { renderKubeconfig } from '#rack/cluster/kubeconfig.ts'
import { connect } from '#rack/kubernetes/connect.ts'
import { NamespaceView } from '#rack/kubernetes/namespace-view.ts'
import { cordon, evictAll, uncordon } from '#rack/kubernetes/drain.ts'
import { kinds, type KubernetesObject, type Node } from '#rack/kubernetes/objects.ts'
import { silentStage } from '#progress/stage.ts'
import { waitUntil } from '#progress/wait.ts'
import { findTool, missingTools, startApiServer } from '../cluster/api-server.ts'
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

  await t.test('a node is drained and given back; a pod that may not leave is named', async t => {
    const name = 'cmp-9'
    await client.apply({ ...kinds.node, metadata: { name } })
    await client.apply({ ...kinds.serviceAccount, metadata: { name: 'default', namespace } })
    const pod = (name_: string, owner?: string) => ({
      ...kinds.pod,
      metadata: {
        name: name_,
        namespace,
        labels: { of: name_ },
        ...(owner !== undefined && {
          ownerReferences: [
            {
              apiVersion: 'apps/v1',
              kind: owner,
              name: 'x',
              uid: '0e2f0000-0000-4000-8000-000000000001',
              controller: true,
            },
          ],
        }),
      },
      // No kubelet runs that would end a pod within its grace period.
      spec: { nodeName: name, terminationGracePeriodSeconds: 0, containers: [{ name: 'it', image: 'it' }] },
    })
    for (const one of [
      pod('web', 'ReplicaSet'),
      pod('db', 'StatefulSet'),
      pod('agent', 'DaemonSet'),
      pod('bare'),
    ])
      await client.apply(one)
    // A budget counts for pods that run; a kubelet would say so.
    const file = join(root, 'kubeconfig')
    await writeFile(file, kubeconfig)
    const running = [
      'patch',
      'pod',
      'db',
      '--namespace',
      namespace,
      '--subresource=status',
      '--type=merge',
      '--patch',
    ]
    await run(
      findTool('kubectl') ?? '',
      ['--kubeconfig', file, ...running, '{"status": {"phase": "Running"}}'],
      {
        limitSeconds: 20,
      },
    )
    // Whether it allows a disruption is computed by a controller, which does not run here: so it allows none.
    const budget = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' }
    await client.apply({
      ...budget,
      metadata: { name: 'db', namespace },
      spec: { minAvailable: 1, selector: { matchLabels: { of: 'db' } } },
    })
    const unschedulable = async () =>
      (await client.read<Node>({ ...kinds.node, name }))?.spec?.unschedulable ?? false
    await cordon(client, name, 'upgrade to 1111bbbb1111')
    t.equal(await unschedulable(), true)
    const limits = { limitSeconds: 1, everyMs: 100, stage: silentStage }
    await t.rejects(evictAll(client, name, limits), {
      code: 'WAITED_TOO_LONG',
      message: /1 pods are left on cmp-9: watched\/db; watched\/db: .*disruption budget/,
    })
    const left = async () =>
      (await client.list<KubernetesObject>({ ...kinds.pod, fields: `spec.nodeName=${name}` })).items
        .map(({ metadata }) => metadata.name)
        .toSorted((a, b) => a.localeCompare(b))
    t.strictSame(await left(), ['agent', 'bare', 'db'])
    await client.remove({ ...budget, namespace, name: 'db' })
    t.equal(await evictAll(client, name, { ...limits, limitSeconds: 20 }), 1)
    t.strictSame(await left(), ['agent', 'bare'])
    t.strictSame(await client.evict({ namespace, name: 'db' }), { state: 'gone' })
    t.equal(await uncordon(client, name), true)
    t.equal(await unschedulable(), false)
    t.equal(await uncordon(client, name), false, 'a second time there is nothing to give back')
    await client.merge({ ...kinds.node, name }, { spec: { unschedulable: true } })
    await cordon(client, name, 'upgrade')
    t.equal(await uncordon(client, name), false, 'one that an operator cordoned stays so')
    t.equal(await unschedulable(), true)
    await t.rejects(cordon(client, 'nope', 'upgrade'), { code: 'NOT_FOUND' })
  })
})
