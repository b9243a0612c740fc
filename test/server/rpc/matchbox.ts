// Matchbox itself, serving gRPC over a data directory.

import { spawn } from 'node:child_process'
import { createServer, connect, type AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { waitUntil, type Seen } from '#progress/wait.ts'
import { programs } from './programs.ts'

/** Its certificate, and whose clients it takes. */
export type MatchboxTls = { readonly certFile: string; readonly keyFile: string; readonly caFile: string }

/** Starts it; it ends with the test, or when it is stopped. */
export async function matchboxServer(
  t: Test,
  dataPath: string,
  { certFile, keyFile, caFile }: MatchboxTls,
): Promise<{ readonly port: number; readonly stop: () => Promise<void> }> {
  const port = await freePort()
  const flags = [
    '-address=127.0.0.1:0',
    `-rpc-address=127.0.0.1:${port}`,
    `-data-path=${dataPath}`,
    '-assets-path=',
    `-cert-file=${certFile}`,
    `-key-file=${keyFile}`,
    `-ca-file=${caFile}`,
  ]
  const child = spawn(programs.matchbox, flags, { stdio: 'ignore' })
  const ended = new Promise<void>(resolve => void child.once('exit', () => resolve()))
  const stop = () => {
    child.kill('SIGKILL')
    return ended
  }
  t.teardown(stop)
  await waitUntil('Matchbox listens', { limitSeconds: 20, everyMs: 50 }, () => reached(port))
  return { port, stop }
}

/** It cannot be asked which port it took. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on TCP
  await new Promise(resolve => server.close(resolve))
  return port
}

function reached(port: number): Promise<Seen<true>> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), resolve({ value: true })))
    socket.once('error', error => resolve({ not: error.message }))
  })
}
