// Which certificates a site needs: who they name, for what, signed by whom. Pure data: the server signs those of machines
// (pki.ts makes its authority), and `pilotlight` issues those of administrators.

import type { CertificateRequest } from '#model/bundle.ts'
import type { Machine } from '#model/machine.ts'
import type { Leaf } from '#host/x509.ts'
import { machinesOf, type Site } from '../site/site.ts'
import { directories, groups } from './layout.ts'
import { apiServiceAddress } from './network.ts'

/** The three certificate authorities. They never sign for one another: an etcd client is not a Kubernetes client. */
export type Authority = 'ca' | 'etcd-ca' | 'front-proxy-ca'

/** The names of the authorities' subjects. */
export const authorities: Readonly<Record<Authority, string>> = {
  ca: 'pilotlight-kubernetes-ca',
  'etcd-ca': 'pilotlight-etcd-ca',
  'front-proxy-ca': 'pilotlight-front-proxy-ca',
}

/** A client that a person or `pilotlight up` is for some hours; both are signed by `ca`. */
export type Administrator = 'admin' | 'break-glass'

/** What the certificates of administrators say. */
export const administratorLeaves: Readonly<Record<Administrator, Leaf>> = {
  admin: administrator('pilotlight-admin', groups.admins),
  'break-glass': administrator('pilotlight-break-glass', groups.breakGlass),
}

/** Days that a certificate of a machine is valid. */
const machineDays = 365

/** The certificates of `machine`, in the order in which they are asked for. Its keys are made by itself. */
export function certificatesOf(site: Site, machine: Machine): CertificateRequest[] {
  const kubelet = kubeletCertificates(machine)
  return machine.role === 'controller' ? [...kubelet, ...controllerCertificates(site, machine)] : kubelet
}

function kubeletCertificates({ name, address }: Machine): CertificateRequest[] {
  const at = directories.kubelet
  const node = { signer: 'ca', commonName: `system:node:${name}`, organization: groups.nodes } as const
  return [
    request(`kubelet-client-${name}`, `${at}/client`, { ...node, purposes: ['client'] }),
    request(`kubelet-serving-${name}`, `${at}/serving`, {
      ...node,
      purposes: ['server'],
      dns: [name],
      addresses: [address],
    }),
  ]
}

function controllerCertificates(site: Site, { name, address }: Machine): CertificateRequest[] {
  const { apiserver, controllerManager, scheduler, checkpointer, etcd } = directories
  const member = {
    signer: 'etcd-ca',
    commonName: name,
    dns: [name, 'localhost'],
    addresses: [address, '127.0.0.1'],
  } as const
  return [
    request(`apiserver-${name}`, `${apiserver}/tls`, { signer: 'ca', ...apiserverNames(site) }),
    request(
      `apiserver-kubelet-client-${name}`,
      `${apiserver}/kubelet-client`,
      client('ca', 'kube-apiserver-kubelet-client'),
    ),
    request(`apiserver-etcd-client-${name}`, `${apiserver}/etcd-client`, client('etcd-ca', 'kube-apiserver')),
    request(
      `front-proxy-client-${name}`,
      `${apiserver}/front-proxy-client`,
      client('front-proxy-ca', 'front-proxy-client'),
    ),
    request(
      `controller-manager-${name}`,
      `${controllerManager}/client`,
      client('ca', 'system:kube-controller-manager'),
    ),
    request(`scheduler-${name}`, `${scheduler}/client`, client('ca', 'system:kube-scheduler')),
    request(
      `checkpointer-${name}`,
      `${checkpointer}/client`,
      client('ca', `pilotlight:checkpointer:${name}`, groups.checkpointers),
    ),
    request(`etcd-server-${name}`, `${etcd}/server`, { ...member, purposes: ['server'] }),
    request(`etcd-peer-${name}`, `${etcd}/peer`, { ...member, purposes: ['server', 'client'] }),
  ]
}

/** What the certificate of a client says. */
function client(signer: Authority, commonName: string, organization?: string) {
  const group = organization === undefined ? {} : { organization }
  return { signer, commonName, ...group, purposes: ['client'] as const }
}

function apiserverNames(
  site: Site,
): Pick<CertificateRequest, 'commonName' | 'purposes' | 'dns' | 'addresses'> {
  const controllers = machinesOf(site, 'controller')
  return {
    commonName: 'kube-apiserver',
    purposes: ['server'],
    dns: [
      'localhost',
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      'kubernetes.default.svc.cluster.local',
      ...controllers.map(machine => machine.name),
    ],
    addresses: unique([
      '127.0.0.1',
      apiServiceAddress(site.cluster.serviceCidr),
      site.cluster.apiAddress,
      ...controllers.map(machine => machine.address),
    ]),
  }
}

function request(
  name: string,
  path: string,
  leaf: Pick<CertificateRequest, 'signer' | 'commonName' | 'purposes'> & Partial<CertificateRequest>,
): CertificateRequest {
  const files = { name, key: `${path}.key`, certificate: `${path}.crt` }
  return { ...files, dns: [], addresses: [], days: machineDays, ...leaf }
}

function administrator(commonName: string, organization: string): Leaf {
  return { commonName, organization, purposes: ['client'], dns: [], addresses: [] }
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}
