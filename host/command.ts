// Running the host's commands: output to a log, a deadline, and an error that shows the end of what was said.

import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { delimiter, dirname } from 'node:path'
import { PilotlightError } from '#model/error.ts'
import { LONGEST_TIMER_MS } from '#progress/wait.ts'

/** When a command and all it started are killed: nothing waits forever. */
export type Limit =
  /** Seconds from its start. */
  | { readonly limitSeconds: number }
  /** Seconds without a byte of output, of a command that says what it does: a busy machine makes it slow, not silent. */
  | { readonly silenceSeconds: number }

/** How a command is run. */
export type CommandOptions = Limit & {
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
export class CommandFailed extends PilotlightError {
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
 * Runs `command` and gives what it printed. It leads its own process group: the limit and the signal end the
 * command together with what it started. The log is complete when the promise settles.
 *
 * @throws {CommandFailed} when it cannot start, exits other than 0, or goes over its limit
 */
export async function run(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  options.signal?.throwIfAborted()
  if (options.log) await mkdir(dirname(options.log), { recursive: true })
  const log = options.log ? createWriteStream(options.log, { flags: 'a' }) : undefined
  log?.on('error', () => {}) // a full disk must not hide how the command ended
  log?.write(`$ ${lineOf(command, args)}\n`)
  try {
    return await finished(command, args, options, chunk => log?.write(chunk))
  } finally {
    // The callback comes after an error too.
    if (log !== undefined && !log.destroyed) await new Promise<void>(resolve => log.end(() => resolve()))
  }
}

/** Milliseconds between SIGTERM and SIGKILL, and from there to giving up on a process that still holds the outputs. */
const TERM_MS = 3000
const KILL_MS = 500

function finished(
  command: string,
  args: readonly string[],
  options: CommandOptions,
  onOutput: (chunk: Buffer) => void,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, PATH: commandPath(process.env['PATH']), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // a process group, which can be ended as a whole
    })
    const { pid } = child
    if (pid !== undefined) running.add(pid)
    const out: Buffer[] = []
    const err: Buffer[] = []
    let why: string | undefined
    let next: NodeJS.Timeout | undefined
    const kill = (reason: string) => {
      if (why !== undefined) return
      why = reason
      endGroup(pid, 'SIGTERM')
      next = setTimeout(() => {
        endGroup(pid, 'SIGKILL')
        // A process that left the group may hold the outputs open: closing our ends emits `close`.
        next = setTimeout(() => {
          child.stdout.destroy()
          child.stderr.destroy()
        }, KILL_MS)
      }, TERM_MS)
    }
    const timer =
      'limitSeconds' in options
        ? after(options.limitSeconds, () => kill(`not done after ${options.limitSeconds} s`))
        : after(options.silenceSeconds, () => kill(`no output for ${options.silenceSeconds} s`))
    const heard = () => 'silenceSeconds' in options && timer.refresh()
    const abort = () => kill('interrupted')
    options.signal?.addEventListener('abort', abort, { once: true })
    child.stdout.on('data', (chunk: Buffer) => {
      out.push(chunk)
      heard()
      onOutput(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      err.push(chunk)
      heard()
      onOutput(chunk)
    })
    child.stdin.on('error', () => {}) // a command that ends without reading its input is judged by its status
    child.stdin.end(options.input)
    const settle = (status: number | null, reason?: string) => {
      clearTimeout(timer)
      clearTimeout(next)
      if (why !== undefined) endGroup(pid, 'SIGKILL') // what closed its outputs and lives on
      if (pid !== undefined) running.delete(pid)
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

function after(seconds: number, act: () => void): NodeJS.Timeout {
  return setTimeout(act, Math.min(seconds * 1000, LONGEST_TIMER_MS))
}

/** The groups that run now. They would not receive a Ctrl-C that ends us, so they end with us. */
const running = new Set<number>()
process.once('exit', () => running.forEach(pid => endGroup(pid, 'SIGTERM')))

function endGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return // it never started
  try {
    process.kill(-pid, signal)
  } catch {
    // the group is gone
  }
}

/** `path` with the folders of the administrator's commands, which a plain user's PATH lacks. */
export function commandPath(path = ''): string {
  const folders = path.split(delimiter).filter(folder => folder !== '')
  const missing = ['/usr/local/sbin', '/usr/sbin', '/sbin'].filter(folder => !folders.includes(folder))
  return [...folders, ...missing].join(delimiter)
}

function lineOf(command: string, args: readonly string[]): string {
  const line = [command, ...args].map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`)).join(' ')
  return line.length > 160 ? `${line.slice(0, 157)}...` : line
}
