// A real kube-apiserver with a node, but no kubelet: tests report workloads ready by themselves.

import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { kinds, type KubernetesObject } from '#rack/kubernetes/objects.ts'
import type { KubernetesClient } from '#rack/kubernetes/client.ts'
import { connect } from '#rack/kubernetes/connect.ts'
import { renderKubeconfig, writeKubeconfig } from '#rack/cluster/kubeconfig.ts'
import { administrators } from '#rack/cluster/manifests/access.ts'
import { mintAdministrator } from '#rack/cluster/pki.ts'
import { run } from '#host/command.ts'
import { silentStage } from '#progress/stage.ts'
import { sleep } from '#progress/wait.ts'
import { findTool, missingTools, startApiServer } from '../cluster/api-server.ts'
import { testPki } from '../../site-pki.ts'
import { smallSite } from '../../small-site.ts'

const helm = findTool('helm')

/** Why such a cluster cannot run here, or false. */
export const noCluster =
  missingTools() || (helm === undefined ? 'helm not built yet (pilotlight lab builds it)' : false)

/** What a test of the chart stage works with. */
export type ChartCluster = {
  readonly root: string
  readonly api: KubernetesClient
  /** For every verb. */
  readonly common: {
    readonly kubeconfigPath: string
    readonly stateDirectory: string
    readonly toolsDirectory: string
    readonly stage: typeof silentStage
  }
  readonly kubectl: (...args: string[]) => Promise<unknown>
  /** Plays the kubelet until `work` has ended: every workload is ready, of its newest generation. */
  readonly reportUntil: <T>(work: Promise<T>) => Promise<T>
}

/** Starts it; it ends with the test. */
export async function startCluster(t: Test): Promise<ChartCluster> {
  const root = t.testdir()
  const pki = await testPki(join(root, 'pki'))
  const server = await startApiServer(smallSite, pki, root)
  t.teardown(() => server.close())
  const kubeconfigPath = join(root, 'kubeconfig')
  await writeKubeconfig(kubeconfigPath, pki, server.server)
  const authority = pki.authorities.ca.certificate
  const breakGlass = await connect(
    renderKubeconfig(
      server.server,
      authority,
      'break-glass',
      await mintAdministrator(pki.authorities.ca, 'break-glass'),
    ),
  )
  for (const manifest of administrators()) await breakGlass.apply(manifest)
  await breakGlass.close()
  const api = await connect(await readFile(kubeconfigPath, 'utf8'))
  t.teardown(() => api.close())
  const labels = { 'openstack-control-plane': 'enabled', 'openstack-compute-node': 'enabled' }
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'ctl-1', labels } }
  await api.apply(node)
  const kubectl = (...args: string[]) =>
    run(findTool('kubectl') ?? 'kubectl', ['--kubeconfig', kubeconfigPath, '-n', 'openstack', ...args], {
      limitSeconds: 20,
    })
  const reportReady = async () => {
    for (const kind of [kinds.deployment, kinds.statefulset]) {
      const { items } = await api.list<KubernetesObject>({ ...kind, namespace: 'openstack' })
      for (const { metadata } of items) {
        const counts = { replicas: 1, readyReplicas: 1, availableReplicas: 1, updatedReplicas: 1 }
        const patch = JSON.stringify({ status: { observedGeneration: metadata.generation, ...counts } })
        await kubectl('patch', kind.kind, metadata.name, '--subresource=status', '--type=merge', '-p', patch)
      }
    }
  }
  return {
    root,
    api,
    common: {
      kubeconfigPath,
      stateDirectory: join(root, 'state'),
      toolsDirectory: dirname(helm ?? ''),
      stage: silentStage,
    },
    kubectl,
    reportUntil: async work => {
      const ended = new AbortController()
      const end = () => ended.abort()
      void work.then(end, end)
      while (!ended.signal.aborted) {
        await reportReady()
        await sleep(200)
      }
      return work
    },
  }
}
