// What each part of the control plane runs, in either of its two forms (control-plane.ts): image, flags, files, probes.

import { imageReferences } from '#images/references.ts'
import type { Site } from '../../site/site.ts'
import { directories, ports } from '../layout.ts'

/** The three parts of the control plane, by the name of their binary, image and pods. */
export type Component = 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler'

/** The components, in the order in which they start. */
export const components: readonly Component[] = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
]

/** Run by a machine's own kubelet, or by the cluster that it makes. */
export type Form = 'static' | 'self-hosted'

/** What a pod of the control plane is made of. */
export type Part = {
  readonly component: Component
  readonly image: string
  readonly flags: readonly string[]
  /** The machine's directory with its files; seen at the same path inside. */
  readonly directory: string
  /** A directory of the machine that it writes to, made where it is missing; at the same path inside. */
  readonly writes?: string
  readonly probe: {
    readonly host?: string
    readonly port: number
    readonly live: string
    readonly ready: string
  }
  readonly cpu: string
}

/** What `component` runs for `site` in that form. */
export function partOf(site: Site, component: Component, form: Form): Part {
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
    writes: directories.audit,
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
      `--client-ca-file=${at}/client-ca.crt`,
      `--tls-cert-file=${at}/tls.crt`,
      `--tls-private-key-file=${at}/tls.key`,
      '--tls-min-version=VersionTLS12',
      `--kubelet-certificate-authority=${at}/kubelet-ca.crt`,
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
      `--admission-control-config-file=${at}/admission.yaml`,
      `--audit-policy-file=${at}/audit.yaml`,
      // A file for each form, since both run side by side: the one that rotates a file would take it from the other.
      `--audit-log-path=${directories.audit}/${form === 'static' ? 'audit-static.log' : 'audit.log'}`,
      // Mebibytes, in the memory of a live system: at most 80 for both forms.
      `--audit-log-maxsize=${form === 'static' ? 10 : 15}`,
      `--audit-log-maxbackup=${form === 'static' ? 1 : 3}`,
      '--allow-privileged=true',
      // A copy that stops sends its watchers to its twin, and is gone in seconds instead of waiting to be killed.
      '--shutdown-watch-termination-grace-period=2s',
      '--profiling=false',
    ],
  }
}

function controllerManager(site: Site, form: Form): Part {
  const at = directories.controllerManager
  return electedPart('kube-controller-manager', {
    image: imageReferences(site.cluster.kubernetes).kubeControllerManager,
    directory: at,
    port: form === 'static' ? ports.controllerManagerStatic : ports.controllerManager,
    flags: [
      '--allocate-node-cidrs=true',
      `--cluster-cidr=${site.cluster.podCidr}`,
      `--service-cluster-ip-range=${site.cluster.serviceCidr}`,
      // It signs nothing but kubelet certificates, each kind with its own signer that no one else trusts. What
      // other signers of certificates.k8s.io are asked for stays unsigned: there is no key for them.
      `--cluster-signing-kubelet-client-cert-file=${at}/kubelet-client-signer.crt`,
      `--cluster-signing-kubelet-client-key-file=${at}/kubelet-client-signer.key`,
      `--cluster-signing-kubelet-serving-cert-file=${at}/kubelet-serving-signer.crt`,
      `--cluster-signing-kubelet-serving-key-file=${at}/kubelet-serving-signer.key`,
      '--cluster-signing-duration=720h', // 30 days, and never beyond the signer's own end
      `--root-ca-file=${at}/ca.crt`,
      `--service-account-private-key-file=${at}/sa.key`,
      '--use-service-account-credentials=true',
    ],
  })
}

function scheduler(site: Site, form: Form): Part {
  return electedPart('kube-scheduler', {
    image: imageReferences(site.cluster.kubernetes).kubeScheduler,
    directory: directories.scheduler,
    port: form === 'static' ? ports.schedulerStatic : ports.scheduler,
    flags: [],
  })
}

/** One of the two components that are clients of the API and elect a leader through it. */
function electedPart(
  component: Component,
  { port, flags, ...own }: Pick<Part, 'image' | 'directory' | 'flags'> & { readonly port: number },
): Part {
  const kubeconfig = `${own.directory}/kubeconfig`
  return {
    component,
    ...own,
    probe: { host: '127.0.0.1', port, live: '/healthz', ready: '/healthz' },
    cpu: '100m',
    flags: [
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
      ...flags,
      '--kube-api-qps=100',
      '--kube-api-burst=200',
      '--profiling=false',
    ],
  }
}
