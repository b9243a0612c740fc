// What the command line shows a server, and by what it trusts one: its token, and the authority of its certificate.

import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { adminTokenFile, authorityFile, DEFAULT_STATE_PATH } from '#model/endpoint.ts'
import { isLoopback } from '#model/address.ts'
import { Failure } from '#model/error.ts'
import { isListenerOf } from '#host/listeners.ts'
import { textIfThereSync } from '#host/read-if-there.ts'

/** A token, and where it comes from, for a message. */
export type FoundToken = { readonly token: string; readonly from: string }

/**
 * The token that is given for all calls: `PILOTLIGHT_TOKEN`, else what is in the file `PILOTLIGHT_TOKEN_FILE`.
 *
 * @throws {Failure} BAD_OPTION when that file has none
 */
export function givenToken(): FoundToken | undefined {
  const { PILOTLIGHT_TOKEN: token, PILOTLIGHT_TOKEN_FILE: file } = process.env
  if (token) return { token, from: 'PILOTLIGHT_TOKEN' }
  if (!file) return undefined
  const remedy =
    'name a file that holds a token, for example admin.token in the state directory of the server'
  const found = namedText('PILOTLIGHT_TOKEN_FILE', file, remedy).trim()
  return { token: found, from: `PILOTLIGHT_TOKEN_FILE, ${file}` }
}

/** Where a server that runs as a service has its state. */
const SERVICE_STATE = '/var/lib/pilotlight'

/**
 * The administrator's token in the state directory of a server on this host: `PILOTLIGHT_STATE_PATH`, else `server-state`,
 * else that of the service. It may be another server's, so it is for one that asks for a token; and a program of another
 * user may listen in the server's place, so it is for one of the token's owner or of root.
 */
export function localToken(base: string): FoundToken | undefined {
  const { hostname, port, protocol } = new URL(base)
  if (!isOnThisHost(hostname)) return undefined
  const { PILOTLIGHT_STATE_PATH: given } = process.env
  for (const statePath of given ? [given] : [DEFAULT_STATE_PATH, SERVICE_STATE]) {
    const token = tokenIn(statePath)
    if (token === undefined) continue
    const { uid } = statSync(adminTokenFile(statePath))
    const at = Number(port || (protocol === 'https:' ? 443 : 80))
    return isListenerOf(uid, hostname, at) ? { token, from: adminTokenFile(statePath) } : undefined
  }
  return undefined
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
 * Lets this process trust an HTTPS server's certificate, besides those of public authorities: of the authority in the
 * file `PILOTLIGHT_CA`, else, for a server on this host, of the one in its state directory.
 *
 * @throws {Failure} BAD_OPTION when that file has none
 */
export function trustServer(base: string): void {
  const { hostname, protocol } = new URL(base)
  if (protocol !== 'https:') return
  const { PILOTLIGHT_CA: file, PILOTLIGHT_STATE_PATH: state } = process.env
  const own = authorityFile(state || DEFAULT_STATE_PATH)
  const path = file || (isOnThisHost(hostname) && existsSync(own) ? own : undefined)
  if (path === undefined) return
  const remedy =
    "name the PEM file of the authority that signed the server's certificate: ca.crt in its state directory"
  const variable = file ? 'PILOTLIGHT_CA' : 'the authority of the server on this host'
  const pem = namedText(variable, path, remedy)
  if (!isCertificate(pem)) {
    throw new Failure('BAD_OPTION', `${variable} is "${path}": it holds no certificate in PEM`, remedy)
  }
  setDefaultCACertificates([...getCACertificates('default'), pem])
}

/** Node itself passes over what is none. */
function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0
  } catch {
    return false
  }
}

/** The text of a file that a variable names: nothing is tried without it. */
function namedText(variable: string, path: string, remedy: string): string {
  try {
    const text = readFileSync(path, 'utf8')
    if (text.trim() !== '') return text
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException // of node:fs
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: 'there is no such file',
      EISDIR: 'it is a directory',
      EACCES: 'you may not read it',
    }
    throw new Failure('BAD_OPTION', `${variable} is "${path}": ${reasons[code ?? ''] ?? message}`, remedy)
  }
  throw new Failure('BAD_OPTION', `${variable} is "${path}": it is empty`, remedy)
}

/** Says whether what is sent to `base` can be read by other hosts on its way: plain HTTP, and not to an address of this host. */
function isReadOnTheWire(base: string): boolean {
  const { hostname, protocol } = new URL(base)
  return protocol === 'http:' && !isOnThisHost(hostname)
}

/**
 * Refuses to send what signs for a site, or a bundle, where other hosts can read it on its way.
 *
 * @throws {Failure} WIRE_NOT_PRIVATE
 */
export function requirePrivateWire(base: string): void {
  if (!isReadOnTheWire(base)) return
  const { hostname } = new URL(base)
  const what = `the authorities and bundles of the site would go to ${hostname} over plain HTTP, where other hosts can read them; they were not sent`
  const remedy =
    `run it on the provisioner itself, and name the server by one of its addresses, not by a name; or start the server with --admin-address ${hostname}:8444, ` +
    `give --server https://${hostname}:8444, and name a copy of ca.crt of the server's state directory in PILOTLIGHT_CA`
  throw new Failure('WIRE_NOT_PRIVATE', what, remedy)
}

let warned = false

/** Says once in a process that a token is sent where other hosts can read it. */
export function warnOfReadableToken(base: string): void {
  if (warned || !isReadOnTheWire(base)) return
  warned = true
  const { hostname } = new URL(base)
  const remedy = `start the server with --admin-address, and give --server https://${hostname}:PORT`
  process.stderr.write(
    `warning the access token goes to ${hostname} over plain HTTP, where other hosts can read it: ${remedy}\n`,
  )
}

/** Says whether a host of a URL is an address of this host, or `localhost`. */
export function isOnThisHost(hostname: string): boolean {
  const name = hostname.replaceAll(/^\[|\]$/g, '')
  if (name === 'localhost') return true
  if (isIP(name) === 0) return false // a name leads wherever a DNS server says
  if (isLoopback(name)) return true
  return (
    Object.values(networkInterfaces()).some(addresses =>
      addresses?.some(({ address }) => address === name),
    ) || hasLocalRoute(textIfThereSync('/proc/net/fib_trie') ?? '', name)
  )
}

/**
 * Says whether Linux's table of IPv4 routes (`/proc/net/fib_trie`) has an address as one of this host. Node leaves out the addresses of a
 * card or bridge without a carrier, as one is whose machines are all off.
 */
export function hasLocalRoute(table: string, address: string): boolean {
  return new RegExp(`-- ${address.replaceAll('.', '\\.')}\\n\\s+/32 host LOCAL`).test(table)
}
