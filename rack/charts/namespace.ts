// The namespace of a plan, with what its pods may be.

import { kinds, type Manifest } from '../kubernetes/objects.ts'

/**
 * The namespace `name` as an object. Its pods may be privileged: the machine's own network, guests and data are in the hands of
 * some of them (docs/security.md names them). Each that is more than baseline is written into the audit log, and a person who
 * applies one is warned.
 */
export function namespaceObject(name: string): Manifest {
  return {
    ...kinds.namespace,
    metadata: {
      name,
      labels: {
        'pod-security.kubernetes.io/enforce': 'privileged',
        'pod-security.kubernetes.io/audit': 'baseline',
        'pod-security.kubernetes.io/warn': 'baseline',
      },
    },
  }
}
