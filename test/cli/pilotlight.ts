// Runs the command line for tests, as a user would.

import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** The program. */
export const MAIN = join(import.meta.dirname, '../../cli/main.js')

/** The result of a run. */
export type Run = { readonly status: number | null; readonly out: string; readonly err: string }

type Surroundings = {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** The standard input, variables beside those of this process, and the working directory. */
export type RunOptions = {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Runs `pilotlight` with these arguments; `input` is its standard input. */
export function pilotlight(
  args: readonly string[],
  { input = '', env = {}, cwd }: Surroundings = {},
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd,
      // No token but those that a test gives: a server on loopback asks for none, but for tokens, sites and bundles.
      env: { ...process.env, PILOTLIGHT_STATE_PATH: '/nonexistent', ...env },
      timeout: 30_000,
      ...(cwd === undefined ? {} : { cwd }),
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.on('error', reject)
    child.on('close', status =>
      resolve({ status, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }),
    )
    child.stdin.end(input)
  })
}
