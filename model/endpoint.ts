// Where a server is by default: what its own settings and its callers have to agree on before the first call.

import { join } from 'node:path'

/** The address that a server binds to, and its ports. */
export const DEFAULT_ADDRESS = '127.0.0.1'
/** Of HTTP: boot files, lists, administration. */
export const DEFAULT_HTTP_PORT = 8080
/** Of HTTPS: what machines fetch with their token. */
export const DEFAULT_AGENT_PORT = 8443

/** The URL by which a server on this host is called. */
export const DEFAULT_SERVER_URL = `http://${DEFAULT_ADDRESS}:${DEFAULT_HTTP_PORT}`

/** The state directory of a server that is started by hand, below the working directory. */
export const DEFAULT_STATE_PATH = 'server-state'

/** The file in a server's state directory that a first start writes the token of an administrator to. */
export function adminTokenFile(statePath: string): string {
  return join(statePath, 'admin.token')
}

/** The certificate, in PEM, of the authority in a server's state directory. */
export function authorityFile(statePath: string): string {
  return join(statePath, 'ca.crt')
}
