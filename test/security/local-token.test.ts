// The token beside a server of this host goes to that server, and to no program that took its place.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { listenersAt } from '#host/listeners.ts'
import { endChild } from '../end-child.ts'
import { pilotlight } from '../cli/pilotlight.ts'
import { testServer } from '../server/serving.ts'

t.setTimeout(120_000) // a busy machine takes its time

t.test('the command line shows the token beside a server to that server', async t => {
  const server = await testServer(t)
  for (const url of [server.url, server.url.replace('127.0.0.1', 'localhost')]) {
    const env = { PILOTLIGHT_STATE_PATH: server.statePath, PILOTLIGHT_SERVER: url }
    t.match(await pilotlight(['tokens', 'list'], { env }), { status: 0, out: /bootstrap/ }, url)
  }
})

/** Listens, asks for a token, and prints what it is shown. */
const IMPOSTOR = `
  const server = require('http').createServer((request, response) => {
    console.log(request.headers.authorization ?? 'nothing')
    response.writeHead(401).end()
  })
  server.listen(0, '127.0.0.1', () => console.log(server.address().port))`

for (const { who, uid, shown } of [
  { who: 'a program of another user in its place gets no token', uid: 65_534, shown: ['nothing'] },
  { who: "one of the token's owner is the server", uid: 0, shown: ['nothing', 'Bearer plt_secret'] },
]) {
  const skip = process.getuid?.() === 0 ? false : 'needs root, to listen as another user'
  t.test(who, { skip }, async t => {
    const child = spawn(process.execPath, ['-e', IMPOSTOR], { uid, stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => endChild(child))
    const lines = createInterface(child.stdout)
    const [port] = (await once(lines, 'line')) as [string]
    const heard: string[] = []
    lines.on('line', line => heard.push(line))
    const statePath = join(t.testdir({ state: { 'admin.token': 'plt_secret\n' } }), 'state')
    chmodSync(join(statePath, 'admin.token'), 0o600)
    const env = { PILOTLIGHT_STATE_PATH: statePath, PILOTLIGHT_SERVER: `http://127.0.0.1:${port}` }
    t.not((await pilotlight(['tokens', 'list'], { env })).status, 0)
    t.strictSame(heard, shown)
  })
}

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const line = (at: string, address: string, state: string, uid: number) =>
  `   ${at}: ${address}:1F90 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 ${String(uid).padStart(5)}        0 1 1 0 100 0 0 10 0\n`

t.test('listeners are found by address and port, of all addresses too', { skip: isBigEndian() }, async t => {
  const tcp = [
    HEAD,
    line('0', '0100007F', '0A', 11),
    line('1', '0100140A', '0A', 12),
    line('2', '0100007F', '01', 13),
    line('10', '00000000', '0A', 14),
  ].join('')
  const tcp6 = [
    HEAD,
    line('0', '00000000000000000000000001000000', '0A', 15),
    line('1', '0000000000000000FFFF00000100007F', '0A', 16),
    line('2', '00000000000000000000000000000000', '0A', 17),
  ].join('')
  t.strictSame(
    listenersAt('127.0.0.1', 8080, [tcp, tcp6]),
    [11, 14, 16, 17],
    'what is connected listens no more',
  )
  t.strictSame(listenersAt('[::1]', 8080, [tcp, tcp6]), [14, 15, 17])
  t.strictSame(listenersAt('127.0.0.1', 8081, [tcp, tcp6]), [])
  t.strictSame(listenersAt('127.0.0.1', 8080, ['']), [])
})

function isBigEndian(): string | false {
  return new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? false : 'the table is of a little-endian host'
}
