import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { parseLabels, rawQueryOf } from '#server/boot/match/labels.ts'
import { answerRefused, noteBody, targetOf } from '#server/protocols/http/wire/raw-targets.ts'

/** The head of a request with a body. */
const post = (body: string) => `POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`

/** An app that says what it was asked, and a way to send it any bytes. */
async function echo(t: Test) {
  const app: FastifyInstance = fastify({ clientErrorHandler: answerRefused(() => app.server) })
  app.server.on('request', noteBody)
  app.all('/x', (request, reply) => {
    const query = rawQueryOf(targetOf(request.raw))
    return reply.send({ ip: request.ip, query, labels: { ...parseLabels(query) } })
  })
  const url = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  t.teardown(() => app.close())
  return async (text: string) => {
    const socket = connect(Number(url.port), url.hostname)
    socket.write(Buffer.from(text, 'latin1'))
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString()
  }
}

t.test('raw bytes in a request line are taken as they come', async t => {
  const ask = await echo(t)
  const utf8 = await ask('GET /x?n=bl\xc3\xbcte HTTP/1.1\r\nHost: x\r\n\r\n')
  t.match(utf8, /^HTTP\/1\.1 200 OK\r\n/)
  t.match(utf8, /connection: close/i, 'the connection ends with the answer')
  const body = JSON.parse(utf8.slice(utf8.indexOf('\r\n\r\n'))) as unknown
  t.strictSame(body, { ip: '127.0.0.1', query: 'n=blüte', labels: { n: 'blüte' } })
  t.match(await ask('GET /x?n=\xff HTTP/1.0\r\n\r\n'), /"n":"\\udcff"/, 'bytes that are not UTF-8 are kept')
})

t.test('a head with two lengths is refused at once', async t => {
  const ask = await echo(t)
  const head = 'POST /x HTTP/1.1\r\nHost: x\r\n'
  for (const fields of [
    'Content-Length: 4\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked, gzip',
  ])
    t.match(await ask(`${head}${fields}\r\n\r\n0\r\n\r\n`), /^HTTP\/1\.1 400 /, fields)
})

t.test('what else the parser refuses gets a plain 400', async t => {
  const ask = await echo(t)
  for (const request of [
    'nonsense\r\n\r\n',
    'GET \xdf@ HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET @ HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /\xc3 x HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST /x?\xc3 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  ]) {
    const answer = await ask(request)
    t.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/, JSON.stringify(request))
    t.match(answer, /\r\n\r\n400 Bad Request$/)
  }
})

t.test('a body is never taken for a request, wherever its packets end', async t => {
  const app: FastifyInstance = fastify({ clientErrorHandler: answerRefused(() => app.server) })
  app.server.on('request', noteBody)
  const asked: string[] = []
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_, payload, parsed) => {
    payload.resume()
    parsed(null)
  })
  app.all('/*', ({ method, url }, reply) => {
    asked.push(`${method} ${url}`)
    return reply.send('')
  })
  const url = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  t.teardown(() => app.close())
  const send = async (...packets: string[]) => {
    asked.length = 0
    const socket = connect({ port: Number(url.port), host: url.hostname, noDelay: true })
    socket.on('error', () => {}).resume()
    for (const packet of packets) {
      socket.write(Buffer.from(packet, 'latin1'))
      await sleep(100)
    }
    if (!socket.closed) socket.destroy()
    return [...asked]
  }
  const bad = 'GET /b?\xff HTTP/1.1\r\nHost: x\r\n\r\n'
  const hidden = 'GET /hidden?\xff HTTP/1.1\r\nHost: x\r\n\r\n'
  t.same(await send(post(hidden), hidden + bad), ['POST /post'], 'a whole request in the body')
  t.same(
    await send(post('UN'), `UNLINK /b?\xff HTTP/1.1\r\nHost: x\r\n\r\n`),
    ['POST /post'],
    'a part of one',
  )
  const chunked = 'POST /post HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'
  const size = hidden.length.toString(16)
  t.same(await send(`${chunked}${size}\r\n`, `${hidden}\r\n0\r\n\r\n${bad}`), ['POST /post'], 'in chunks')
  t.same(await send('GET /a HTTP/1.1\r\nHost: x\r\nX: ', hidden + bad), ['GET /a'], 'in a header')
  t.same(await send('GET /a HTTP/1.1\r\nHost: x\r\n\r\n', bad), ['GET /a', 'GET /b?%FF'], 'without a body')
})
