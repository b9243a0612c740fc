// kube-proxy: makes Service addresses work on every node, with nftables.

import { stringify } from 'yaml'
import { imageReferences } from '#images/references.ts'
import type { Site } from '../../site/site.ts'
import type { Manifest } from '../../kubernetes/objects.ts'
import { apiUrl } from '../network.ts'
import { bindClusterRole, fromField, labelsOf, mount, nodeDaemon, serviceAccount } from './object.ts'

const name = 'kube-proxy'
const credentials = '/var/run/secrets/kubernetes.io/serviceaccount'

/** kube-proxy, which reaches the API by its real address: the Service address is what it is about to make. */
export function kubeProxy(site: Site): Manifest[] {
  const metadata = { name, namespace: 'kube-system', labels: labelsOf(name) }
  return [
    serviceAccount(name),
    bindClusterRole('pilotlight:kube-proxy', 'system:node-proxier', { kind: 'ServiceAccount', name }),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata,
      data: { 'config.yaml': configuration(site), kubeconfig: kubeconfig(site) },
    },
    nodeDaemon(
      name,
      [
        {
          name,
          image: imageReferences(site.cluster.kubernetes).kubeProxy,
          imagePullPolicy: 'IfNotPresent',
          command: ['kube-proxy', '--config=/etc/kube-proxy/config.yaml', '--hostname-override=$(NODE_NAME)'],
          env: [fromField('NODE_NAME', 'spec.nodeName')],
          resources: { requests: { cpu: '50m' } },
          securityContext: { privileged: true },
          volumeMounts: [mount('config', '/etc/kube-proxy')],
        },
      ],
      [{ name: 'config', configMap: { name } }],
    ),
  ]
}

function configuration(site: Site): string {
  return stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    clusterCIDR: site.cluster.podCidr,
    clientConnection: { kubeconfig: '/etc/kube-proxy/kubeconfig' },
    // The connection table's size belongs to the machine; in a container machine it cannot even be written.
    conntrack: { maxPerCore: 0, min: 0 },
    // A second, which is the default, is a second in which a new Service refuses its first clients.
    nftables: { minSyncPeriod: '250ms' },
  })
}

function kubeconfig(site: Site): string {
  const server = apiUrl(site)
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'cluster', cluster: { server, 'certificate-authority': `${credentials}/ca.crt` } }],
    users: [{ name, user: { tokenFile: `${credentials}/token` } }],
    contexts: [{ name: 'cluster', context: { cluster: 'cluster', user: name } }],
    'current-context': 'cluster',
  })
}
