import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { download } from '#server/assets/bring/download.ts'

const FILE = Buffer.from(Array.from({ length: 400_000 }, (_, n) => n % 251))
const HASTY = { backoffMs: 10, stallSeconds: 0.5 }

type Answer = (request: IncomingMessage, response: ServerResponse, turn: number) => void

/** A server whose nth request is answered by `answer`; gives its URL and the ranges that were asked for. */
async function upstream(t: Test, answer: Answer) {
  const ranges: (string | undefined)[] = []
  const server = createServer((request, response) =>
    answer(request, response, ranges.push(request.headers.range) - 1),
  )
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`, ranges }
}

/** Answers with the file from the asked byte on, if `etag` is still what the client has; breaks off after `bytes`. */
function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { etag = '"1"', file = FILE, bytes = Infinity } = {},
) {
  const [, first] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? []
  const start = request.headers['if-range'] === etag ? Number(first ?? 0) : 0
  const body = file.subarray(start)
  const part = start > 0 ? { 'content-range': `bytes ${start}-${file.length - 1}/${file.length}` } : {}
  response.writeHead(start > 0 ? 206 : 200, { etag, 'content-length': body.length, ...part })
  if (bytes >= body.length) response.end(body)
  else response.write(body.subarray(0, bytes), () => setTimeout(() => response.destroy(), 200))
}

t.test('a download that breaks off goes on where it was', async t => {
  const { url, ranges } = await upstream(t, (request, response, turn) =>
    serve(request, response, turn < 2 ? { bytes: 150_000 } : {}),
  )
  const path = join(t.testdir(), 'file')
  const seen: number[] = []
  await download(url, path, { ...HASTY, onProgress: here => seen.push(here) })
  t.ok(readFileSync(path).equals(FILE))
  t.equal(ranges.length, 3)
  t.match(ranges, [undefined, /^bytes=\d+-$/, /^bytes=\d+-$/])
  t.equal(seen.at(-1), FILE.length)
  t.notOk(existsSync(`${path}.part`))
  t.notOk(existsSync(`${path}.part.json`))
})

t.test('so does one that was interrupted, in a later run', async t => {
  const stop = new AbortController()
  const { url, ranges } = await upstream(t, (request, response, turn) => {
    serve(request, response, turn === 0 ? { bytes: 200_000 } : {})
  })
  const path = join(t.testdir(), 'file')
  const onProgress = (_: number, __: unknown, waiting?: string) => {
    if (waiting !== undefined) stop.abort(new Error('enough'))
  }
  await t.rejects(
    download(url, path, { ...HASTY, backoffMs: 5000, signal: stop.signal, onProgress }),
    /enough/,
  )
  await download(url, path, HASTY)
  t.ok(readFileSync(path).equals(FILE))
  t.match(ranges[1], /^bytes=[1-9]\d*-$/)
})

t.test('a file that changed meanwhile is fetched anew, as a whole', async t => {
  const newer = Buffer.alloc(300_000, 'new ')
  const { url } = await upstream(t, (request, response, turn) =>
    serve(request, response, turn === 0 ? { bytes: 150_000 } : { etag: '"2"', file: newer }),
  )
  const path = join(t.testdir(), 'file')
  await download(url, path, HASTY)
  t.ok(readFileSync(path).equals(newer))
})

t.test('a server that goes silent is asked again', async t => {
  const { url, ranges } = await upstream(t, (request, response, turn) => {
    if (turn > 1) serve(request, response)
    if (turn !== 1) return // the first hears nothing at all
    response.writeHead(200, { etag: '"1"', 'content-length': FILE.length })
    response.write(FILE.subarray(0, 100_000)) // and then nothing
  })
  const path = join(t.testdir(), 'file')
  const waits: string[] = []
  await download(url, path, {
    ...HASTY,
    onProgress: (_, __, waiting) => void (waiting && waits.push(waiting)),
  })
  t.ok(readFileSync(path).equals(FILE))
  t.equal(ranges[2], 'bytes=100000-')
  t.match(waits, [/no byte received for 0.5 s; again in/, /no byte received/])
})

t.test('a busy server is asked again, one that says no is not', async t => {
  const busy = await upstream(t, (request, response, turn) =>
    turn < 2 ? response.writeHead(503).end('later') : serve(request, response),
  )
  const path = join(t.testdir(), 'file')
  await download(busy.url, path, HASTY)
  t.equal(busy.ranges.length, 3)
  const no = await upstream(t, (_, response) => void response.writeHead(404).end())
  await t.rejects(download(no.url, `${path}2`, HASTY), { code: 'DOWNLOAD_FAILED', message: /404/ })
  t.equal(no.ranges.length, 1)
  const never = await upstream(t, request => request.socket.destroy())
  await t.rejects(download(never.url, `${path}3`, { ...HASTY, attempts: 3 }), { message: /3 attempts/ })
  t.equal(never.ranges.length, 3)
})

t.test('without a validator nothing is pieced together', async t => {
  const { url, ranges } = await upstream(t, (_, response, turn) => {
    response.writeHead(200, { 'content-length': FILE.length, ...(turn === 0 ? { etag: 'W/"1"' } : {}) })
    if (turn > 0) response.end(FILE)
    else response.write(FILE.subarray(0, 1000), () => setTimeout(() => response.destroy(), 200))
  })
  const path = join(t.testdir(), 'file')
  await download(url, path, HASTY)
  t.strictSame(ranges, [undefined, undefined])
  t.equal(
    createHash('sha256').update(readFileSync(path)).digest('hex'),
    createHash('sha256').update(FILE).digest('hex'),
  )
})
