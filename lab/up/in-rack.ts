// The very `pilotlight up` that a real rack gets, as a process in the network of the virtual one.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { shellWord } from '#host/shell.ts'
import { graftLines, RELAY_VARIABLE } from '#progress/relay.ts'
import type { Stage } from '#progress/stage.ts'
import { UpFailed } from '../errors.ts'
import type { Lab } from '../lab.ts'
import { labFiles } from '../state.ts'

/** How `up` is run. */
export type UpInRack = {
  /** The checkout whose `bin/pilotlight` is run. */
  readonly root: string
  /** The folder with kubectl and helm. */
  readonly tools: string
  /** As `up --until`. */
  readonly until: string
  readonly serverUrl: string
  /** An administrator's. */
  readonly token: string | undefined
  readonly stage: Stage
  readonly signal: AbortSignal
}

/**
 * Runs `pilotlight up` in the rack's network, shows its stages below `stage`, and gives the lines it ended with.
 *
 * @throws {UpFailed} with its message, when it ends badly
 */
export async function upInRack(
  lab: Lab,
  { root, tools, until, serverUrl, token, stage, signal }: UpInRack,
): Promise<string[]> {
  signal.throwIfAborted() // the listener below hears of nothing that was before it
  const self = join(root, 'bin', 'pilotlight')
  const power = `${shellWord(self)} lab power on {name} --lab ${lab.name}`
  const argv = lab.inRack([
    self,
    'up',
    lab.rack.site ?? '',
    `--server=${serverUrl}`,
    `--state=${labFiles(lab.directory).up}`,
    `--tools=${tools}`,
    `--data-path=${lab.rack.data ?? root}`,
    `--power-on=${power}`,
    `--until=${until}`,
  ])
  const [command = '', ...args] = argv
  const child = spawn(command, args, {
    env: { ...process.env, [RELAY_VARIABLE]: 'json', PILOTLIGHT_TOKEN: token },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // Ctrl-C reaches it through us, once
  })
  const graft = graftLines(stage)
  const said: string[] = []
  createInterface(child.stderr).on('line', line => {
    if (graft(line)) return
    said.push(line)
  })
  createInterface(child.stdout).on('line', line => said.push(line))
  const stop = () => child.kill('SIGINT')
  signal.addEventListener('abort', stop, { once: true })
  try {
    const status = await new Promise<number>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', code => resolve(code ?? 1))
    })
    signal.throwIfAborted()
    if (status !== 0) {
      const { what, fix } = endOf(said.join('\n'))
      throw new UpFailed(status, what || `pilotlight up ended with ${status}`, fix)
    }
    return said
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** What a command line that failed has said: its message with the causes, and what it gave as the fix. */
function endOf(said: string): { readonly what: string; readonly fix: string } {
  const text = said.slice(Math.max(0, said.lastIndexOf('\nerror ') + 1)).replace(/^error (?=[A-Z_]+: )/, '')
  const [what = '', rest = ''] = text.split(/\n {2}fix: /, 2)
  return { what: what.replaceAll(/^ {2}because: /gm, ''), fix: rest.replace(/\n {2}more: .*$/s, '') }
}
