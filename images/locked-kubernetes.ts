// Which Kubernetes can be built: the version that go/kubernetes/go.mod locks.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_KUBERNETES } from './references.ts'

/** For example `1.36.3`; undefined where the file is not there or names none. */
export function lockedKubernetes(): string | undefined {
  try {
    const text = readFileSync(join(import.meta.dirname, 'go/kubernetes/go.mod'), 'utf8')
    return /^(?:require)?\s*k8s\.io\/kubernetes v(\S+)/m.exec(text)?.[1]
  } catch {
    return undefined
  }
}

/** The versions that images can have: ours, and the one that is locked, if that is another. */
export function kubernetesOfImages(): string[] {
  return [...new Set([DEFAULT_KUBERNETES, lockedKubernetes() ?? DEFAULT_KUBERNETES])]
}
