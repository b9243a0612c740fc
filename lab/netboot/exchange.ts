// The network-boot client's sockets: a DHCP exchange by broadcast, a TFTP read, an HTTP download. Each runs in the
// network namespace of this process and has a deadline.

import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { CommandFailed, run } from '#host/command.ts'
import { BROADCAST } from '#model/ipv4.ts'
import { messageOf } from '#progress/wait.ts'
import { LabError } from '../errors.ts'
import { decodeReply, encodeDiscover, encodeRequest } from './dhcp.ts'
import type { DhcpClient, DhcpReply } from './dhcp.ts'
import { encodeReadRequest, startRead, takePacket } from './tftp.ts'
import type { TftpRead } from './tftp.ts'

/**
 * Pauses before each repetition of a DISCOVER, in milliseconds. The first are shorter than those of a PXE ROM: a port
 * of the bridge may start to forward only shortly after its link is up.
 */
const DISCOVER_PAUSES_MS = [200, 400, 800, 1600, 4000, 8000]
const REPLY_LIMIT_MS = 4000
const TFTP_TRIES = 6
const TFTP_LIMIT_MS = 1000
const HTTP_IDLE_LIMIT_MS = 20_000
const DOWNLOAD_LIMIT_SECONDS = 600

/**
 * Gets an address: DISCOVER, the first OFFER that names something to boot (or the first of all once a second has
 * passed), REQUEST, ACK.
 *
 * @throws {LabError} NO_BOOT when no server answers, with what was seen
 */
export async function askForAddress(client: DhcpClient, signal: AbortSignal): Promise<DhcpReply> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  try {
    socket.bind(68)
    await once(socket, 'listening', { signal })
    socket.setBroadcast(true)
    const begun = performance.now()
    const elapsed = (): number => Math.floor((performance.now() - begun) / 1000)
    const transaction = Math.floor(Math.random() * 0xffffffff)
    for (const pauseMs of DISCOVER_PAUSES_MS) {
      socket.send(encodeDiscover(client, transaction, elapsed()), 67, BROADCAST)
      const offer = await reply(socket, client, transaction, 'offer', pauseMs)
      if (!offer) continue
      socket.send(encodeRequest(client, offer, elapsed()), 67, BROADCAST)
      const ack = await reply(socket, client, transaction, 'ack', REPLY_LIMIT_MS)
      if (ack) return { ...ack, ...(ack.file === '' && { file: offer.file, nextServer: offer.nextServer }) }
    }
    throw new LabError(
      'NO_BOOT',
      `No DHCP server answered ${client.mac} in ${elapsed()} s. Is the server up, and does it know a network?`,
    )
  } finally {
    socket.close()
  }
}

function reply(
  socket: Socket,
  client: DhcpClient,
  transaction: number,
  kind: DhcpReply['kind'],
  limitMs: number,
): Promise<DhcpReply | undefined> {
  return new Promise((resolve, reject) => {
    let second: DhcpReply | undefined
    const timer = setTimeout(() => settle(second), limitMs)
    const settle = (found: DhcpReply | undefined): void => {
      clearTimeout(timer)
      socket.off('message', listen)
      resolve(found)
    }
    const listen = (bytes: Buffer): void => {
      try {
        const seen = decodeReply(bytes, client.mac)
        if (seen?.transaction !== transaction || seen.kind !== kind) return
        if (kind !== 'offer' || seen.file !== '') settle(seen)
        else second ??= seen
      } catch (error) {
        clearTimeout(timer)
        socket.off('message', listen)
        reject(error)
      }
    }
    socket.on('message', listen)
  })
}

/**
 * Reads a file by TFTP and gives how many bytes it had. The bytes are dropped: our loader is this program.
 *
 * @throws {LabError} NO_BOOT when the server refuses or falls silent
 */
export async function readByTftp(server: string, file: string): Promise<number> {
  const socket = createSocket('udp4')
  try {
    return await tftpTransfer(socket, server, file)
  } finally {
    socket.close()
  }
}

function tftpTransfer(socket: Socket, server: string, file: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let read: TftpRead = startRead(file)
    let bytes = 0
    let port = 69
    let last: Uint8Array = encodeReadRequest(file)
    let tries = 0
    let timer: NodeJS.Timeout | undefined
    const send = (packet: Uint8Array): void => {
      last = packet
      clearTimeout(timer)
      timer = setTimeout(repeat, TFTP_LIMIT_MS)
      socket.send(packet, port, server)
    }
    const fail = (error: unknown): void => {
      clearTimeout(timer)
      reject(error)
    }
    const repeat = (): void => {
      if ((tries += 1) < TFTP_TRIES) return send(last)
      const got = `${bytes} of ${read.totalBytes ?? 'unknown'} bytes`
      fail(
        new LabError('NO_BOOT', `TFTP ${server} sends no more of ${file} after ${got} and ${tries} tries.`),
      )
    }
    socket.on('error', fail)
    socket.on('message', (packet, from) => {
      if (port === 69) port = from.port // the transfer's own port (RFC 1350 §4)
      if (from.port !== port) return
      try {
        const step = takePacket(read, packet)
        read = step.read
        bytes += step.data?.length ?? 0
        tries = 0
        if (step.answer) send(step.answer)
        if (!read.done) return
        clearTimeout(timer)
        socket.send(step.answer ?? last, port, server, () => resolve(bytes))
      } catch (error) {
        fail(error)
      }
    })
    send(last)
  })
}

/**
 * Fetches a short text by HTTP.
 *
 * @throws {LabError} NO_BOOT when the server cannot be reached or answers other than 200
 */
export async function fetchText(url: string, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of await answerOf(url, signal)) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/**
 * Downloads a URL into a file and gives its size. By curl, as the live initrd does: it takes a third of the processor
 * time that our streams take.
 *
 * @throws {LabError} NO_BOOT when the server cannot be reached, answers other than 200, or stops half-way
 */
export async function download(url: string, path: string, signal: AbortSignal): Promise<number> {
  const idle = ['--speed-limit', '1', '--speed-time', String(HTTP_IDLE_LIMIT_MS / 1000)]
  const args = [
    '--fail',
    '--silent',
    '--show-error',
    '--connect-timeout',
    '10',
    ...idle,
    '--output',
    path,
    url,
  ]
  try {
    await run('curl', args, { limitSeconds: DOWNLOAD_LIMIT_SECONDS, signal })
  } catch (error) {
    const said = error instanceof CommandFailed ? error.stderr.trim() : ''
    throw new LabError('NO_BOOT', `${url}: ${said === '' ? messageOf(error) : said}`, { cause: error })
  }
  return (await stat(path)).size
}

function answerOf(url: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const unreachable = (error: Error): void =>
      reject(new LabError('NO_BOOT', `${url} cannot be fetched: ${error.message}.`, { cause: error }))
    const options = { signal, timeout: HTTP_IDLE_LIMIT_MS, headers: { 'user-agent': 'pilotlight-netboot' } }
    const outgoing = request(url, options, answer => {
      if (answer.statusCode === 200) return resolve(answer)
      answer.resume()
      reject(new LabError('NO_BOOT', `${url} answered ${answer.statusCode} ${answer.statusMessage}.`))
    })
    outgoing.on('error', unreachable)
    outgoing.on('timeout', () => outgoing.destroy(new Error(`silent for ${HTTP_IDLE_LIMIT_MS / 1000} s`)))
    outgoing.end()
  })
}
