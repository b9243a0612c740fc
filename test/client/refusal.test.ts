// Every code that the server can answer with arrives at a person and at a program under its own name, with the exit status of
// docs/errors.md and something to do.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fastify from 'fastify'
import t, { type Test } from 'tap'
import { EXIT, statusOf } from '#cli/exit.ts'
import { refusal } from '#client/refusal.ts'
import { Failure, type ErrorCode } from '#model/error.ts'
import { ServerError } from '#server/errors.ts'
import { problemAnswer } from '#server/protocols/http/wire/problems.ts'
import { pilotlight } from '../cli/pilotlight.ts'
import { site, testServer } from '../server/serving.ts'

t.setTimeout(120_000) // it starts the program

/** Where the server's classes of errors are. */
const SOURCES = globSync('server/**/*errors.ts', { cwd: join(import.meta.dirname, '../..') }).map(path =>
  join(join(import.meta.dirname, '../..'), path),
)

/** Code and HTTP status of each class of errors, as the server's source has them. */
const CODES = SOURCES.flatMap(path => [
  ...readFileSync(path, 'utf8').matchAll(/ code = '(\w+)'\n +readonly statusCode = (\d+)/g),
]).map(([, code = '', status = '']) => ({ code: code as ErrorCode, status: Number(status) })) // each is one: its class says so

type Reported = {
  code: string
  message: string
  fix: string
  help: string
  exitStatus: number
  request: { status: number }
}

t.test('each code of the server arrives under its own name, for people and with --json', async t => {
  const server = await answering(t)
  const codes = [...new Set(CODES.map(({ code }) => code)), 'BODY_TOO_LARGE', 'INTERNAL'] as ErrorCode[]
  t.ok(codes.length > 60, 'the source is read as it is written')
  const { status, out, err } = await pilotlight(['alarms', 'ack', ...codes, '--json', '--server', server])
  t.equal(
    status,
    statusOf(new Failure(codes[0]!, '', '')),
    'none was done: the status is that of the first code',
  )
  const { items } = JSON.parse(out) as { items: { id: ErrorCode; error: Reported }[] }
  t.strictSame(
    items.map(({ error }) => error.code),
    codes,
  )
  for (const { id, error } of items) {
    t.equal(error.exitStatus, statusOf(new Failure(id, '', '')), `${id} has the exit status of its page`)
    t.equal(error.help, `pilotlight help ${id}`)
    t.match(error.fix, /\w/, id)
    t.notMatch(error.fix, /undefined/, id)
    t.ok(
      err.includes(`${id}: error ${id}: ${error.message}\n  fix: ${error.fix}\n  more: ${error.help}\n`),
      id,
    )
  }
})

t.test('one that ends a command alone gives it its exit status', async t => {
  const server = await answering(t)
  const wanted: readonly [ErrorCode, number][] = [
    ['SERVER_ADDRESS_TAKEN', EXIT.refused],
    ['UNKNOWN_REVISION', EXIT.notFound],
    ['NO_BUNDLE', EXIT.failed],
    ['INVALID_ASSET_NAME', EXIT.usage],
  ]
  const ends = await Promise.all(
    wanted.map(([code]) => pilotlight(['alarms', 'ack', code, '--server', server])),
  )
  for (const [at, [code, status]] of wanted.entries())
    t.match(ends[at], { status, out: '', err: new RegExp(`^error ${code}: it is ${code}`) })
})

t.test('what the server itself refuses has its code, and a command to run', async t => {
  const server = await testServer(t)
  const at = ['--server', server.url]
  const env = { PILOTLIGHT_TOKEN_FILE: join(server.statePath, 'admin.token') }
  t.equal((await server.put('/v1/sites/rack-1', site)).status, 200)
  const rows = [
    [
      'journal ctl-1',
      'NEVER_BOOTED',
      EXIT.notFound,
      'switch the machine on, and look at  pilotlight get machines',
    ],
    [
      'delete machine ctl-1',
      'OWNED_BY_SITE',
      EXIT.refused,
      'change the site file, and run  pilotlight up SITE_FILE',
    ],
    ['machines approve ctl-1', 'NO_KEY_WAITS', EXIT.notFound, 'pilotlight journal ctl-1'],
    [
      'history group rack-1-ctl-1 --revert 9',
      'UNKNOWN_REVISION',
      EXIT.notFound,
      'pilotlight history group rack-1-ctl-1',
    ],
  ] as const
  for (const [typed, code, status, fix] of rows) {
    const ended = await pilotlight([...typed.split(' '), ...at, '--json'], { env })
    t.equal(ended.status, status, `${typed}: ${ended.err}`)
    t.match(JSON.parse(ended.out || '{}'), { error: { code, fix, exitStatus: status } }, typed)
  }
})

t.test('an answer without a code that is known has one by its status', async t => {
  const rows: readonly [number, string, ErrorCode][] = [
    [409, '{"title":"Conflict","detail":"no"}', 'REFUSED'],
    [409, '{"title":"CODE_OF_A_NEWER_SERVER","detail":"no"}', 'REFUSED'],
    [404, '404 page not found\n', 'NOT_FOUND'],
    [502, '<html>Bad Gateway</html>', 'SERVER_FAILED'],
    [500, '{"title":["INTERNAL"],"detail":7}', 'SERVER_FAILED'],
    [503, 'null', 'SERVER_FAILED'],
  ]
  for (const [status, body, code] of rows) {
    const url = 'http://server.example:8080/v1/groups/a'
    const error = await refusal('GET', url, answerAt(url, body, status))
    t.match(error, { code, httpStatus: status, message: /\w/, remedy: /\w/ }, body)
  }
})

