// Nothing that a client of gRPC can send ends the server, and a client without access gets an error that says so.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { testAuthority, type Issued } from '../../access/authority.ts'
import { testServer } from '../../serving.ts'

const PROTO = readFileSync(
  new URL('../../../../server/protocols/rpc/proto/rpc.proto', import.meta.url),
  'utf8',
)

/** All methods, from the definition itself. */
const METHODS = [...PROTO.matchAll(/service (\w+) \{(.*?)\n\}/gs)].flatMap(([, service, body = '']) =>
  [...body.matchAll(/rpc (\w+)\(/g)].map(([, method]) => `/rpcpb.${service}/${method}`),
)

/** A server, and a client that calls it with raw bytes. */
async function rpcServer(t: Test, subject = 'CN=terraform') {
  const authority = await testAuthority(join(t.testdir(), 'tls'))
  const { caFile, ca } = authority
  const { certFile, keyFile } = await authority.issue('server')
  const statePath = join(t.testdirName, 'state')
  const server = await testServer(t, { statePath, rpcAddress: '127.0.0.1:0', certFile, keyFile, caFile })
  const clientOf = ({ cert, key }: Issued) => {
    const shown = credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(cert))
    const client = new Client(`127.0.0.1:${server.rpcPort}`, shown)
    t.teardown(() => client.close())
    return (method: string, bytes: Uint8Array) =>
      new Promise<status>(resolve => {
        const deadline = { deadline: Date.now() + 10_000 }
        const done = (error: ServiceError | null) => resolve(error === null ? status.OK : error.code)
        client.makeUnaryRequest(
          method,
          (sent: Uint8Array) => Buffer.from(sent),
          it => it,
          bytes,
          deadline,
          done,
        )
      })
  }
  return { server, authority, clientOf, call: clientOf(await authority.issue('terraform', { subject })) }
}

t.test('there are five services with sixteen methods', async t => {
  t.equal(METHODS.length, 16)
  t.equal(new Set(METHODS.map(name => name.split('/')[1])).size, 5)
})

t.test(
  'whatever bytes a message has, the call is answered, and so is the next',
  { timeout: 60_000 },
  async t => {
    const { call, server } = await rpcServer(t)
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...METHODS), anyMessage(), async (method, bytes) => {
        const code = await call(method, bytes)
        seen.add(status[code])
        // Bytes that are not a protobuf message are the one thing that INTERNAL is for, as in Go's gRPC.
        return code !== status.DEADLINE_EXCEEDED && code !== status.UNAVAILABLE
      }),
      { numRuns: 500 },
    )
    t.ok(seen.has('OK') && seen.has('UNKNOWN'), [...seen].join(' '))
    t.equal(await call('/rpcpb.Groups/GroupList', new Uint8Array()), status.OK)
    t.notMatch(server.logged.join('\n'), /^error/m, 'not our own failure')
  },
)

t.test('a method that is not there is reported as such', async t => {
  const { call } = await rpcServer(t)
  t.equal(await call('/rpcpb.Groups/GroupBurn', new Uint8Array()), status.UNIMPLEMENTED)
  t.equal(await call('/nothing.At/All', new Uint8Array()), status.UNIMPLEMENTED)
})

t.test('a certificate of role read-only reads and selects, and changes nothing', async t => {
  const { call } = await rpcServer(t, 'CN=auditor, O=pilotlight:read-only')
  for (const method of METHODS) {
    const code = await call(method, new Uint8Array())
    if (/Put|Delete/.test(method)) t.equal(code, status.PERMISSION_DENIED, method)
    else t.not(code, status.PERMISSION_DENIED, method)
  }
})

t.test('a certificate of another authority, or none, gets no connection', async t => {
  const { clientOf } = await rpcServer(t)
  const other = await testAuthority(join(t.testdirName, 'other'))
  const stranger = clientOf(await other.issue('terraform'))
  t.equal(await stranger('/rpcpb.Groups/GroupList', new Uint8Array()), status.UNAVAILABLE)
})

/** Random bytes, and random fields of protobuf, which get further in. */
function anyMessage(): fc.Arbitrary<Uint8Array> {
  const text = fc.oneof(
    fc.constantFrom('', 'a', 'node-1', '../x', 'a/b', '\0', '{"a":1}', '[1]', 'mac', '__proto__', 'x.ign'),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.string({ minLength: 200, maxLength: 400 }),
  )
  const { message } = fc.letrec<{ message: Uint8Array; field: Uint8Array }>(tie => ({
    message: fc.array(tie('field'), { maxLength: 6 }).map(fields => Buffer.concat(fields)),
    field: fc
      .tuple(
        fc.integer({ min: 1, max: 6 }),
        fc.oneof(
          { depthSize: 'small' },
          text.map(it => Buffer.from(it)),
          fc.uint8Array(),
          tie('message'),
        ),
      )
      .map(([number, value]) => Buffer.concat([Buffer.of((number << 3) | 2), varint(value.length), value])),
  }))
  return fc.oneof(
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
    { weight: 4, arbitrary: message },
  )
}

function varint(number: number): Buffer {
  const bytes: number[] = []
  for (; number > 127; number >>>= 7) bytes.push((number & 127) | 128)
  return Buffer.from([...bytes, number])
}
