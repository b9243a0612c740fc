// Sockets that are opened for the server, and a server without any privilege on them.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { run } from '#host/command.ts'
import { boundSockets, inheritedSockets, InheritedSockets, settingsOf } from '#server/process/activation.ts'
import type { InheritedSocket } from '#server/process/activation.ts'
import { whyNoNetworks } from '../../network.ts'

t.setTimeout(120_000)
const skip = whyNoNetworks('setpriv', 'pgrep', 'curl')

const DHCP: InheritedSocket = { fd: 3, protocol: 'udp', address: '10.20.0.1', port: 67 }
const BROADCAST: InheritedSocket = { fd: 4, protocol: 'udp', address: '255.255.255.255', port: 67 }
const HTTP: InheritedSocket = { fd: 5, protocol: 'tcp', address: '10.20.0.1', port: 80 }

t.test("the kernel's tables say where a socket is bound", async t => {
  const udp = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  123: 0100140A:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 0
  124: FFFFFFFF:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 0
`
  t.strictSame(
    [...boundSockets(udp)],
    [
      ['4711', { address: '10.20.0.1', port: 67 }],
      ['4712', { address: '255.255.255.255', port: 67 }],
    ],
  )
  const tcp6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: B80D01200000000000000000010000FF:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 98 1 0000000000000000 100 0 0 10 0
`
  t.strictSame(
    [...boundSockets(tcp6)],
    [
      ['99', { address: '2001:db8::ff00:1', port: 8080 }],
      ['98', { address: '::1', port: 8081 }],
    ],
  )
  t.equal(boundSockets('').size, 0)
})

t.test('a socket is taken once, by where it is bound', async t => {
  const sockets = new InheritedSockets([DHCP, BROADCAST, { ...HTTP, address: '::1', port: 8080 }])
  t.equal(sockets.take('tcp', '10.20.0.1', 67), undefined)
  t.equal(sockets.take('udp', '10.20.0.1', 67), 3)
  t.equal(sockets.take('udp', '10.20.0.1', 67), undefined)
  t.strictSame(sockets.left, ['UDP 255.255.255.255:67', 'TCP [::1]:8080'])
  const logged: string[] = []
  sockets.reportUnused((_, text) => logged.push(text))
  t.match(logged, [/uses UDP 255\.255\.255\.255:67, TCP \[::1\]:8080, which was passed to it\. Remove it/])
  t.equal(sockets.take('tcp', '0:0::1', 8080), 5)
})

t.test('sockets give the address and the port of HTTP where no flag does', async t => {
  t.strictSame(settingsOf([]), {})
  t.strictSame(settingsOf([BROADCAST, DHCP, HTTP]), { address: '10.20.0.1', httpPort: 80 })
  t.strictSame(settingsOf([HTTP]), { address: '10.20.0.1', httpPort: 80 })
  t.strictSame(settingsOf([DHCP, HTTP, { ...HTTP, port: 8443 }]), { address: '10.20.0.1' })
  t.strictSame(settingsOf([DHCP, { ...HTTP, address: '10.9.0.1' }]), { address: '10.20.0.1' })
})

