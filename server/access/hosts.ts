// Which host a request asks for, and from where it comes. A page in a browser can have its own name point to our address
// (DNS rebinding): its requests then come from the user's machine, and only the name that they ask for gives them away.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { isIPv6, type Socket } from 'node:net'
import { parseAddress, isLoopback } from '#model/address.ts'

/** A request as far as it counts here. */
export type HostedRequest = Pick<IncomingMessage, 'headersDistinct' | 'socket'> & {
  /** The target as it was received, for example `/machines` or `http://10.20.0.1/machines`. */
  readonly target: string
}

/**
 * The first host that a request names and that is not ours; undefined when all are. A request names one by its `Host`
 * header, and may name another by a target in absolute form, which goes first (RFC 9112 §3.2.2): both have to be ours.
 * Our own are the address that the request arrived at, every loopback address, `localhost`, and `names`.
 *
 * @param names in any case; addresses among them are ours, too
 * @returns `host` is undefined when the request names none, or names one twice
 */
export function foreignHost(
  { headersDistinct, socket, target }: HostedRequest,
  names: readonly string[],
): { readonly host: string | undefined } | undefined {
  const hosts = headersDistinct.host ?? []
  if (hosts.length !== 1) return { host: undefined }
  const [, authority] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(target) ?? []
  const own = [...names, 'localhost', socket.localAddress ?? ''].map(canonical)
  for (const named of authority === undefined ? hosts : [...hosts, authority]) {
    const host = hostIn(named)
    if (host === undefined || !(isLoopback(host) || own.includes(canonical(host)))) {
      return { host: host ?? named }
    }
  }
  return undefined
}

/** The host of `host[:port]`, without the zone of an address or the dot at the end of a name; undefined when it is neither. */
function hostIn(authority: string): string | undefined {
  const [, literal, name] = /^(?:\[([0-9a-f:.]+)(?:%[\w.~%-]*)?\]|([\w.-]+))(?::\d*)?$/i.exec(authority) ?? []
  if (literal !== undefined) return isIPv6(literal) ? literal : undefined
  return name?.replace(/\.$/, '')
}

/** One text for every way of writing an address (RFC 4291 §2.2); a name in lower case. */
function canonical(text: string): string {
  const address = parseAddress(text.replace(/%.*$/, ''))
  return address === undefined ? text.toLowerCase() : `${address.width} ${address.bits.toString(16)}`
}

/**
 * Says whether a connection comes from this host: from a loopback address, or from the very address that it goes to. No
 * other host can make such a connection. Linux drops packets from outside whose source is one of the host's own addresses
 * (martians; `accept_local` and `route_localnet` are off unless someone sets them), and even where it did not, our answer
 * would go to ourselves, and the handshake would never end.
 */
export function isFromHere({
  remoteAddress,
  localAddress,
}: Pick<Socket, 'remoteAddress' | 'localAddress'>): boolean {
  if (remoteAddress === undefined || localAddress === undefined) return false // closed meanwhile
  return isLoopback(remoteAddress) || remoteAddress === localAddress
}

/**
 * Says whether a request was passed on by a proxy, as far as it says so: its source address means nothing then. What a
 * client adds by itself only takes rights away from it.
 */
export function isForwarded(headers: IncomingHttpHeaders): boolean {
  return Object.keys(headers).some(name => PROXY_HEADER.test(name))
}

const PROXY_HEADER =
  /^(?:forwarded|via|x-forwarded.*|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip|cf-connecting-ip)$/
