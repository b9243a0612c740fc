// Matchbox itself, serving gRPC over a data directory.

import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import type { Test } from 'tap'
import { waitUntil, type Seen } from '#progress/wait.ts'
import { freePort } from '../../../free-ports.ts'
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

function reached(port: number): Promise<Seen<true>> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), resolve({ value: true })))
    socket.once('error', error => resolve({ not: error.message }))
  })
}
