// The command line as its users meet it: help, mistakes, exit codes, and what a server's refusal becomes.

import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { EXIT, EXIT_MEANINGS } from '#cli/exit.ts'

const MAIN = join(import.meta.dirname, '../../cli/main.js')

function pilotlight(...args: string[]): Promise<{ status: number | null; said: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
    })
    const said: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk))
    child.on('error', reject)
    child.on('close', status => resolve({ status, said: Buffer.concat(said).toString() }))
  })
}

t.test('help explains a subcommand, and every exit code', async t => {
  t.match(await pilotlight('help', 'lab', 'up'), { status: 0, said: /Usage: pilotlight lab up / })
  t.match(await pilotlight('help', 'serv'), {
    status: EXIT.notFound,
    said: /fix: pilotlight help serve/,
  })
  t.match(await pilotlight('help', 'lab', 'sideways'), { status: EXIT.notFound, said: /lab sideways/ })
  const { said } = await pilotlight('help', 'exit-codes')
  for (const meaning of Object.values(EXIT_MEANINGS)) t.ok(said.includes(meaning), meaning)
})

t.test('what cannot be used is refused with 2 before anything starts', async t => {
  const usage = { status: EXIT.usage }
  t.match(await pilotlight('get', 'machines', '--server', '127.0.0.1:8080'), {
    ...usage,
    said: /"127\.0\.0\.1:8080" is not the URL of a server\n.*http:\/\/10\.20\.0\.1:8080/,
  })
  t.match(await pilotlight('serve', '--data-path', '/nowhere'), {
    ...usage,
    said: /data-path is "\/nowhere"/,
  })
  t.match(await pilotlight('assets', 'remove', '../tokens/bootstrap', '--server', 'http://127.0.0.1:9'), {
    ...usage,
    said: /assets\/\.\.\/tokens\/bootstrap is not a path of the server\n.*without "\.\."/,
  })
  t.match(await pilotlight('get', 'template', '..', '--server', 'http://127.0.0.1:9'), usage)
  t.match(await pilotlight('explain', '--mac', '12'), {
    ...usage,
    said: /it is not a hardware address; give 12/,
  })
  t.match(await pilotlight('get', 'machins'), { ...usage, said: /did you mean machines\?/ })
  t.match(await pilotlight('up', 'site.yaml', '--boot-limit', '1e9'), { ...usage, said: /at most 86400/ })
})

t.test("a refusal shows the problem's own text and what to do", async t => {
  const server = createServer((request, response) => {
    const problem = request.url?.startsWith('/machines') === true
    response.writeHead(404, { 'content-type': problem ? 'application/problem+json' : 'text/html' })
    response.end(problem ? '{"title":"UNKNOWN","detail":"There is no machine \\"x\\"."}' : '<html>no</html>')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // a TCP server that listens
  t.match(await pilotlight('get', 'machines', 'x', '--server', url), {
    status: EXIT.notFound,
    said: /^error NOT_FOUND: There is no machine "x"\.\n {2}fix: pilotlight get machines\n {2}more: pilotlight help NOT_FOUND\n$/,
  })
  t.match(await pilotlight('get', 'groups', '--server', url), {
    status: EXIT.notFound,
    said: /^error NOT_FOUND: GET .*\/v1\/groups.* was answered 404 Not Found, as a Pilotlight server does not\n {2}fix: /,
  })
})
