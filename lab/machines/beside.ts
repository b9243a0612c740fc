// A process that runs beside a machine's QEMU and is reached by a socket in the machine's folder.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { waitUntil } from '#progress/wait.ts'
import type { Hardware } from './hardware.ts'

/** How a process beside a machine is started, and how it ends. */
export type Beside = {
  readonly program: string
  readonly args: readonly string[]
  /** The name of its socket in the machine's folder. */
  readonly socket: string
  /** What is waited for, for people: `the machine's TPM listens`. */
  readonly what: string
  readonly env?: NodeJS.ProcessEnv
  /** Has the process end; called where it does not listen in time. */
  readonly stop: (child: ChildProcess, ended: Promise<void>) => Promise<void>
  /** The error to throw where it ended before it listened, with the reason as text. */
  readonly failure: (reason: string) => Error
}

/**
 * Starts the process in the machine's folder, its output on the machine's console, and resolves when its socket is there.
 * `ended` resolves when it has ended, and never rejects.
 *
 * @throws what `failure` gives when it cannot be started or ends at once; {WaitedTooLong} when it does not listen within 10 s
 */
export async function startBeside(
  { directory: cwd, console }: Pick<Hardware, 'directory' | 'console'>,
  { program, args, socket, what, env, stop, failure }: Beside,
): Promise<{ readonly child: ChildProcess; readonly ended: Promise<void> }> {
  const path = join(cwd, socket)
  rmSync(path, { force: true })
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], ...(env && { env }) })
  child.stdout.on('data', (bytes: Buffer) => console(bytes))
  child.stderr.on('data', (bytes: Buffer) => console(bytes))
  let over: string | undefined
  const ended = new Promise<void>(resolve => {
    child.on('error', error => {
      over = error.message
      resolve()
    })
    child.on('close', status => {
      over ??= `${program} ended with ${status ?? 'a signal'}`
      resolve()
    })
  })
  try {
    await waitUntil(what, { limitSeconds: 10, everyMs: 20 }, async () =>
      over !== undefined || existsSync(path) ? { value: true } : { not: `${path} is not there yet` },
    )
  } catch (cause) {
    await stop(child, ended)
    throw cause
  }
  if (over !== undefined) throw failure(over)
  return { child, ended }
}
