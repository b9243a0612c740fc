import fastify from 'fastify'
import t from 'tap'
import { addPage } from '#server/protocols/http/boot/signatures.ts'
import type { Signer } from '#server/signing/key-ring.ts'

const signer: Signer = {
  sign: (bytes, form) => Promise.resolve(Buffer.from(`${form} of ${Buffer.from(bytes).toString()}`)),
}

t.test('a page has its signatures beside it', async t => {
  const app = fastify()
  addPage(app, signer, '/page', (request, reply) =>
    reply.type('application/json').send(Buffer.from(request.headers.range ?? 'all of it')),
  )
  const base = await app.inject('/page')
  t.equal(base.body, 'all of it')
  const binary = await app.inject({ url: '/page.sig?a=b', headers: { range: 'bytes=0-1' } })
  t.equal(binary.body, 'binary of all of it', 'a range is not heard')
  t.equal(binary.headers['content-type'], 'application/octet-stream')
  const armored = await app.inject({ method: 'POST', url: '/page.asc' })
  t.equal(armored.body, 'armored of all of it')
  t.equal(armored.headers['content-type'], 'text/plain; charset=utf-8')
  t.equal((await app.inject('/page.gpg')).statusCode, 404)
})

t.test("an error's text is signed, with its status", async t => {
  const app = fastify()
  app.setErrorHandler((_, __, reply) => reply.code(404).type('text/plain').send('no page\n'))
  addPage(app, signer, '/page', () => {
    throw new Error('gone')
  })
  const answer = await app.inject('/page.sig')
  t.equal(answer.statusCode, 404)
  t.equal(answer.body, 'binary of no page\n')
})

t.test('without a key ring there are no signatures', async t => {
  const app = fastify()
  addPage(app, undefined, '/page', (_, reply) => reply.send('x'))
  t.equal((await app.inject('/page.sig')).statusCode, 404)
})
