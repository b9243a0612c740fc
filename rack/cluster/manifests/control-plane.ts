// The control plane proper: API server, controller manager and scheduler, each in two forms made from one
// description. The static form runs on a machine's own kubelet without any API: it is the temporary control
// plane of the first minute and the checkpoint after it. The self-hosted form is a DaemonSet or a Deployment.
//
// Both forms run side by side for a while. Which one answers is never left to chance:
// - The static API server binds the machine's address, the self-hosted one all addresses, on one port. The
//   kernel gives a connection to the more specific listener, so clients reach the static copy until it stops and
//   the other from then on, while 127.0.0.1 reaches the self-hosted copy alone: its readiness probe and its own
//   loopback client never get an answer from its twin. Sharing a port needs SO_REUSEPORT and one uid (socket(7)).
// - Controller manager and scheduler listen on 127.0.0.1 on ports of their own form, and elect a leader.

import { machinesOf, type Site } from '../../site/site.ts'
import { components, partOf, type Component, type Part } from './components.ts'
import {
  daemonSet,
  fromField,
  hostPath,
  labelsOf,
  mount,
  nameLabel,
  onControllers,
  tolerateEverything,
} from './object.ts'
import type { Manifest } from '../../kubernetes/objects.ts'

/** The label of static copies: `static`; the self-hosted form has none. */
export const copyLabel = 'pilotlight.local/copy'

/** The ConfigMap from which each controller's checkpointer renews the static copies that it keeps. */
export const checkpointName = 'pilotlight-checkpoint'

/** The ConfigMap of the site's machines: name to address. */
export const machinesName = 'pilotlight-machines'

/**
 * The static pod of `component`: the same on every controller, without anything that only an API could give
 * (Kubernetes >= 1.34 refuses static pods that refer to API objects).
 */
export function staticPod(site: Site, component: Component): Manifest {
  const part = partOf(site, component, 'static')
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: component,
      namespace: 'kube-system',
      labels: { ...labelsOf(component), [copyLabel]: 'static' },
    },
    spec: podSpec(part),
  }
}

/** The self-hosted control plane, and the static copies as the checkpointers fetch them. */
export function controlPlane(site: Site): Manifest[] {
  return [
    apiserverDaemonSet(site),
    deployment(site, 'kube-controller-manager'),
    deployment(site, 'kube-scheduler'),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: checkpointName, namespace: 'kube-system' },
      data: Object.fromEntries(
        components.map(component => [component, JSON.stringify(staticPod(site, component))]),
      ),
    },
  ]
}

function apiserverDaemonSet(site: Site): Manifest {
  const name = 'kube-apiserver'
  // The next version starts beside the last one. While both answer 127.0.0.1 a probe may get "ready" from
  // the old copy, so the new one has to stay ready for as long as a start takes.
  const rolling = {
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    minReadySeconds: 10,
  }
  const pod = selfHosted(podSpec(partOf(site, name, 'self-hosted')), { nodeSelector: onControllers })
  return daemonSet(name, rolling, pod)
}

function deployment(site: Site, name: Component): Manifest {
  const replicas = machinesOf(site, 'controller').length
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'kube-system', labels: labelsOf(name) },
    spec: {
      replicas,
      selector: { matchLabels: { [nameLabel]: name } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: labelsOf(name) },
        spec: selfHosted(podSpec(partOf(site, name, 'self-hosted')), {
          nodeSelector: onControllers,
          ...(replicas > 1 ? { affinity: oneEachController(name) } : {}),
        }),
      },
    },
  }
}

/** Pods of one version keep apart; the next version may run beside the last one, or no roll could begin. */
function oneEachController(name: Component): object {
  const term = {
    topologyKey: 'kubernetes.io/hostname',
    labelSelector: { matchLabels: { [nameLabel]: name } },
    matchLabelKeys: ['pod-template-hash'],
  }
  return { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } }
}

function selfHosted(spec: object, more: object): object {
  return {
    ...spec,
    ...more,
    automountServiceAccountToken: false, // its identity is a certificate, which works without an API
    tolerations: tolerateEverything,
    priorityClassName: 'system-node-critical',
  }
}

function podSpec(part: Part): object {
  const probe = (path: string, more: object) => ({
    httpGet: {
      ...(part.probe.host === undefined ? {} : { host: part.probe.host }),
      port: part.probe.port,
      path,
      scheme: 'HTTPS',
    },
    timeoutSeconds: 15,
    ...more,
  })
  return {
    hostNetwork: true, // and no `ports`: they would become host ports, and forbid the second copy
    dnsPolicy: 'Default',
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 15,
    securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: part.component,
        image: part.image,
        imagePullPolicy: 'IfNotPresent',
        command: [part.component, ...part.flags],
        env: [fromField('HOST_IP', 'status.hostIP')],
        resources: { requests: { cpu: part.cpu } },
        // Root without any capability: it reads its own files, and every copy has the one uid that port sharing
        // asks for.
        securityContext: {
          runAsUser: 0,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
          readOnlyRootFilesystem: true,
        },
        volumeMounts: [
          mount('files', part.directory),
          ...(part.writes === undefined ? [] : [mount('written', part.writes, false)]),
        ],
        startupProbe: probe(part.probe.live, { periodSeconds: 1, failureThreshold: 180 }),
        readinessProbe: probe(part.probe.ready, { periodSeconds: 1, failureThreshold: 3 }),
        livenessProbe: probe(part.probe.live, { periodSeconds: 10, failureThreshold: 8 }),
      },
    ],
    volumes: [
      hostPath('files', part.directory),
      ...(part.writes === undefined ? [] : [hostPath('written', part.writes, 'DirectoryOrCreate')]),
    ],
  }
}
