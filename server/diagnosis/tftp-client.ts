// Reads the beginning of a file by TFTP as a machine's firmware does (RFC 1350), to see whether a server answers.

import { createSocket } from 'node:dgram'
import { messageOf } from '#progress/wait.ts'

/** How long an answer may take, and when the request is sent again. */
const LIMIT_MS = 2500
const AGAIN_MS = 800

/**
 * Asks the server at `address`, from that address, for a file, and takes its first block. Resolves with undefined when it arrived, else
 * with the reason, as a sentence's end.
 *
 * @param port UDP port of the server
 */
export function whyNoTftp(address: string, file: string, port = 69): Promise<string | undefined> {
  return new Promise(resolve => {
    const socket = createSocket('udp4')
    const timers: NodeJS.Timeout[] = []
    let isOver = false
    const end = (why: string | undefined) => {
      if (isOver) return
      isOver = true
      for (const timer of timers) clearTimeout(timer)
      socket.close(() => resolve(why))
    }
    const request = Buffer.concat([Buffer.of(0, 1), Buffer.from(`${file}\0octet\0`, 'latin1')])
    const ask = () => socket.send(request, port, address, error => error && end(messageOf(error)))
    socket.on('error', error => end(messageOf(error)))
    socket.on('message', (bytes, from) => {
      const [, opcode = 0] = bytes
      // An error as the last word: the transfer is over for the server as well.
      if (opcode === 3)
        socket.send(Buffer.from('\0\x05\0\0enough\0', 'latin1'), from.port, from.address, () =>
          end(undefined),
        )
      else
        end(
          opcode === 5
            ? `it refuses: ${bytes.toString('latin1', 4, 104).replace(/\0[^]*$/, '')}`
            : 'its answer is not TFTP',
        )
    })
    socket.bind(0, address, () => {
      ask()
      timers.push(
        setTimeout(ask, AGAIN_MS),
        setTimeout(() => end(`no answer within ${LIMIT_MS / 1000} s`), LIMIT_MS),
      )
    })
  })
}
