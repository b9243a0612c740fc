// Running the host's commands: output to a log, a deadline, and an error that shows the end of what was said.

import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'

/** How a command is run. */
export type CommandOptions = {
  /** Seconds after which the command is killed: nothing waits for ever. */
  readonly limitSeconds: number
  readonly cwd?: string
  /** Variables added to ours. */
  readonly env?: Readonly<Record<string, string>>
  /** Text or bytes given on standard input, which is empty otherwise. */
  readonly input?: string | Uint8Array
  /** A file to which both outputs are appended. */
  readonly log?: string
  readonly signal?: AbortSignal
}

/** What a finished command said. */
export type CommandResult = { readonly stdout: string; readonly stderr: string }

/** A command that could not start, ended badly, or ran over its limit. */
export class CommandFailed extends Error {
  readonly code = 'COMMAND_FAILED'
  /** The exit status, or null when it never started or was killed. */
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  constructor(line: string, status: number | null, why: string, result: CommandResult, log?: string) {
    const tail = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-8).join('\n  ')
    super(`${line}: ${why}${tail === '' ? '' : `\n  ${tail}`}${log ? `\n  all of it: ${log}` : ''}`)
    this.status = status
    this.stdout = result.stdout
    this.stderr = result.stderr
  }
}

/**
 * Runs `command` and gives what it printed.
 *
 * @throws {CommandFailed} when it cannot start, exits other than 0, or is not done within `limitSeconds`
 */
export async function run(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  options.signal?.throwIfAborted()
  if (options.log) await mkdir(dirname(options.log), { recursive: true })
  const log = options.log ? createWriteStream(options.log, { flags: 'a' }) : undefined
  log?.write(`$ ${lineOf(command, args)}\n`)
  try {
    return await finished(command, args, options, chunk => log?.write(chunk))
  } finally {
    log?.end()
  }
}

function finished(
  command: string,
  args: readonly string[],
  options: CommandOptions,
  onOutput: (chunk: Buffer) => void,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    let why: string | undefined
    const kill = (reason: string) => {
      why = reason
      child.kill('SIGTERM')
      setTimeout(() => child.kill('SIGKILL'), 3000).unref()
    }
    const timer = setTimeout(
      () => kill(`not done after ${options.limitSeconds} s`),
      options.limitSeconds * 1000,
    )
    const abort = () => kill('interrupted')
    options.signal?.addEventListener('abort', abort, { once: true })
    child.stdout.on('data', (chunk: Buffer) => {
      out.push(chunk)
      onOutput(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      err.push(chunk)
      onOutput(chunk)
    })
    child.stdin.on('error', () => {}) // a command that ends without reading its input is judged by its status
    child.stdin.end(options.input)
    const settle = (status: number | null, reason?: string) => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', abort)
      const result = { stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }
      if (status === 0 && why === undefined) return resolve(result)
      const said = why ?? reason ?? (status === null ? 'killed' : `exit ${status}`)
      reject(new CommandFailed(lineOf(command, args), status, said, result, options.log))
    }
    child.on('error', error => settle(null, error.message))
    child.on('close', status => settle(status))
  })
}

function lineOf(command: string, args: readonly string[]): string {
  const line = [command, ...args].map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`)).join(' ')
  return line.length > 160 ? `${line.slice(0, 157)}...` : line
}
