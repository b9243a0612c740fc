// What one machine is given for its place in the cluster: files, and nothing that another machine could use.

import { stringify } from 'yaml'
import type { BundleFile, Machine } from '#server/inventory/objects.ts'
import { machinesOf, type Site } from '#site/site.ts'
import { renderKubeconfig } from './kubeconfig.ts'
import { directories, ports } from './layout.ts'
import { components } from './manifests/components.ts'
import { staticPod } from './manifests/control-plane.ts'
import { dnsServiceAddress } from './network.ts'
import { leafOf, type Pki } from './pki.ts'
import type { KeyPair } from './x509.ts'

/**
 * The files that `machine` fetches once with its token: its kubelet's identity and configuration; on a controller
 * also etcd and the control plane with their keys. Paths are absolute, keys have mode 0600.
 *
 * @throws {PkiDamaged} when the PKI has no certificate for this machine
 */
export function machineBundle(site: Site, pki: Pki, machine: Machine): BundleFile[] {
  const files = kubeletFiles(site, pki, machine)
  if (machine.role !== 'controller') return files
  return [
    ...files,
    ...etcdFiles(site, pki, machine),
    ...apiserverFiles(pki),
    ...controllerManagerFiles(site, pki),
    ...schedulerFiles(site, pki),
    ...checkpointerFiles(site, pki, machine),
  ]
}

function kubeletFiles(site: Site, pki: Pki, machine: Machine): BundleFile[] {
  const at = directories.kubelet
  const client = leafOf(pki, `kubelet-client-${machine.name}`)
  return [
    open(`${at}/ca.crt`, pki.authorities.ca.certificate),
    ...pair(`${at}/serving`, leafOf(pki, `kubelet-serving-${machine.name}`)),
    secret(`${at}/kubeconfig`, kubeconfig(site, pki, `system:node:${machine.name}`, client)),
    open(`${at}/config.yaml`, kubeletConfiguration(site)),
    // The unit reads these; what depends on the machine's kernel is added by its agent as a drop-in.
    open(`${at}/kubelet.env`, `NODE_NAME=${machine.name}\nNODE_IP=${machine.address}\n`),
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
    tlsCertFile: `${at}/serving.crt`,
    tlsPrivateKeyFile: `${at}/serving.key`,
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
  const authority = pki.authorities['etcd-ca'].certificate
  return [
    open(`${at}/ca.crt`, authority),
    ...pair(`${at}/server`, leafOf(pki, `etcd-server-${machine.name}`)),
    ...pair(`${at}/peer`, leafOf(pki, `etcd-peer-${machine.name}`)),
    open(`${at}/etcd.env`, etcdEnvironment(site, machine)),
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
    // Nobody here speaks JSON to etcd; the gateway would call etcd as a client, with a certificate for servers.
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

function apiserverFiles(pki: Pki): BundleFile[] {
  const at = directories.apiserver
  return [
    open(`${at}/ca.crt`, pki.authorities.ca.certificate),
    ...pair(`${at}/tls`, leafOf(pki, 'apiserver')),
    ...pair(`${at}/kubelet-client`, leafOf(pki, 'apiserver-kubelet-client')),
    open(`${at}/etcd-ca.crt`, pki.authorities['etcd-ca'].certificate),
    ...pair(`${at}/etcd-client`, leafOf(pki, 'apiserver-etcd-client')),
    open(`${at}/front-proxy-ca.crt`, pki.authorities['front-proxy-ca'].certificate),
    ...pair(`${at}/front-proxy-client`, leafOf(pki, 'front-proxy-client')),
    open(`${at}/sa.pub`, pki.serviceAccount.publicKey),
    secret(`${at}/sa.key`, pki.serviceAccount.privateKey),
    open(`${at}/authentication.yaml`, authentication()),
    secret(`${at}/encryption.yaml`, encryption(pki)),
  ]
}

/** Nobody is anonymous, except who asks whether the server lives: the kubelet's probes show no certificate. */
function authentication(): string {
  return stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    anonymous: { enabled: true, conditions: [{ path: '/livez' }, { path: '/readyz' }, { path: '/healthz' }] },
  })
}

function encryption(pki: Pki): string {
  return stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'EncryptionConfiguration',
    resources: [
      {
        resources: ['secrets'],
        providers: [
          { secretbox: { keys: [{ name: 'key-1', secret: pki.encryptionKey }] } },
          { identity: {} },
        ],
      },
    ],
  })
}

function controllerManagerFiles(site: Site, pki: Pki): BundleFile[] {
  const at = directories.controllerManager
  const user = 'system:kube-controller-manager'
  return [
    ...pair(`${at}/ca`, pki.authorities.ca),
    secret(`${at}/sa.key`, pki.serviceAccount.privateKey),
    secret(`${at}/kubeconfig`, kubeconfig(site, pki, user, leafOf(pki, 'controller-manager'))),
  ]
}

function schedulerFiles(site: Site, pki: Pki): BundleFile[] {
  const identity = kubeconfig(site, pki, 'system:kube-scheduler', leafOf(pki, 'scheduler'))
  return [secret(`${directories.scheduler}/kubeconfig`, identity)]
}

function checkpointerFiles(site: Site, pki: Pki, machine: Machine): BundleFile[] {
  const user = `pilotlight:checkpointer:${machine.name}`
  const identity = leafOf(pki, `checkpointer-${machine.name}`)
  const at = directories.checkpointer
  return [
    open(`${at}/ca.crt`, pki.authorities.ca.certificate),
    ...pair(`${at}/client`, identity), // for curl; the kubeconfig has the same for kubectl
    secret(`${at}/kubeconfig`, kubeconfig(site, pki, user, identity)),
    ...components.map(component =>
      open(`${directories.kept}/${component}.json`, JSON.stringify(staticPod(site, component))),
    ),
  ]
}

function kubeconfig(site: Site, pki: Pki, user: string, identity: KeyPair): string {
  const server = `https://${site.cluster.apiAddress}:${ports.apiserver}`
  return renderKubeconfig(server, pki.authorities.ca.certificate, user, identity)
}

function pair(path: string, { certificate, key }: KeyPair): BundleFile[] {
  return [open(`${path}.crt`, certificate), secret(`${path}.key`, key)]
}

function open(path: string, content: string): BundleFile {
  return { path, mode: 0o644, content }
}

function secret(path: string, content: string): BundleFile {
  return { path, mode: 0o600, content }
}
