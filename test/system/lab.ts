// What the tests of the whole way share: their own lab, and the commands that run something in it.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { findImages } from '#images/build.ts'
import { findLab } from '#lab/lab.ts'
import { labFiles } from '#lab/state.ts'
import { run } from '#host/command.ts'

const ROOT = join(import.meta.dirname, '../..')
/** The command. */
export const PILOTLIGHT = join(ROOT, 'bin', 'pilotlight')

/** What the names of this run's labs end in: `test/run` takes down by it what an interrupted run left. */
export const RUN = process.env['PILOTLIGHT_TEST_RUN'] ?? String(process.pid)

/** Why the tests of the whole way cannot run here; undefined when they can. */
export async function whyNotWhole(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root'
  const images = await findImages()
  return images === undefined ? 'needs the images: bin/pilotlight images build' : undefined
}

/** How a run of the command line ended. */
export type Ended = { readonly status: number | null; readonly stdout: string; readonly stderr: string }

/** Runs `pilotlight`, with `env` added to ours, and gives how it ended, without judging it. */
export function pilotlight(
  args: readonly string[],
  limitSeconds: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(PILOTLIGHT, args, { cwd: ROOT, env: { ...process.env, CI: 'true', ...env } })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    const timer = setTimeout(() => child.kill('SIGTERM'), limitSeconds * 1000)
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.on('error', reject)
    child.on('close', status => {
      clearTimeout(timer)
      resolve({ status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() })
    })
  })
}

/** Runs `argv` in the rack's network, and gives what it printed. */
export async function inRack(lab: string, argv: readonly string[], limitSeconds = 60): Promise<string> {
  const [command = '', ...args] = labOf(lab).inRack(argv)
  return (await run(command, args, { limitSeconds })).stdout
}

/** Asks the lab's cluster, and gives the JSON answer. */
export async function kubectl<T>(lab: string, ...args: readonly string[]): Promise<T> {
  return JSON.parse(await inRack(lab, await kubectlLine(lab, ...args, '--output=json'))) as T
}

/** The words of a kubectl call with the administrator's kubeconfig. */
export async function kubectlLine(lab: string, ...args: readonly string[]): Promise<string[]> {
  const images = await findImages()
  const { directory } = labOf(lab)
  return [
    join(images?.tools ?? '', 'kubectl'),
    `--kubeconfig=${join(labFiles(directory).up, 'kubeconfig')}`,
    '--request-timeout=10s',
    ...args,
  ]
}

/** The lab of that name, which must be up. */
export function labOf(name: string) {
  const lab = findLab(name)
  if (lab === undefined) throw new Error(`the lab ${name} is not up`)
  return lab
}
