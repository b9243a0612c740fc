// Requests as an attacker writes them: a chosen Host, no Host at all, a target that `fetch` would not send.

import { connect } from 'node:net'
import { text } from 'node:stream/consumers'

/** What a server answered: its status, and all that it sent. */
export type RawAnswer = { readonly status: number; readonly text: string }

/**
 * Sends `lines` with CRLF and an empty line behind, and reads until the server closes; so send `Connection: close` with
 * HTTP/1.1.
 *
 * @param from the address that the connection comes from, where it is not the system's choice
 */
export async function rawRequest(url: string, lines: readonly string[], from?: string): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  const host = hostname.replaceAll(/^\[|\]$/g, '')
  const socket = connect({ host, port: Number(port), ...(from === undefined ? {} : { localAddress: from }) })
  socket.setTimeout(10_000, () => socket.destroy(new Error('no answer within 10 s')))
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  const answer = await text(socket)
  const [, status = '0'] = /^HTTP\/1\.[01] (\d{3})/.exec(answer) ?? []
  return { status: Number(status), text: answer }
}
