// Every error that the cluster stage gives on purpose.

import { PilotlightError } from '#model/error.ts'

/** The kept PKI is incomplete or does not fit together. Nothing was changed: replacing keys is a decision. */
export class PkiDamaged extends PilotlightError {
  readonly code = 'PKI_DAMAGED'
}

/** A node that Kubernetes knows is not what the site says about it, so it gets no role. */
export class NodeMismatch extends PilotlightError {
  readonly code = 'NODE_MISMATCH'
  constructor(node: string, why: string) {
    super(
      `Node ${node} is not labelled: ${why}. ` +
        `Correct the machine in the site file, or delete the node, then run this again.`,
    )
  }
}
