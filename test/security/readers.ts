// Clients that ask for a file and take nothing of it: `readers.ts URL FIRST LAST EACH`, from the addresses 10.99.0.FIRST to
// 10.99.0.LAST, so many connections each. Prints, once all have asked and then every second, how many are open. An empty
// path asks for nothing.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

if (import.meta.main) {
  const [url = '', first, last, each] = process.argv.slice(2)
  const { hostname, port, pathname } = new URL(url)
  const sockets: Socket[] = []
  for (let at = Number(first); at <= Number(last); at += 1) {
    for (let one = 0; one < Number(each); one += 1) {
      const socket = connect({ host: hostname, port: Number(port), localAddress: `10.99.0.${at}` })
      socket.on('error', () => {}) // reset is a way to refuse
      await Promise.race([once(socket, 'connect'), once(socket, 'close')])
      socket.pause()
      if (pathname !== '/') socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`)
      sockets.push(socket)
    }
  }
  for (;;) {
    await sleep(1000)
    // A paused socket learns of its end by a write.
    for (const socket of sockets) if (!socket.destroyed) socket.write('\r\n')
    console.log(sockets.filter(({ destroyed }) => !destroyed).length)
  }
}