t.test('the command that fixes it names what was asked for', async t => {
  const rows: readonly [number, string, string, string, string][] = [
    [
      409,
      '/v1/machines/ctl-1/approve',
      'AMBIGUOUS_KEY',
      'two',
      'pilotlight machines approve ctl-1 --fingerprint THAT_OF_ITS_CONSOLE',
    ],
    [
      409,
      '/v1/machines/ctl-1/reject',
      'AMBIGUOUS_KEY',
      'two',
      'pilotlight machines reject ctl-1 --fingerprint THAT_OF_ITS_CONSOLE',
    ],
    [404, '/v1/machines/ctl-1/reopen', 'NOT_REOPENED', 'not open', 'pilotlight machines reopen ctl-1'],
    [
      412,
      '/v1/groups/a',
      'PRECONDITION_FAILED',
      'changed',
      'read it, and change that:  pilotlight get group a -o yaml',
    ],
    [412, '/v1/groups/a%20b', 'PRECONDITION_FAILED', 'changed', 'read it again, and change that'],
    [
      409,
      '/v1/sites/b',
      'SITE_CONFLICT',
      'machine "ctl-1" of site b belongs to site a already.',
      'rename one of the two, or remove the one there:  pilotlight describe machine ctl-1',
    ],
    [
      403,
      '/v1/sites/b/authority',
      'SECRET_IN_CLEAR',
      "HTTPS, or run 'pilotlight up' there",
      'run the same on the host of the server, or give --server its https URL (that of serve --admin-address)',
    ],
  ]
  for (const [status, path, title, detail, fix] of rows) {
    const url = `http://server.example:8080${path}`
    const error = await refusal('POST', url, answerAt(url, JSON.stringify({ title, detail }), status))
    t.match(error, { code: title, remedy: fix })
  }
})

t.test("names an answer that is not a Pilotlight server's as BAD_ANSWER", async t => {
  const app = fastify()
  app.get('/machines', (_, reply) => reply.type('text/html').send('<html>log in</html>'))
  app.get('/v1/groups', (_, reply) => reply.type('application/json').send('{"items": ['))
  app.get('/v1/machines/:name/journal', (_, reply) => reply.type('text/html; charset=utf-8').send('<p>'))
  app.get('/foo/machines', (_, reply) => reply.code(404).type('text/plain').send('404 page not found\n'))
  t.teardown(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const rows = [
    [
      'get machines',
      url,
      'BAD_ANSWER',
      EXIT.unreachable,
      /with a page, as a Pilotlight server does not\n {2}fix: name the server/,
    ],
    ['get groups', url, 'BAD_ANSWER', EXIT.unreachable, /with a text that is not JSON/],
    ['journal ctl-1', url, 'BAD_ANSWER', EXIT.unreachable, /with a page/],
    [
      'get machines',
      `${url}/foo`,
      'NOT_FOUND',
      EXIT.notFound,
      /fix: name the server by the port of its page, without a path: {2}--server http:\/\/127\.0\.0\.1:8080 /,
    ],
  ] as const
  for (const [typed, at, code, status, says] of rows) {
    const ended = await pilotlight([...typed.split(' '), '--server', at])
    t.equal(ended.status, status, `${typed}: ${ended.err}`)
    t.match(ended.err, new RegExp(`^error ${code}: `))
    t.match(ended.err, says)
  }
})

t.test('a token that exists, and the last of an administrator, are said with the way out', async t => {
  const server = await testServer(t)
  const at = ['--server', server.url]
  const env = { PILOTLIGHT_TOKEN_FILE: join(server.statePath, 'admin.token') }
  t.match(await pilotlight(['tokens', 'create', 'ci', ...at], { env }), { status: EXIT.done })
  t.match(await pilotlight(['tokens', 'create', 'ci', ...at], { env }), {
    status: EXIT.refused,
    err: /^error TOKEN_IN_THE_WAY: .*\n {2}fix: pilotlight tokens revoke ci\n/,
  })
  t.match(await pilotlight(['tokens', 'revoke', 'ci', ...at], { env }), { status: EXIT.done, err: '' })
  t.match(await pilotlight(['tokens', 'revoke', 'bootstrap', ...at], { env }), {
    status: EXIT.done,
    err: /^warning that was the last token of role admin\. .*tokens\.json/,
  })
})

/** An answer of a URL: `Response` has none of its own. */
function answerAt(url: string, body: string, status: number): Response {
  return Object.defineProperty(new Response(body, { status }), 'url', { value: url })
}

/** A server that answers each acknowledgement with the error whose code the alarm's id is, as Pilotlight writes errors. */
async function answering(t: Test): Promise<string> {
  const app = fastify()
  app.setErrorHandler(problemAnswer(() => {}))
  app.post<{ Params: { code: string } }>('/v1/alarms/:code/acknowledge', ({ params: { code } }) => {
    const status = CODES.find(one => one.code === code)?.status
    if (status !== undefined) throw new Thrown(code as ErrorCode, status)
    throw Object.assign(new Error(code), code === 'BODY_TOO_LARGE' ? { statusCode: 413 } : {})
  })
  t.teardown(() => app.close())
  return app.listen({ host: '127.0.0.1', port: 0 })
}

class Thrown extends ServerError {
  readonly code: ErrorCode
  readonly statusCode: number
  constructor(code: ErrorCode, status: number) {
    super(`it is ${code}`)
    this.code = code
    this.statusCode = status
  }
}
