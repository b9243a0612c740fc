// A running client program of Matchbox's module, for calls from tests.

import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { programs } from './programs.ts'

/** What a call was answered: gRPC's code, and the message or the response. */
export type Answer = { readonly code: number; readonly message: string; readonly response?: unknown }

/** Who calls, and where. */
export type Caller = {
  readonly endpoint: string
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
}

/** Makes calls one after the other over one connection, which ends with the test. */
export function publishedClient(t: Test, { endpoint, caFile, certFile, keyFile }: Caller) {
  const child = spawn(programs.client, [endpoint, caFile, certFile, keyFile], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.teardown(() => ended(child))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return async (name: string, request: object = {}): Promise<Answer> => {
    const [service, method] = name.split('/')
    child.stdin.write(`${JSON.stringify({ service, method, request })}\n`)
    const { value, done } = await lines.next()
    if (done) throw new Error(`the client ended with ${child.exitCode}`)
    return JSON.parse(value) as Answer
  }
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve()
  child.stdin?.end()
  return new Promise(resolve => void child.once('exit', () => resolve()))
}
