// The other programs that machines and the host need, each from its own Go module, at versions known to work
// together.

import { chmod, cp, link, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Recipe } from '#host/cache.ts'

import { goRecipe, moduleDirectory, type GoRecipe } from './go.ts'
import { COREDNS_VERSION, FLANNEL_VERSION } from './references.ts'

const ETCD_VERSION = 'v3.6.5'
const CONTAINERD_VERSION = 'v2.2.1'
const HELM_VERSION = 'v3.22.0'

/** The server that keeps a cluster's state. */
export const etcdRecipe = goRecipe({
  name: 'etcd',
  module: 'go.etcd.io/etcd/server/v3',
  version: ETCD_VERSION,
  packages: { etcd: 'go.etcd.io/etcd/server/v3' },
})

/** The command line client of etcd. */
export const etcdctlRecipe = goRecipe({
  name: 'etcdctl',
  module: 'go.etcd.io/etcd/etcdctl/v3',
  version: ETCD_VERSION,
  packages: { etcdctl: 'go.etcd.io/etcd/etcdctl/v3' },
})

/** containerd with its runc shim and ctr, without the snapshotters that need C libraries. */
export const containerdRecipe = goRecipe({
  name: 'containerd',
  module: 'github.com/containerd/containerd/v2',
  version: CONTAINERD_VERSION,
  packages: {
    containerd: 'github.com/containerd/containerd/v2/cmd/containerd',
    'containerd-shim-runc-v2': 'github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2',
    ctr: 'github.com/containerd/containerd/v2/cmd/ctr',
  },
  tags: ['no_btrfs', 'no_devmapper', 'no_zfs'],
  variables: { 'github.com/containerd/containerd/v2/version.Version': CONTAINERD_VERSION },
})

/** runc; its namespace code is C, and seccomp profiles need libseccomp. */
export const runcRecipe = goRecipe({
  name: 'runc',
  module: 'github.com/opencontainers/runc',
  version: 'v1.4.3',
  packages: { runc: 'github.com/opencontainers/runc' },
  tags: ['seccomp'],
  cgo: true,
})

/** Helm, for the host. */
const helmRecipe = goRecipe({
  name: 'helm',
  module: 'helm.sh/helm/v3',
  version: HELM_VERSION,
  packages: { helm: 'helm.sh/helm/v3/cmd/helm' },
  variables: { 'helm.sh/helm/v3/internal/version.version': HELM_VERSION },
})

/** CoreDNS with its standard plugins. */
export const corednsRecipe = goRecipe({
  name: 'coredns',
  module: 'github.com/coredns/coredns',
  version: COREDNS_VERSION,
  packages: { coredns: 'github.com/coredns/coredns' },
})

/** The CNI plugins that flannel's network uses on a node. */
export const cniPluginsRecipe = goRecipe({
  name: 'cni-plugins',
  module: 'github.com/containernetworking/plugins',
  version: 'v1.9.1',
  packages: Object.fromEntries(
    ['main/bridge', 'main/loopback', 'ipam/host-local', 'meta/portmap'].map(plugin => [
      plugin.slice(plugin.indexOf('/') + 1),
      `github.com/containernetworking/plugins/plugins/${plugin}`,
    ]),
  ),
})

const FLANNEL = { module: 'github.com/flannel-io/flannel', version: FLANNEL_VERSION }

/**
 * flanneld with the backends host-gw and vxlan. The others are left out because one of them needs a cloud
 * vendor's module that not every module proxy hands out. Upstream's own main is compiled, less the imports of
 * those backends.
 */
export const flannelRecipe = goRecipe(
  {
    name: 'flannel',
    ...FLANNEL,
    packages: { flanneld: '.' },
    variables: { [`${FLANNEL.module}/pkg/version.Version`]: FLANNEL.version },
  },
  {
    async prepare(work, scratch) {
      const source = await moduleDirectory(work, FLANNEL.module, FLANNEL.version, scratch)
      const main = await readFile(join(source, 'main.go'), 'utf8')
      await writeFile(join(scratch, 'main.go'), withoutBackends(main, ['hostgw', 'vxlan']))
    },
    preparedBy: 'backends hostgw vxlan',
  },
)

