// Kubernetes objects as plain data, and the few shapes that several of our manifests share.

import type { Manifest } from '../../kubernetes/objects.ts'
import type { Site } from '../../site/site.ts'
import { apiEndpoint } from '../network.ts'

/** The label that distinguishes our own objects from others', and by which selectors find their pods. */
export const nameLabel = 'app.kubernetes.io/name'

/** For pods that make a node usable, or that must outlive its troubles. */
export const tolerateEverything = [{ operator: 'Exists' }] as const

/**
 * For pods on controllers that need the pod network. They do not tolerate a node that is not ready: placed before
 * its network they would fail, and be tried again only ten seconds later.
 */
export const tolerateControllers = [
  { key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' },
] as const

/** Selects controllers; set by the admin client only, see `bringup.ts`. */
export const onControllers = { 'node-role.kubernetes.io/control-plane': '' } as const

/** The labels of the objects and pods of `name`. */
export function labelsOf(name: string): Record<string, string> {
  return { [nameLabel]: name, 'app.kubernetes.io/part-of': 'pilotlight' }
}

/** A volume from the machine's own file system. */
export function hostPath(name: string, path: string, type = 'Directory'): object {
  return { name, hostPath: { path, type } }
}

/** The mount of a volume in a container. */
export function mount(name: string, mountPath: string, readOnly = true): object {
  return { name, mountPath, readOnly }
}

/** An environment variable with a fact about the pod or its node. */
export function fromField(name: string, fieldPath: string): object {
  return { name, valueFrom: { fieldRef: { fieldPath } } }
}

/** A service account in kube-system. */
export function serviceAccount(name: string): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace: 'kube-system', labels: labelsOf(name) },
  }
}

/** A service account in kube-system that may do what `rules` say, in the whole cluster. */
export function accountWithRights(name: string, rules: readonly object[]): Manifest[] {
  const role = `pilotlight:${name}`
  return [
    serviceAccount(name),
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: role }, rules },
    bindClusterRole(role, role, { kind: 'ServiceAccount', name }),
  ]
}

/** What gives a client in a pod the real address of the API: Services need kube-proxy, which may start later. */
export function apiEnvironment(site: Site): object[] {
  const { host, port } = apiEndpoint(site)
  return [
    { name: 'KUBERNETES_SERVICE_HOST', value: host },
    { name: 'KUBERNETES_SERVICE_PORT', value: String(port) },
  ]
}

/** A DaemonSet in kube-system with pods of this spec; `rolling` says how one version follows another. */
export function daemonSet(name: string, rolling: object, pod: object): Manifest {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: 'kube-system', labels: labelsOf(name) },
    spec: {
      selector: { matchLabels: { [nameLabel]: name } },
      ...rolling,
      template: { metadata: { labels: labelsOf(name) }, spec: pod },
    },
  }
}

/** A DaemonSet in kube-system that makes every node usable: it comes up whatever is wrong with the node. */
export function nodeDaemon(
  name: string,
  containers: readonly object[],
  volumes: readonly object[],
): Manifest {
  const rolling = { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%' } } }
  return daemonSet(name, rolling, {
    serviceAccountName: name,
    hostNetwork: true,
    tolerations: tolerateEverything,
    priorityClassName: 'system-node-critical',
    terminationGracePeriodSeconds: 5,
    containers,
    volumes,
  })
}

/** Gives a cluster role to one subject. */
export function bindClusterRole(name: string, role: string, subject: Subject): Manifest {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [subjectOf(subject)],
  }
}

/** Who gets a role: a service account of kube-system, or a user or group that certificates name. */
export type Subject = { readonly kind: 'ServiceAccount' | 'User' | 'Group'; readonly name: string }

/** The subject as RBAC writes it. */
export function subjectOf(subject: Subject): object {
  return subject.kind === 'ServiceAccount'
    ? { ...subject, namespace: 'kube-system' }
    : { ...subject, apiGroup: 'rbac.authorization.k8s.io' }
}