t.test('sockets for another process are not ours, and the variables do not reach a child', async t => {
  const env = { LISTEN_PID: '1', LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:b', HOME: '/' }
  t.strictSame(inheritedSockets(env), [])
  t.strictSame(env, { HOME: '/' })
  t.strictSame(inheritedSockets({}), [])
})

t.test('what is not a bound socket of TCP or UDP is refused with its number', async t => {
  const env = { LISTEN_PID: String(process.pid), LISTEN_FDS: '200' }
  t.throws(() => inheritedSockets(env), {
    code: 'BAD_ACTIVATION',
    message: /^File descriptor \d+, which the service manager passed, .*ListenStream=/,
  })
})

t.test(
  'a server without any privilege serves DHCP, TFTP and HTTP on sockets that it is given',
  { skip },
  async t => {
    const given = ['udp:10.20.0.1:67', 'udp:255.255.255.255:67', 'udp:10.20.0.1:4011', 'udp:10.20.0.1:69']
    const { lines, child, inside } = serveIn(t, [...given, 'tcp:10.20.0.1:80'])
    const serving = await lines.find(line => line.text === 'serving')
    t.match(serving, { url: 'http://10.20.0.1:80', dhcp: true, tftp: true })

    const pid = (await run('pgrep', ['--parent', String(child.pid)], { limitSeconds: 5 })).stdout.trim()
    const status = readFileSync(`/proc/${(await lastChild(pid)) ?? pid}/status`, 'utf8')
    t.match(status, /^CapEff:\t0+\nCapBnd:\t0+\n/m, 'no capability, and no way to one')
    t.match(status, /^NoNewPrivs:\t1$/m)

    t.match(await inside('curl', '--silent', '--fail', 'http://10.20.0.1/readyz'), /ready/)
    const loader = await inside('curl', '--silent', 'tftp://10.20.0.1/autoexec.ipxe')
    t.match(loader, /^#!ipxe/, 'TFTP answers')
    t.notOk(lines.seen.some(line => line.level === 'warn' && /passed to it/.test(line.text)))
    child.kill('SIGTERM')
    t.strictSame(await once(child, 'close'), [0, null])
  },
)

t.test('the same server binds no low port by itself, and a socket too many is named', { skip }, async t => {
  const { child, errors } = serveIn(t, ['tcp:10.20.0.1:80'])
  const [status] = (await once(child, 'close')) as [number]
  t.not(status, 0)
  t.match(errors(), /Cannot serve (DHCP|TFTP) on 10\.20\.0\.1, UDP port \d+: the port is privileged/)
  t.match(errors(), /deploy\/pilotlight\.socket/)

  const other = serveIn(t, ['tcp:10.20.0.1:80', 'udp:10.20.0.1:514'], ['--no-dhcp', '--no-tftp'])
  await other.lines.find(line => line.text === 'serving')
  t.match(other.lines.seen, [{ level: 'warn', text: /uses UDP 10\.20\.0\.1:514/ }])
  other.child.kill('SIGTERM')
  await once(other.child, 'close')
})

type Line = { readonly level: string; readonly text: string; readonly url?: string }

/** A server in its own network namespace, without capabilities, started with sockets that another process opened. */
function serveIn(t: Scope, sockets: readonly string[], flags: readonly string[] = []) {
  const root = join(import.meta.dirname, '../../..')
  const state = t.testdir()
  const drop = ['setpriv', '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs']
  const serve = [process.execPath, join(root, 'cli/main.js'), 'serve', '--agent-port', '0', ...flags]
  const command = [...drop, ...serve, '--state-path', join(state, 'state')]
  const open = [
    process.execPath,
    '--no-deprecation',
    join(import.meta.dirname, 'pass-sockets.ts'),
    ...sockets,
    '--',
    ...command,
  ]
  const network =
    'ip link set lo up; ip link add p0 type veth; ip address add 10.20.0.1/24 dev p0; ip link set p0 up'
  const child = spawn('unshare', ['--net', 'sh', '-c', `${network}; exec "$@"`, 'sh', ...open], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.teardown(() => child.kill('SIGTERM'))
  const seen: Line[] = []
  let text = ''
  const reader = createInterface(child.stderr)
  reader.on('line', line => {
    text += `${line}\n`
    if (line.startsWith('{')) seen.push(JSON.parse(line) as Line)
  })
  const find = async (wanted: (line: Line) => boolean): Promise<Line> => {
    const signal = AbortSignal.timeout(30_000)
    for (;;) {
      const found = seen.find(wanted)
      if (found) return found
      if (child.exitCode !== null) throw new Error(`the server ended: ${text}`)
      await Promise.race([once(reader, 'line', { signal }), once(child, 'close')])
    }
  }
  const inside = async (...argv: readonly string[]) =>
    (await run('nsenter', [`--net=/proc/${child.pid}/ns/net`, ...argv], { limitSeconds: 20 })).stdout
  return { child, inside, errors: () => text, lines: { seen, find } }
}
type Scope = { testdir(): string; teardown(undo: () => unknown): void }

async function lastChild(pid: string): Promise<string | undefined> {
  const found = await run('pgrep', ['--parent', pid], { limitSeconds: 5 }).catch(() => undefined)
  return found?.stdout.trim() || undefined
}
