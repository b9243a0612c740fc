// What one machine is given for its place in the cluster: files that may be seen, certificates for keys that it makes
// itself, and on a controller the secrets that all controllers share.

import { stringify } from 'yaml'
import type { BundleDescription, BundleFile, SecretFile, SiteAuthority } from '#model/bundle.ts'
import type { Machine } from '#model/machine.ts'
import { machinesOf, type Site } from '../site/site.ts'
import { certificatesOf } from './certificates.ts'
import { renderFileKubeconfig } from './kubeconfig.ts'
import { directories, ports } from './layout.ts'
import { components } from './manifests/components.ts'
import { staticPod } from './manifests/control-plane.ts'
import { apiUrl, dnsServiceAddress } from './network.ts'
import type { Pki } from './pki.ts'
import { admission, auditPolicy } from './policies.ts'

/**
 * What `machine` fetches once in a boot: its kubelet's identity and configuration; on a controller also etcd and the
 * control plane. Paths are absolute. Nothing in it is secret: the server adds what is when the machine asks.
 */
export function machineBundle(site: Site, pki: Pki, machine: Machine): BundleDescription {
  const isController = machine.role === 'controller'
  return {
    site: site.name,
    files: [
      ...kubeletFiles(site, pki, machine),
      ...(isController
        ? [
            ...etcdFiles(site, pki, machine),
            ...apiserverFiles(pki),
            ...controllerManagerFiles(site, pki),
            ...schedulerFiles(site, pki),
            ...checkpointerFiles(site, pki, machine),
          ]
        : []),
    ],
    requests: certificatesOf(site, machine),
    secrets: [...(isController ? controllerSecrets : []), ...consoleSecret(site)],
  }
}

/** The hash of root's password, for the machine's agent. */
function consoleSecret({ access }: Site): SecretFile[] {
  if (access.console.login !== 'password') return []
  return [{ path: '/etc/pilotlight/console-password', secret: CONSOLE_PASSWORD }]
}

const CONSOLE_PASSWORD = 'console-password'

/** The keys with which the server signs and completes the bundles of a site. A secret leaves the provisioner only in a bundle that names it. */
export function siteAuthority(
  { authorities, serviceAccount, ...pki }: Pki,
  atConsole: Site['access']['console'] = { login: 'off' },
): SiteAuthority {
  return {
    signers: authorities,
    secrets: {
      'service-account.key': serviceAccount.privateKey,
      'encryption.yaml': encryption(pki),
      ...(atConsole.login === 'password' ? { [CONSOLE_PASSWORD]: `${atConsole.passwordHash}\n` } : {}),
    },
  }
}

const controllerSecrets: readonly SecretFile[] = [
  { path: `${directories.apiserver}/sa.key`, secret: 'service-account.key' },
  { path: `${directories.apiserver}/encryption.yaml`, secret: 'encryption.yaml' },
  { path: `${directories.controllerManager}/sa.key`, secret: 'service-account.key' },
  // The server makes these, and successors of them. The kubelets' signers are trusted for one thing each: the API server
  // takes clients of the one, and trusts kubelets with certificates of the other. No one else trusts them at all.
  ...['client-ca.crt', 'kubelet-ca.crt'].map(name => renewing(directories.apiserver, name)),
  ...['kubelet-client-signer', 'kubelet-serving-signer'].flatMap(name =>
    ['crt', 'key'].map(ending => renewing(directories.controllerManager, `${name}.${ending}`)),
  ),
]

function renewing(directory: string, name: string): SecretFile {
  return { path: `${directory}/${name}`, secret: name, renews: true }
}

function kubeletFiles(site: Site, pki: Pki, machine: Machine): BundleFile[] {
  const at = directories.kubelet
  return [
    file(`${at}/ca.crt`, pki.authorities.ca.certificate),
    file(`${at}/kubeconfig`, kubeconfig(site, `system:node:${machine.name}`, at)),
    file(`${at}/config.yaml`, kubeletConfiguration(site)),
    // The unit reads these; what depends on the machine's kernel is added by its agent as a drop-in.
    file(`${at}/kubelet.env`, `NODE_NAME=${machine.name}\nNODE_IP=${machine.address}\n`),
  ]
}

