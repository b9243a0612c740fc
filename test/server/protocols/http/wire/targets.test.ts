import t from 'tap'
import { METHODS, request, type IncomingMessage } from 'node:http'
import { originForm, plainPlace } from '#server/protocols/http/wire/targets.ts'
import { testServer } from '../../../serving.ts'

t.test('an absolute target loses its host', async t => {
  t.equal(originForm('http://else.example/ipxe?a=1'), '/ipxe?a=1')
  t.equal(originForm('http://else.example'), '/')
  t.equal(originForm('http://else.example?a=1'), '/?a=1')
  t.equal(originForm('/ipxe?u=http://x/y'), '/ipxe?u=http://x/y')
  t.equal(originForm('*'), '*')
})

t.test('a path that is not plain has a plain one', async t => {
  t.equal(plainPlace('//ipxe?x=//'), '/ipxe?x=//')
  t.equal(plainPlace('/a/../ipxe'), '/ipxe')
  t.equal(plainPlace('/assets/./a/'), '/assets/a/')
  t.equal(plainPlace('/../../etc'), '/etc')
  t.equal(plainPlace('/..'), '/')
  t.equal(plainPlace('/assets/a/..?x=1', ['/assets']), '/assets/?x=1')
  t.equal(plainPlace('/assets'), undefined)
  t.equal(plainPlace('/assets/..a/%2e%2e/b?x=/../'), undefined)
})

t.test('redirects a path that is not plain, and answers any method', async t => {
  const server = await testServer(t)
  const ask = (path: string, method = 'GET') =>
    new Promise<IncomingMessage>((resolve, reject) => {
      request({ port: new URL(server.url).port, path, method, agent: false }, answer => {
        resolve(answer.resume())
      })
        .on('error', reject)
        .end() // node:http sends the path as it is
    })
  const moved = await ask('//boot.ipxe?a=1')
  t.equal(moved.statusCode, 307)
  t.equal(moved.headers.location, '/boot.ipxe?a=1')
  const broken = await ask('/%zz')
  t.equal(broken.statusCode, 400)
  t.equal(broken.headers['content-type'], 'text/plain; charset=utf-8')
  const star = await ask('*', 'OPTIONS')
  t.equal(star.statusCode, 200)
  t.equal(star.headers['content-length'], '0')
  // Fastify wants a QUERY to name the type of its body.
  for (const method of METHODS.filter(name => name !== 'CONNECT' && name !== 'QUERY'))
    t.equal((await ask('/boot.ipxe', method)).statusCode, 200, method)
})
