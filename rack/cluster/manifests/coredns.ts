// CoreDNS: names of Services, and the site's resolvers behind it.

import { imageReferences } from '#images/references.ts'
import { machinesOf, type Site } from '../../site/site.ts'
import { dnsServiceAddress } from '../network.ts'
import {
  accountWithRights,
  apiEnvironment,
  labelsOf,
  mount,
  nameLabel,
  onControllers,
  tolerateControllers,
} from './object.ts'
import type { Manifest } from '../../kubernetes/objects.ts'

const name = 'coredns'

/** CoreDNS on the controllers, at the tenth Service address. */
export function coredns(site: Site): Manifest[] {
  const metadata = { name, namespace: 'kube-system', labels: labelsOf(name) }
  return [
    ...accountWithRights(name, [
      { apiGroups: [''], resources: ['services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    ]),
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { Corefile: corefile(site) } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...metadata, name: 'kube-dns' },
      spec: {
        clusterIP: dnsServiceAddress(site.cluster.serviceCidr),
        selector: { [nameLabel]: name },
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
          { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
        ],
      },
    },
    // All may ask for names: pods, and machines, whose addresses no selector finds. The kubelet reaches the pods of its node anyway.
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata,
      spec: {
        podSelector: { matchLabels: { [nameLabel]: name } },
        policyTypes: ['Ingress'],
        ingress: [{ ports: ['UDP', 'TCP'].map(protocol => ({ protocol, port: 53 })) }],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: Math.min(2, machinesOf(site, 'controller').length),
        selector: { matchLabels: { [nameLabel]: name } },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        template: {
          metadata: { labels: labelsOf(name) },
          spec: {
            serviceAccountName: name,
            nodeSelector: onControllers,
            dnsPolicy: 'Default',
            enableServiceLinks: false,
            securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
            tolerations: tolerateControllers,
            priorityClassName: 'system-cluster-critical',
            containers: [container(site)],
            volumes: [{ name: 'config', configMap: { name } }],
          },
        },
      },
    },
  ]
}

function container(site: Site): object {
  return {
    name,
    image: imageReferences(site.cluster.kubernetes).coredns,
    imagePullPolicy: 'IfNotPresent',
    args: ['-conf', '/etc/coredns/Corefile'],
    env: apiEnvironment(site),
    resources: { requests: { cpu: '50m' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
      readOnlyRootFilesystem: true,
    },
    volumeMounts: [mount('config', '/etc/coredns')],
    readinessProbe: { httpGet: { port: 8181, path: '/ready' }, periodSeconds: 1, timeoutSeconds: 5 },
    livenessProbe: {
      httpGet: { port: 8080, path: '/health' },
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 6,
    },
  }
}

/**
 * A name that does not exist yet is forgotten after a second: pods look Services up before they are made. Names
 * from outside are asked of the site's resolvers; a site without any answers for the cluster alone.
 */
function corefile(site: Site): string {
  const resolvers = site.network.dns.join(' ')
  return `.:53 {
  errors
  health {
    lameduck 0s
  }
  ready
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
    ttl 5
  }
${resolvers === '' ? '' : `  forward . ${resolvers}\n`}  cache {
    success 9984 30
    denial 9984 1
  }
}
`
}
