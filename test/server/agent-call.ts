// Calls of a server's agents' side as the machine makes them: over HTTPS, trusting our authority alone.

import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import type { TestServer } from './serving.ts'

/** Gives a function that posts to a route with a token, and gives status and text. `from`: the address of this host that it asks from. */
export function agentCall(server: TestServer, from = '127.0.0.1') {
  const ca = readFileSync(join(server.statePath, 'ca.crt'), 'utf8')
  return (
    route: string,
    token: string,
    body: object | string,
  ): Promise<{ readonly status: number; readonly text: string }> =>
    new Promise((resolve, reject) => {
      const isText = typeof body === 'string'
      const sent = request(
        `${server.agentUrl}/agent/v1/${route}`,
        {
          method: 'POST',
          ca,
          headers: {
            authorization: `Bearer ${token}`,
            'content-type': isText ? 'text/plain' : 'application/json',
          },
          timeout: 10_000,
          localAddress: from,
        },
        answer => {
          const parts: Buffer[] = []
          answer.on('data', (part: Buffer) => parts.push(part))
          answer.on('end', () =>
            resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
          )
        },
      )
      sent.on('error', reject)
      sent.end(isText ? body : JSON.stringify(body))
    })
}

/** What the authority of a server is named in what it has installed. */
export function authorityOf(server: TestServer): { authority: string } {
  return { authority: hash('sha256', readFileSync(join(server.statePath, 'ca.crt'), 'utf8')) }
}
