// Stands in for systemd: opens sockets, passes them as sd_listen_fds(3) has it, and becomes the parent of a command.
// Arguments: the sockets as `udp:ADDRESS:PORT` or `tcp:ADDRESS:PORT`, `--`, the command. Ends as the command does.

import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

const split = process.argv.indexOf('--')
if (split < 0) throw new Error('usage: pass-sockets.ts PROTOCOL:ADDRESS:PORT… -- COMMAND…') // else it would run itself
const wanted = process.argv.slice(2, split)
const command = process.argv.slice(split + 1)
const fds: number[] = []
const opened: { close(): unknown }[] = []
for (const one of wanted) {
  const [protocol, address, port] = one.split(':')
  const socket = protocol === 'udp' ? createSocket({ type: 'udp4', reuseAddr: true }) : createServer()
  if ('bind' in socket) socket.bind(Number(port), address)
  else socket.listen(Number(port), address)
  await once(socket, 'listening')
  opened.push(socket)
  fds.push((socket as unknown as { _handle: { fd: number } })._handle.fd)
}
const script = 'LISTEN_PID=$$ LISTEN_FDS=$0 exec "$@"'
const child = spawn('sh', ['-c', script, String(fds.length), ...command], { stdio: ['ignore', 1, 2, ...fds] })
for (const socket of opened) socket.close() // the child has its own; ours would take packets and connections
for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
const [status] = (await once(child, 'close')) as [number | null]
process.exit(status ?? 1)