/** Go source without the blank imports of flannel's backends, except those in `kept`. */
export function withoutBackends(source: string, kept: readonly string[]): string {
  return source.replace(
    /^\s*_ "github\.com\/flannel-io\/flannel\/pkg\/backend\/([a-z]+)"\n/gm,
    (line, name: string) => (kept.includes(name) ? line : ''),
  )
}

const IGNITION = { module: 'github.com/coreos/ignition/v2', version: 'v2.26.0' }
const ignitionVariable = `${IGNITION.module}/internal`

/**
 * Ignition for Debian: no SELinux labels, and keys written where Debian's sshd reads them. Beside the program
 * is `dracut/`, upstream's dracut module of the same version.
 */
export const ignitionRecipe: GoRecipe = (() => {
  const programs = goRecipe({
    name: 'ignition',
    ...IGNITION,
    packages: { ignition: `${IGNITION.module}/internal` },
    variables: {
      [`${ignitionVariable}/version.Raw`]: IGNITION.version.slice(1),
      [`${ignitionVariable}/distro.selinuxRelabel`]: 'false',
      [`${ignitionVariable}/distro.writeAuthorizedKeysFragment`]: 'false',
    },
    cgo: true, // libblkid
  })
  return {
    ...programs,
    inputs: { programs: programs.inputs, dracut: 1 },
    async build(work) {
      await programs.build(work)
      const source = await moduleDirectory(work, IGNITION.module, IGNITION.version, programs.locked)
      const into = join(work.directory, 'dracut')
      await cp(join(source, 'dracut', '30ignition'), into, { recursive: true })
      await chmod(into, 0o755) // the module cache is read-only
    },
  }
})()

/** Checks Ignition configs on the host, as a machine's Ignition would. */
const ignitionValidateRecipe = goRecipe({
  name: 'ignition-validate',
  ...IGNITION,
  packages: { 'ignition-validate': `${IGNITION.module}/validate` },
  variables: { [`${ignitionVariable}/version.Raw`]: IGNITION.version.slice(1) },
})

/** Butane, which tests compare our own transpiler with. */
const butaneRecipe = goRecipe({
  name: 'butane',
  module: 'github.com/coreos/butane',
  version: 'v0.29.0',
  packages: { butane: 'github.com/coreos/butane/internal' },
})

/** Every recipe of this file that builds Go programs: what there is to lock, and to list in a bill of materials. */
export const goToolRecipes: readonly GoRecipe[] = [
  etcdRecipe,
  etcdctlRecipe,
  containerdRecipe,
  runcRecipe,
  helmRecipe,
  corednsRecipe,
  cniPluginsRecipe,
  flannelRecipe,
  ignitionRecipe,
  ignitionValidateRecipe,
  butaneRecipe,
]

/** The directory of programs for the host: what the command line, the lab and the tests run. */
export function hostToolsRecipe(kubernetes: Recipe): Recipe {
  const from: Readonly<Record<string, readonly string[]>> = {
    kubernetes: ['kubectl', 'kube-apiserver'],
    helm: ['helm'],
    etcd: ['etcd'],
    etcdctl: ['etcdctl'],
    containerd: ['containerd', 'ctr'],
    'ignition-validate': ['ignition-validate'],
    butane: ['butane'],
  }
  return {
    name: 'host-tools',
    title: 'the programs for this host',
    inputs: from,
    needs: [
      kubernetes,
      helmRecipe,
      etcdRecipe,
      etcdctlRecipe,
      containerdRecipe,
      ignitionValidateRecipe,
      butaneRecipe,
    ],
    async build(work) {
      for (const [recipe, names] of Object.entries(from)) {
        const directory = work.needs[recipe]! // `needs` lists them all
        for (const name of names) await link(join(directory, name), join(work.directory, name))
      }
    },
  }
}
