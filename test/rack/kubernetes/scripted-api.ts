// An HTTPS server on loopback that plays the Kubernetes API by a script, over HTTP/2 as a real one does: for what that does
// too seldom to wait for.

import { once } from 'node:events'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { Test } from 'tap'
import { makeAuthority, makeLeaf } from '#host/x509.ts'
import type { KubernetesClient, Limits } from '#rack/kubernetes/client.ts'
import { connect } from '#rack/kubernetes/connect.ts'
import { renderKubeconfig } from '#rack/cluster/kubeconfig.ts'

export type Answer = Http2ServerResponse

/** A request as it was received, and what answers it. */
export type Exchange = {
  readonly query: URLSearchParams
  readonly body: string
  readonly answer: Answer
}

/** The server, and a client of it. */
export type ScriptedApi = {
  readonly client: KubernetesClient
  /** Every request so far but look-ups of kinds: `GET /api/v1/pods?watch=true`. */
  readonly asked: string[]
  /** TLS connections so far. */
  readonly connections: () => number
  readonly close: () => void
}

/** Answers each request by `script`; what kinds there are it answers by itself. Ends with the test. */
export async function scriptApi(
  t: Test,
  script: (exchange: Exchange) => void,
  limits: Limits = { requestSeconds: 5, silenceSeconds: 5 },
): Promise<ScriptedApi> {
  const validity = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3600_000 }
  const authority = await makeAuthority({ commonName: 'a test' }, validity)
  const leaf = { commonName: 'a test', dns: [], addresses: ['127.0.0.1'] }
  const own = await makeLeaf({ ...leaf, purposes: ['server'] }, validity, authority)
  const theirs = await makeLeaf({ ...leaf, purposes: ['client'] }, validity, authority)
  const tls = { cert: own.certificate, key: own.key, ca: authority.certificate, requestCert: true }
  const asked: string[] = []
  const sockets: Socket[] = []
  const server = createSecureServer(tls, (request, answer) => {
    void bodyOf(request).then(body => {
      const { pathname, searchParams: query } = new URL(request.url, 'https://host')
      const resources = KINDS[pathname]
      if (resources !== undefined) return sendJson(answer, 200, { kind: 'APIResourceList', resources })
      asked.push(`${request.method} ${request.url}`)
      script({ query, body, answer })
    })
  })
  server.on('secureConnection', socket => sockets.push(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const close = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  const url = `https://127.0.0.1:${port}`
  const client = await connect(renderKubeconfig(url, authority.certificate, 'a test', theirs), limits)
  t.teardown(async () => {
    await client.close()
    close()
  })
  return { client, asked, connections: () => sockets.length, close }
}

/** Answers with JSON. */
export function sendJson(answer: Answer, status: number, value: object): void {
  answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

/** Answers with a refusal as the API words it. */
export function refuse(answer: Answer, code: number, message: string): void {
  sendJson(answer, code, statusOf(code, message))
}

/** Ends the connection, whatever else is under way on it. */
export function breakOff(answer: Answer): void {
  answer.stream.session?.destroy()
}

/** The Status object of a refusal. */
export function statusOf(code: number, message: string): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, message, metadata: {} }
}

const KINDS: Readonly<Record<string, readonly object[]>> = {
  '/api/v1': [
    { name: 'pods', kind: 'Pod', namespaced: true },
    { name: 'pods/log', kind: 'Pod', namespaced: true },
    { name: 'nodes', kind: 'Node', namespaced: false },
  ],
  '/apis/rbac.authorization.k8s.io/v1': [{ name: 'clusterroles', kind: 'ClusterRole', namespaced: false }],
}

async function bodyOf(request: Http2ServerRequest): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk)
  return text
}
