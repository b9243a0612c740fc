// Which certificates a site needs: who they name, for what, signed by whom. Pure data; pki.ts makes them true.

import { machinesOf, type Site } from '#site/site.ts'
import { groups } from './layout.ts'
import { apiServiceAddress } from './network.ts'

/** The three certificate authorities. They never sign for one another: an etcd client is no Kubernetes client. */
export type Authority = 'ca' | 'etcd-ca' | 'front-proxy-ca'

/** A wanted leaf certificate. */
export type LeafRequest = {
  /** Its file name without ending, for example `kubelet-client-ctl-1`. */
  readonly name: string
  readonly authority: Authority
  readonly commonName: string
  /** The Kubernetes group of a client. */
  readonly organization?: string
  readonly purposes: readonly Purpose[]
  readonly dns: readonly string[]
  readonly addresses: readonly string[]
}

/** What a certificate may be shown for. */
export type Purpose = 'server' | 'client'

/** The names of the authorities' subjects. */
export const authorities: Readonly<Record<Authority, string>> = {
  ca: 'pilotlight-kubernetes-ca',
  'etcd-ca': 'pilotlight-etcd-ca',
  'front-proxy-ca': 'pilotlight-front-proxy-ca',
}

/** Every leaf certificate of `site`, in the order in which they are made. */
export function certificatesOf(site: Site): LeafRequest[] {
  const controllers = machinesOf(site, 'controller')
  const apiserver: LeafRequest = {
    name: 'apiserver',
    authority: 'ca',
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
  const etcd = controllers.flatMap((machine): LeafRequest[] => {
    const names = {
      authority: 'etcd-ca',
      dns: [machine.name, 'localhost'],
      addresses: [machine.address, '127.0.0.1'],
    } as const
    return [
      { ...names, name: `etcd-server-${machine.name}`, commonName: machine.name, purposes: ['server'] },
      {
        ...names,
        name: `etcd-peer-${machine.name}`,
        commonName: machine.name,
        purposes: ['server', 'client'],
      },
    ]
  })
  const kubelets = site.machines.flatMap((machine): LeafRequest[] => [
    client(`kubelet-client-${machine.name}`, 'ca', `system:node:${machine.name}`, groups.nodes),
    {
      name: `kubelet-serving-${machine.name}`,
      authority: 'ca',
      commonName: `system:node:${machine.name}`,
      organization: groups.nodes,
      purposes: ['server'],
      dns: [machine.name],
      addresses: [machine.address],
    },
  ])
  return [
    apiserver,
    client('apiserver-kubelet-client', 'ca', 'kube-apiserver-kubelet-client'),
    client('apiserver-etcd-client', 'etcd-ca', 'kube-apiserver'),
    client('front-proxy-client', 'front-proxy-ca', 'front-proxy-client'),
    client('controller-manager', 'ca', 'system:kube-controller-manager'),
    client('scheduler', 'ca', 'system:kube-scheduler'),
    client('admin', 'ca', 'pilotlight-admin', groups.admins),
    client('break-glass', 'ca', 'pilotlight-break-glass', groups.breakGlass),
    ...controllers.map(machine =>
      client(
        `checkpointer-${machine.name}`,
        'ca',
        `pilotlight:checkpointer:${machine.name}`,
        groups.checkpointers,
      ),
    ),
    ...etcd,
    ...kubelets,
  ]
}

function client(name: string, authority: Authority, commonName: string, organization?: string): LeafRequest {
  const group = organization === undefined ? {} : { organization }
  return { name, authority, commonName, ...group, purposes: ['client'], dns: [], addresses: [] }
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}
