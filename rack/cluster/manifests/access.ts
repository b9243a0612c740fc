// Who may do what besides what Kubernetes itself grants, and how pods find the API.

import { machinesOf, type Site } from '../../site/site.ts'
import { groups, ports } from '../layout.ts'
import { checkpointName, machinesName } from './control-plane.ts'
import { bindClusterRole, subjectOf } from './object.ts'
import type { Manifest } from '../../kubernetes/objects.ts'

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
        {
          apiGroups: [''],
          resources: ['configmaps'],
          resourceNames: [checkpointName, machinesName],
          verbs: ['get'],
        },
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
    ...kubeletCertificates(),
  ]
}

/**
 * How kubelets renew their certificates. The controller manager approves a client certificate itself when its node asks
 * for its own; nothing in Kubernetes approves a serving certificate, because nothing there knows a node's true names:
 * the checkpointers do, from the site's machines.
 */
function kubeletCertificates(): Manifest[] {
  const approver = 'pilotlight:kubelet-serving-approver'
  const requests = 'certificatesigningrequests'
  return [
    bindClusterRole(
      'pilotlight:kubelet-client-renewal',
      'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
      { kind: 'Group', name: groups.nodes },
    ),
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: approver },
      rules: [
        { apiGroups: ['certificates.k8s.io'], resources: [requests], verbs: ['list', 'get'] },
        {
          apiGroups: ['certificates.k8s.io'],
          resources: [`${requests}/approval`],
          verbs: ['update', 'patch'],
        },
        {
          apiGroups: ['certificates.k8s.io'],
          resources: ['signers'],
          resourceNames: ['kubernetes.io/kubelet-serving'],
          verbs: ['approve'],
        },
      ],
    },
    bindClusterRole(approver, approver, { kind: 'Group', name: groups.checkpointers }),
  ]
}

/** The site's machines with their addresses: what a kubelet may be named in its serving certificate. */
export function siteMachines(site: Site): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: machinesName, namespace: 'kube-system' },
    data: Object.fromEntries(site.machines.map(({ name, address }) => [name, address])),
  }
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
