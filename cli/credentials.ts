// What the command line shows a server, and what it believes one: its token, and the authority of its certificate.

import { existsSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { SETTINGS } from '#server/config.ts'
import { adminTokenFile } from '#server/access/tokens.ts'

/** The token that somebody gave for all calls: `PILOTLIGHT_TOKEN`, else what is in the file `PILOTLIGHT_TOKEN_FILE`. */
export function givenToken(): string | undefined {
  const { PILOTLIGHT_TOKEN: token, PILOTLIGHT_TOKEN_FILE: file } = process.env
  if (token) return token
  return file ? readFileSync(file, 'utf8').trim() : undefined
}

/**
 * The administrator's token in the state directory (`PILOTLIGHT_STATE_PATH`, or `server-state`), for a server on this
 * host. It may be another server's, so it is shown only to one that asks for a token.
 */
export function localToken(base: string): string | undefined {
  if (!isOnThisHost(new URL(base).hostname)) return undefined
  return tokenIn(process.env.PILOTLIGHT_STATE_PATH || SETTINGS.statePath)
}

/** The administrator's token in a server's state directory; undefined where there is none, or not for us. */
export function tokenIn(statePath: string): string | undefined {
  try {
    return readFileSync(adminTokenFile(statePath), 'utf8').trim()
  } catch {
    return undefined // the server says what it takes
  }
}

/**
 * Lets this process believe an HTTPS server's certificate, beside those that everybody believes: of the authority in the
 * file `PILOTLIGHT_CA`, else, for a server on this host, of the one in its state directory.
 */
export function trustServer(base: string): void {
  const { hostname, protocol } = new URL(base)
  if (protocol !== 'https:') return
  const { PILOTLIGHT_CA: file, PILOTLIGHT_STATE_PATH: state } = process.env
  const own = join(state || SETTINGS.statePath, 'ca.crt')
  const path = file || (isOnThisHost(hostname) && existsSync(own) ? own : undefined)
  if (path === undefined) return
  setDefaultCACertificates([...getCACertificates('default'), readFileSync(path, 'utf8')])
}

function isOnThisHost(hostname: string): boolean {
  const name = hostname.replaceAll(/^\[|\]$/g, '')
  if (name === 'localhost') return true
  if (isIP(name) === 0) return false // a name leads wherever somebody's DNS says
  return Object.values(networkInterfaces()).some(addresses =>
    addresses?.some(({ address }) => address === name),
  )
}
