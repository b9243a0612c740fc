import fc from 'fast-check'
import t from 'tap'
import { METHODS } from 'node:http'
import { patternOf } from '#server/protocols/http/wire/methods.ts'
import { testServer } from '../../../serving.ts'

t.test(
  'a method that a route of the API does not take is a 405, which names those that it takes',
  async t => {
    const server = await testServer(t)
    for (const [method, path, allow] of [
      ['POST', '/v1/problems', 'GET, HEAD'],
      ['PATCH', '/v1/transactions', 'POST'],
      ['GET', '/v1/transactions?dryRun=true', 'POST'],
      ['POST', '/v1/groups', 'GET, HEAD'],
      ['POST', '/v1/groups/a/b', 'DELETE, GET, HEAD, PATCH, PUT'],
      ['PATCH', '/v1/templates/ignition/a.bu', 'DELETE, GET, HEAD, PUT'],
      ['PROPFIND', '/v1/openapi.json', 'GET, HEAD'],
    ] as const) {
      const answer = await fetch(server.url + path, { method })
      t.equal(answer.status, 405, `${method} ${path}`)
      t.equal(answer.headers.get('allow'), allow)
      t.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8')
      t.match(await answer.json(), {
        status: 405,
        title: 'METHOD_NOT_ALLOWED',
        detail: `and no ${method}. Ask`,
      })
    }
    t.equal((await fetch(`${server.url}/v1/nothing`, { method: 'POST' })).status, 404)
  },
)

t.test(
  'for people and loaders a wrong method is a plain text error, and Matchbox’s routes accept all',
  async t => {
    const server = await testServer(t)
    for (const path of [
      '/profiles',
      '/machines/ctl-1',
      '/healthz',
      '/metrics',
      '/loaders/snponly.efi',
      '/ui/',
    ]) {
      const answer = await fetch(server.url + path, { method: 'DELETE' })
      t.equal(answer.status, 405, path)
      t.equal(answer.headers.get('allow'), 'GET, HEAD')
      t.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8')
      t.equal(await answer.text(), `${path} takes GET, HEAD, and no DELETE. Ask with one of them.\n`)
    }
    for (const path of [
      '/',
      '/boot.ipxe',
      '/ipxe',
      '/grub',
      '/ignition',
      '/generic',
      '/cloud',
      '/metadata',
    ]) {
      t.not((await fetch(server.url + path, { method: 'DELETE' })).status, 405, path)
    }
    const nothing = await fetch(`${server.url}/nothing`, { method: 'DELETE' })
    t.match([nothing.status, await nothing.text()], [404, '404 page not found\n'])
  },
)

t.test('the path of a route is taken by its pattern, and each part stays one part', async t => {
  t.ok(patternOf('/v1/groups/*').test('/v1/groups/'))
  t.notOk(patternOf('/v1/groups/:id/history').test('/v1/groups//history'))
  t.notOk(patternOf('/v1/openapi.json').test('/v1/openapi-json'))
  const part = fc.string().filter(text => text !== '' && !text.includes('/'))
  fc.assert(
    fc.property(part, fc.string(), (id, rest) => {
      const one = patternOf('/a.b/:id/c')
      const isTaken = one.test(`/a.b/${id}/c`) && patternOf('/a.b/*').test(`/a.b/${rest}`)
      return isTaken && !one.test(`/a.b/${id}/${id}/c`)
    }),
  )
})

t.test('no method gets a 500', async t => {
  const server = await testServer(t)
  // CONNECT and upgrades get no answer from us; fetch knows no others of these.
  const failed: string[] = []
  for (const method of METHODS.filter(it => !['CONNECT', 'TRACE', 'TRACK'].includes(it))) {
    for (const path of ['/v1/groups/x', '/groups', '/assets/x', '/loaders/x']) {
      if ((await fetch(server.url + path, { method })).status >= 500) failed.push(`${method} ${path}`)
    }
  }
  t.same(failed, [])
})
