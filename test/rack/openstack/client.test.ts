// The client of the APIs against a server that answers as Keystone and Nova do.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { OpenstackClient } from '#rack/openstack/client.ts'
import { asFailedCall } from '#rack/openstack/errors.ts'

type Answer = (asked: IncomingMessage, body: string) => { status: number; json?: object; token?: string }
const who = { user: 'admin', password: 'sesame', project: 'admin' }

/** A cloud at a free port; gives its URL. */
async function cloudOf(t: Test, answer: Answer): Promise<string> {
  const server = createServer((asked: IncomingMessage, answered: ServerResponse) => {
    let body = ''
    asked.on('data', (chunk: Buffer) => (body += chunk.toString()))
    asked.on('end', () => {
      const { status, json, token } = answer(asked, body)
      answered.writeHead(status, token === undefined ? {} : { 'x-subject-token': token })
      answered.end(json === undefined ? '' : JSON.stringify(json))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const user = { user: { id: 'u' }, project: { id: 'p' }, expires_at: '2026-11-21T13:00:00Z' }
const compute = (url: string) => [
  { type: 'compute', endpoints: [{ interface: 'public', url: `${url}/v2.1` }] },
]

t.test('a token that ran out is renewed once, and the call is made again', async t => {
  let tokens = 0
  let url = ''
  url = await cloudOf(t, ({ url: path, headers }) => {
    if (path === '/v3/auth/tokens') {
      tokens += 1
      return { status: 201, token: `token-${tokens}`, json: { token: { ...user, catalog: compute(url) } } }
    }
    t.equal(headers['openstack-api-version'], 'compute 2.79')
    return headers['x-auth-token'] === 'token-2' ? { status: 200, json: { servers: [] } } : { status: 401 }
  })
  const cloud = await OpenstackClient.connect(`${url}/v3`, who)
  t.strictSame(await cloud.get('compute', '/servers'), { servers: [] })
  t.equal(tokens, 2)
  t.match(JSON.stringify(cloud.token), 'projectId')
  t.notMatch(JSON.stringify(cloud.token), 'token-2')
})

t.test('the catalog is read again until the service is in it', async t => {
  let url = ''
  let listed = false
  url = await cloudOf(t, ({ url: path }) => {
    if (path === '/v3/auth/tokens') return { status: 201, token: 't', json: { token: user } }
    if (path === '/v3/auth/catalog') return { status: 200, json: { catalog: listed ? compute(url) : [] } }
    return { status: 200, json: { path } }
  })
  const cloud = await OpenstackClient.connect(`${url}/v3`, who)
  await t.rejects(cloud.get('compute', '/servers'), {
    code: 'NO_SUCH_SERVICE',
    message: /compute; it has nothing/,
  })
  listed = true
  t.strictSame(await cloud.get('compute', '/servers'), { path: '/v2.1/servers' })
})

t.test('a refusal names the service, the call, the status and the reason', async t => {
  let url = ''
  url = await cloudOf(t, ({ url: path, method }) => {
    if (path === '/v3/auth/tokens')
      return { status: 201, token: 't', json: { token: { ...user, catalog: compute(url) } } }
    return {
      status: method === 'DELETE' ? 404 : 409,
      json: { conflictingRequest: { message: 'It is in use' } },
    }
  })
  const cloud = await OpenstackClient.connect(`${url}/v3`, who)
  await t.rejects(cloud.post('compute', '/servers', {}), {
    code: 'CLOUD_REFUSED',
    status: 409,
    message: /^compute: POST http\S+\/v2\.1\/servers answers 409: It is in use$/,
  })
  await t.resolves(cloud.remove('compute', '/servers/1'), 'what is gone already is as good as removed')
})

t.test('a wrong password is reported as what it is', async t => {
  const url = await cloudOf(t, () => ({
    status: 401,
    json: { error: { message: 'The request you have made requires authentication.' } },
  }))
  await t.rejects(OpenstackClient.connect(`${url}/v3`, who), {
    status: 401,
    message: /requires authentication/,
  })
})

t.test('bytes are sent as they are', async t => {
  let url = ''
  let sent = ''
  url = await cloudOf(t, ({ url: path, headers }, body) => {
    if (path === '/v3/auth/tokens') {
      const catalog = [{ type: 'image', endpoints: [{ interface: 'public', url }] }]
      return { status: 201, token: 't', json: { token: { ...user, catalog } } }
    }
    sent = `${path} ${headers['content-type']} ${headers['content-length']} ${body}`
    return { status: 204 }
  })
  const cloud = await OpenstackClient.connect(`${url}/v3`, who)
  await cloud.upload('image', '/images/1/file', new Blob(['abc']))
  t.equal(sent, '/v2/images/1/file application/octet-stream 3 abc')
})

t.test('a service that does not answer is named with its call', async t => {
  const reason = new DOMException('The operation was aborted due to timeout', 'TimeoutError')
  t.throws(() => asFailedCall('POST http://nova/servers', 30)(reason), {
    code: 'NO_ANSWER',
    message: /^POST http:\/\/nova\/servers: no answer within 30 s/,
  })
})