function kubeletConfiguration(site: Site): string {
  const at = directories.kubelet
  return stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    staticPodPath: directories.active,
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    cgroupDriver: 'systemd',
    clusterDomain: 'cluster.local',
    clusterDNS: [dnsServiceAddress(site.cluster.serviceCidr)],
    resolvConf: '/etc/resolv.conf',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${at}/ca.crt` },
    },
    authorization: { mode: 'Webhook' },
    seccompDefault: true,
    tlsCertFile: `${at}/serving.crt`,
    tlsPrivateKeyFile: `${at}/serving.key`,
    // Both are renewed by the kubelet itself, through the API; it starts with those in its bundle.
    rotateCertificates: true,
    serverTLSBootstrap: true,
    tlsMinVersion: 'VersionTLS12',
    failSwapOn: false,
    registryPullQPS: 0,
    serializeImagePulls: false,
    kubeAPIQPS: 100,
    kubeAPIBurst: 200,
    // The images are part of the live image: there is no place to win by deleting one, and no way to pull it back.
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'memory.available': '100Mi' },
  })
}

function etcdFiles(site: Site, pki: Pki, machine: Machine): BundleFile[] {
  const at = directories.etcd
  return [
    file(`${at}/ca.crt`, pki.authorities['etcd-ca'].certificate),
    file(`${at}/etcd.env`, etcdEnvironment(site, machine)),
  ]
}

function etcdEnvironment(site: Site, machine: Machine): string {
  const at = directories.etcd
  const peer = peerUrl(machine.address)
  const members = machinesOf(site, 'controller').map(({ name, address }) => `${name}=${peerUrl(address)}`)
  const settings = {
    ETCD_NAME: machine.name,
    ETCD_DATA_DIR: '/var/lib/etcd/data',
    ETCD_LISTEN_CLIENT_URLS: `${clientUrl('127.0.0.1')},${clientUrl(machine.address)}`,
    ETCD_ADVERTISE_CLIENT_URLS: clientUrl(machine.address),
    ETCD_LISTEN_PEER_URLS: peer,
    ETCD_INITIAL_ADVERTISE_PEER_URLS: peer,
    ETCD_INITIAL_CLUSTER: members.join(','),
    ETCD_INITIAL_CLUSTER_TOKEN: site.name,
    ETCD_INITIAL_CLUSTER_STATE: 'new',
    ETCD_STRICT_RECONFIG_CHECK: 'true',
    // Nothing here speaks JSON to etcd; the gateway would call etcd as a client, with a certificate for servers.
    ETCD_ENABLE_GRPC_GATEWAY: 'false',
    ETCD_CERT_FILE: `${at}/server.crt`,
    ETCD_KEY_FILE: `${at}/server.key`,
    ETCD_CLIENT_CERT_AUTH: 'true',
    ETCD_TRUSTED_CA_FILE: `${at}/ca.crt`,
    ETCD_PEER_CERT_FILE: `${at}/peer.crt`,
    ETCD_PEER_KEY_FILE: `${at}/peer.key`,
    ETCD_PEER_CLIENT_CERT_AUTH: 'true',
    ETCD_PEER_TRUSTED_CA_FILE: `${at}/ca.crt`,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

function peerUrl(address: string): string {
  return `https://${address}:${ports.etcdPeer}`
}

function clientUrl(address: string): string {
  return `https://${address}:${ports.etcdClient}`
}

function apiserverFiles({ authorities, serviceAccount }: Pki): BundleFile[] {
  const at = directories.apiserver
  const ca = authorities.ca.certificate
  return [
    file(`${at}/ca.crt`, ca),
    file(`${at}/etcd-ca.crt`, authorities['etcd-ca'].certificate),
    file(`${at}/front-proxy-ca.crt`, authorities['front-proxy-ca'].certificate),
    file(`${at}/sa.pub`, serviceAccount.publicKey),
    file(`${at}/authentication.yaml`, authentication()),
    file(`${at}/audit.yaml`, auditPolicy()),
    file(`${at}/admission.yaml`, admission()),
  ]
}

/** No request is anonymous, except those that ask whether the server is alive: the kubelet's probes show no certificate. */
function authentication(): string {
  return stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    anonymous: { enabled: true, conditions: [{ path: '/livez' }, { path: '/readyz' }, { path: '/healthz' }] },
  })
}

function encryption({ encryptionKey }: Pick<Pki, 'encryptionKey'>): string {
  return stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'EncryptionConfiguration',
    resources: [
      {
        resources: ['secrets'],
        providers: [{ secretbox: { keys: [{ name: 'key-1', secret: encryptionKey }] } }, { identity: {} }],
      },
    ],
  })
}

function controllerManagerFiles(site: Site, { authorities }: Pki): BundleFile[] {
  const at = directories.controllerManager
  return [
    file(`${at}/ca.crt`, authorities.ca.certificate),
    file(`${at}/kubeconfig`, kubeconfig(site, 'system:kube-controller-manager', at)),
  ]
}

function schedulerFiles(site: Site, { authorities }: Pki): BundleFile[] {
  const at = directories.scheduler
  return [
    file(`${at}/ca.crt`, authorities.ca.certificate),
    file(`${at}/kubeconfig`, kubeconfig(site, 'system:kube-scheduler', at)),
  ]
}

function checkpointerFiles(site: Site, pki: Pki, machine: Machine): BundleFile[] {
  const at = directories.checkpointer
  return [
    file(`${at}/ca.crt`, pki.authorities.ca.certificate),
    file(`${at}/kubeconfig`, kubeconfig(site, `pilotlight:checkpointer:${machine.name}`, at)),
    ...components.map(component =>
      file(`${directories.kept}/${component}.json`, JSON.stringify(staticPod(site, component))),
    ),
  ]
}

/** The kubeconfig of a client whose key, certificate and authority are files of one directory. */
function kubeconfig(site: Site, user: string, directory: string): string {
  return renderFileKubeconfig(apiUrl(site), user, {
    authority: `${directory}/ca.crt`,
    certificate: `${directory}/client.crt`,
    key: `${directory}/client.key`,
  })
}

function file(path: string, content: string): BundleFile {
  return { path, mode: 0o644, content }
}
