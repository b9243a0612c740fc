// Who may do what besides what Kubernetes itself grants, and how pods find the API.

import { machinesOf, type Site } from '#site/site.ts'
import { groups, ports } from '../layout.ts'
import { checkpointName } from './control-plane.ts'
import { bindClusterRole, subjectOf, type Manifest } from './object.ts'

/** Gives our administrators' group its right. Only the break-glass identity can apply this one at first. */
export function administrators(): Manifest[] {
  return [bindClusterRole(groups.admins, 'cluster-admin', { kind: 'Group', name: groups.admins })]
}

/** Pod Security of the system's own namespace, and the rights of the API server's and checkpointer's clients. */
export function access(): Manifest[] {
  const reader = 'pilotlight-checkpointer'
  const inKubeSystem = { name: reader, namespace: 'kube-system' }
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: 'kube-system',
        labels: {
          'pod-security.kubernetes.io/enforce': 'privileged',
          'pod-security.kubernetes.io/audit': 'privileged',
          'pod-security.kubernetes.io/warn': 'privileged',
        },
      },
    },
    bindClusterRole('pilotlight:apiserver-kubelet-client', 'system:kubelet-api-admin', {
      kind: 'User',
      name: 'kube-apiserver-kubelet-client',
    }),
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: inKubeSystem,
      rules: [
        { apiGroups: [''], resources: ['configmaps'], resourceNames: [checkpointName], verbs: ['get'] },
        {
          // To take the lease from a static copy that it has stopped.
          apiGroups: ['coordination.k8s.io'],
          resources: ['leases'],
          resourceNames: ['kube-controller-manager', 'kube-scheduler'],
          verbs: ['get', 'patch'],
        },
      ],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: inKubeSystem,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: reader },
      subjects: [subjectOf({ kind: 'Group', name: groups.checkpointers })],
    },
  ]
}

/**
 * The endpoints of Service `default/kubernetes`: the controllers. The API servers leave them alone (their
 * reconciler is off), so a copy that stops takes nothing away from its twin on the same address.
 */
export function apiEndpoints(site: Site): Manifest[] {
  const addresses = machinesOf(site, 'controller').map(machine => machine.address)
  const metadata = { name: 'kubernetes', namespace: 'default' }
  return [
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
      addressType: 'IPv4',
      endpoints: addresses.map(address => ({ addresses: [address], conditions: { ready: true } })),
      ports: [{ name: 'https', port: ports.apiserver, protocol: 'TCP' }],
    },
    {
      // For clients that still read the older kind; the slice above is the one that counts.
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { ...metadata, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
      subsets: [
        {
          addresses: addresses.map(ip => ({ ip })),
          ports: [{ name: 'https', port: ports.apiserver, protocol: 'TCP' }],
        },
      ],
    },
  ]
}
