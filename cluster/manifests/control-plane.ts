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

import { imageReferences } from '#images/references.ts'
import { machinesOf, type Site } from '#site/site.ts'
import { directories, ports } from '../layout.ts'
import {
  fromField,
  hostPath,
  labelsOf,
  mount,
  nameLabel,
  onControllers,
  tolerateEverything,
  type Manifest,
} from './object.ts'

/** The label of static copies: `static`; the self-hosted form has none. */
export const copyLabel = 'pilotlight.local/copy'

/** The ConfigMap from which each controller's checkpointer renews the static copies that it keeps. */
export const checkpointName = 'pilotlight-checkpoint'

/** The three parts of the control plane, by the name of their binary, image and pods. */
export type Component = 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler'

/** The components, in the order in which they start. */
export const components: readonly Component[] = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
]

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
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: 'kube-system', labels: labelsOf(name) },
    spec: {
      selector: { matchLabels: { [nameLabel]: name } },
      // The next version starts beside the last one. While both answer 127.0.0.1 a probe may be told "ready" by
      // the old copy, so the new one has to stay ready for as long as a start takes.
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      minReadySeconds: 10,
      template: {
        metadata: { labels: labelsOf(name) },
        spec: selfHosted(podSpec(partOf(site, name, 'self-hosted')), { nodeSelector: onControllers }),
      },
    },
  }
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

/** Pods of one version keep apart; the next version may stand beside the last one, or no roll could begin. */
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

type Form = 'static' | 'self-hosted'

/** What a pod of the control plane is made of. */
type Part = {
  readonly component: Component
  readonly image: string
  readonly flags: readonly string[]
  /** The machine's directory with its files; seen at the same path inside. */
  readonly directory: string
  readonly probe: {
    readonly host?: string
    readonly port: number
    readonly live: string
    readonly ready: string
  }
  readonly cpu: string
}

function partOf(site: Site, component: Component, form: Form): Part {
  return parts[component](site, form)
}

const parts: Readonly<Record<Component, (site: Site, form: Form) => Part>> = {
  'kube-apiserver': apiserver,
  'kube-controller-manager': controllerManager,
  'kube-scheduler': scheduler,
}

function apiserver(site: Site, form: Form): Part {
  const at = directories.apiserver
  return {
    component: 'kube-apiserver',
    image: imageReferences(site.cluster.kubernetes).kubeApiserver,
    directory: at,
    // A static copy is asked at its pod's address, which is the machine's.
    probe: {
      ...(form === 'static' ? {} : { host: '127.0.0.1' }),
      port: ports.apiserver,
      live: '/livez',
      ready: '/readyz',
    },
    cpu: '250m',
    flags: [
      `--bind-address=${form === 'static' ? '$(HOST_IP)' : '0.0.0.0'}`,
      '--advertise-address=$(HOST_IP)',
      `--secure-port=${ports.apiserver}`,
      '--permit-port-sharing=true',
      // A stopping copy would take the address out of the Service that its twin still serves: we own it instead.
      '--endpoint-reconciler-type=none',
      `--etcd-servers=https://127.0.0.1:${ports.etcdClient}`,
      `--etcd-cafile=${at}/etcd-ca.crt`,
      `--etcd-certfile=${at}/etcd-client.crt`,
      `--etcd-keyfile=${at}/etcd-client.key`,
      `--encryption-provider-config=${at}/encryption.yaml`,
      `--authentication-config=${at}/authentication.yaml`,
      `--client-ca-file=${at}/ca.crt`,
      `--tls-cert-file=${at}/tls.crt`,
      `--tls-private-key-file=${at}/tls.key`,
      '--tls-min-version=VersionTLS12',
      `--kubelet-certificate-authority=${at}/ca.crt`,
      `--kubelet-client-certificate=${at}/kubelet-client.crt`,
      `--kubelet-client-key=${at}/kubelet-client.key`,
      '--kubelet-preferred-address-types=InternalIP',
      `--proxy-client-cert-file=${at}/front-proxy-client.crt`,
      `--proxy-client-key-file=${at}/front-proxy-client.key`,
      `--requestheader-client-ca-file=${at}/front-proxy-ca.crt`,
      '--requestheader-allowed-names=front-proxy-client',
      '--requestheader-extra-headers-prefix=X-Remote-Extra-',
      '--requestheader-group-headers=X-Remote-Group',
      '--requestheader-username-headers=X-Remote-User',
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${at}/sa.pub`,
      `--service-account-signing-key-file=${at}/sa.key`,
      `--service-cluster-ip-range=${site.cluster.serviceCidr}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--allow-privileged=true',
      // A copy that stops sends its watchers to its twin, and is gone in seconds instead of waiting to be killed.
      '--shutdown-watch-termination-grace-period=2s',
      '--profiling=false',
    ],
  }
}

function controllerManager(site: Site, form: Form): Part {
  const at = directories.controllerManager
  const port = form === 'static' ? ports.controllerManagerStatic : ports.controllerManager
  return {
    component: 'kube-controller-manager',
    image: imageReferences(site.cluster.kubernetes).kubeControllerManager,
    directory: at,
    probe: { host: '127.0.0.1', port, live: '/healthz', ready: '/healthz' },
    cpu: '100m',
    flags: [
      ...clientFlags(`${at}/kubeconfig`, port),
      '--allocate-node-cidrs=true',
      `--cluster-cidr=${site.cluster.podCidr}`,
      `--service-cluster-ip-range=${site.cluster.serviceCidr}`,
      `--cluster-signing-cert-file=${at}/ca.crt`,
      `--cluster-signing-key-file=${at}/ca.key`,
      `--root-ca-file=${at}/ca.crt`,
      `--service-account-private-key-file=${at}/sa.key`,
      '--use-service-account-credentials=true',
      '--kube-api-qps=100',
      '--kube-api-burst=200',
      '--profiling=false',
    ],
  }
}

function scheduler(site: Site, form: Form): Part {
  const at = directories.scheduler
  const port = form === 'static' ? ports.schedulerStatic : ports.scheduler
  return {
    component: 'kube-scheduler',
    image: imageReferences(site.cluster.kubernetes).kubeScheduler,
    directory: at,
    probe: { host: '127.0.0.1', port, live: '/healthz', ready: '/healthz' },
    cpu: '100m',
    flags: [
      ...clientFlags(`${at}/kubeconfig`, port),
      '--kube-api-qps=100',
      '--kube-api-burst=200',
      '--profiling=false',
    ],
  }
}

/** Flags of the two components that are clients of the API and elect a leader through it. */
function clientFlags(kubeconfig: string, port: number): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    // Who may read metrics is asked of the API at the start: a start beside the API's own must survive that.
    '--authentication-tolerate-lookup-failure=true',
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    '--permit-port-sharing=true',
    '--leader-elect=true',
    '--leader-elect-retry-period=1s', // the first try may come before the API is ready, a handover between two
  ]
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
        volumeMounts: [mount('files', part.directory)],
        startupProbe: probe(part.probe.live, { periodSeconds: 1, failureThreshold: 180 }),
        readinessProbe: probe(part.probe.ready, { periodSeconds: 1, failureThreshold: 3 }),
        livenessProbe: probe(part.probe.live, { periodSeconds: 10, failureThreshold: 8 }),
      },
    ],
    volumes: [hostPath('files', part.directory)],
  }
}
