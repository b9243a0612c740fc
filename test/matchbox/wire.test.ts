// What made-up requests to the real Matchbox found, each by itself: these need no Matchbox.

import t from 'tap'
import { utimesSync } from 'node:fs'
import { join } from 'node:path'
import { testServer } from '../server/serving.ts'
import { ask } from './peers.ts'

const DATE = 1704164645

t.test('requests of all kinds are answered as by Go', async t => {
  const dataPath = t.testdir({
    groups: { 'default.json': '{"id":"default","profile":"p"}' },
    profiles: { 'p.json': '{"id":"p","generic_id":"g","cloud_id":"c"}' },
    generic: { g: '{{.request.raw_query}}' },
    cloud: { c: '#cloud-config\n- a\n' },
    assets: { a: 'abc', d: { x: '' } },
  })
  utimesSync(join(dataPath, 'assets/a'), DATE, DATE)
  const settings = { dataPath, assetsPath: join(dataPath, 'assets'), statePath: join(dataPath, 'state') }
  const port = Number(new URL((await testServer(t, settings)).url).port)
  const send = (line: string, ...headers: string[]) =>
    ask(
      port,
      Buffer.from([`${line} HTTP/1.1`, 'Host: a', 'Connection: close', ...headers, '', ''].join('\r\n')),
    )

  for (const [line, header, status, ranges] of [
    ['GET /assets/a', 'Range: bytes=9-', 416, undefined],
    ['GET /assets/a', 'If-Match: "x"', 412, undefined],
    ['GET /generic', 'If-Match: "x"', 412, undefined],
    ['GET /assets/a', 'If-Modified-Since: Tue Jan  2 03:04:05 2024', 304, undefined],
    ['GET /assets/a', 'Range: bytes=1-', 206, 'bytes'],
    ['GET /generic', 'X: y', 200, 'bytes'],
  ] as const) {
    const answer = await send(line, header)
    t.equal(answer.status, status, `${line} ${header}`)
    t.equal(answer.headers['accept-ranges'], ranges, `${line} ${header}: only what may be asked for in parts`)
  }

  for (const [line, status] of [
    ['QUERY /generic', 200],
    ['OPTIONS *', 200],
    ['GET *', 400],
    ['GET *?a=b', 400],
    ['GET /generic#x', 404],
    ['GET /%61ssets/a', 404],
    ['GET /%67eneric', 200],
    ['GET /nosuch%E6', 404],
    ['GET /nosuch%E', 400],
    ['M-SEARCH /generic?\u00fc', 200],
    ['GET /cloud', 200],
  ] as const) {
    t.equal((await send(line)).status, status, line)
  }
  t.equal((await send('GET /generic?a=b#c')).body.toString(), 'a=b#c', 'a query has no fragment')
  t.equal((await send('OPTIONS /nosuch', 'Content-Type: application/json')).status, 404)

  const coded = await send('GET /generic', 'Transfer-Encoding: identity')
  t.equal(coded.status, 501)
  t.equal(coded.body.toString(), 'Unsupported transfer encoding', 'one answer, not two')

  const head = await send('HEAD //generic')
  t.equal(head.status, 307)
  t.equal(head.headers['content-length'], undefined)
  const sent = await send('GET //generic?\u00fc=<')
  t.equal(sent.headers.location, '/generic?%c3%bc=<')
  t.equal(sent.body.toString(), '<a href="/generic?\u00fc=&lt;">Temporary Redirect</a>.\n\n')
  t.equal((await send('GET /assets/d?')).headers.location, 'd/', 'an empty query is left out')
})
