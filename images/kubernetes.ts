// Kubernetes from its own Go module. The module's staging repositories are published under their own names:
// where its go.mod replaces them by a folder, ours (`go/kubernetes/go.mod`) replaces them by the release that belongs to
// it.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PilotlightError } from '#model/error.ts'
import { goRecipe, moduleDirectory, type GoRecipe } from './go.ts'

const PROGRAMS = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
  'kubelet',
  'kubectl',
] as const

/** A Kubernetes version that is not `major.minor.patch`. */
export class MalformedKubernetesVersion extends PilotlightError {
  readonly code = 'MALFORMED_KUBERNETES_VERSION'
  constructor(version: string) {
    super(`"${version}" is not a Kubernetes version. Write it as in 1.36.3: three numbers, no v.`)
  }
}

/**
 * The recipe of Kubernetes' binaries, statically linked: the API server, controller manager, scheduler,
 * proxy, kubelet and kubectl of `version` (`1.36.3`).
 *
 * @throws {MalformedKubernetesVersion}
 */
export function kubernetesRecipe(version: string): GoRecipe {
  const { major, minor, staging } = versionsOf(version)
  const variable = 'k8s.io/component-base/version'
  return goRecipe(
    {
      name: 'kubernetes',
      module: 'k8s.io/kubernetes',
      version: `v${version}`,
      packages: Object.fromEntries(PROGRAMS.map(name => [name, `k8s.io/kubernetes/cmd/${name}`])),
      variables: {
        [`${variable}.gitVersion`]: `v${version}`,
        [`${variable}.gitMajor`]: major,
        [`${variable}.gitMinor`]: minor,
        [`${variable}.gitTreeState`]: 'clean',
      },
    },
    {
      requirements: async work => {
        const source = await moduleDirectory(work, 'k8s.io/kubernetes', `v${version}`)
        const modules = stagingModules(await readFile(join(source, 'go.mod'), 'utf8'))
        return modules.map(name => `-replace=${name}=${name}@${staging}`)
      },
    },
  )
}

/**
 * The numbers of a Kubernetes version, and the version of the staging modules that belongs to it: `1.36.3`
 * has `v0.36.3`.
 *
 * @throws {MalformedKubernetesVersion}
 */
export function versionsOf(version: string): { major: string; minor: string; staging: string } {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)$/.exec(version) ?? []
  if (major === undefined || minor === undefined) throw new MalformedKubernetesVersion(version)
  return { major, minor, staging: `v0.${minor}.${patch}` }
}

/**
 * The modules that a go.mod replaces by a folder below `./staging/`, sorted, in either form of the directive.
 */
export function stagingModules(goMod: string): string[] {
  const found = goMod.matchAll(/^\s*(?:replace\s+)?(\S+)\s+(?:v\S+\s+)?=>\s+\.\/staging\/\S+/gm)
  return [...new Set([...found].map(([, name]) => name!))].toSorted() // the pattern has one group
}
