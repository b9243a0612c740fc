// An emulated TPM for tests, and the script of the machine's side run against it.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '#host/command.ts'
import { lackingPackages } from '#host/prerequisites.ts'
import { waitUntil } from '#progress/wait.ts'
import { endChild } from './end-child.ts'
import { freePort } from './free-ports.ts'

const SCRIPT = join(import.meta.dirname, '../ignition/scripts/tpm')
const NEEDS = [
  { command: 'swtpm', package: 'swtpm', why: 'emulates a TPM' },
  { command: 'tpm2_quote', package: 'tpm2-tools', why: 'asks it' },
]

/** Why no TPM can be emulated here; undefined when it can. */
export async function whyNoTpm(): Promise<string | undefined> {
  const lacking = await lackingPackages(NEEDS)
  if (lacking.length === 0) return undefined
  return `needs ${lacking.map(it => it.package).join(' and ')}`
}

/** A TPM with its state in `folder`; `end` takes its power permanently. */
export async function startTpm(folder: string) {
  const state = join(folder, 'tpm')
  mkdirSync(state, { recursive: true })
  let { child, env } = await switchOn(state)
  const tool = async (command: string, ...args: readonly string[]): Promise<string> => {
    const { stdout } = await run(command, args, { limitSeconds: 20, env: { ...env, TMPDIR: folder } })
    // A real machine has the kernel's resource manager, which does this when a program closes the device.
    await run('tpm2_flushcontext', ['--transient-object'], { limitSeconds: 20, env })
    return stdout
  }
  return {
    /** Runs `ignition/scripts/tpm` as the machine does; gives what it printed. */
    script: (...args: readonly string[]) => tool('bash', SCRIPT, ...args),
    /** Measures something, as firmware does. */
    extend: (pcr: number, digest: string) => tool('tpm2_pcrextend', `${pcr}:sha256=${digest}`),
    /** Clears it as its owner may, by the lockout hierarchy, which has no password here. */
    clear: () => tool('tpm2_clear', '--auth-hierarchy=l'),
    powerCycle: async () => {
      await endChild(child)
      ;({ child, env } = await switchOn(state))
    },
    end: () => endChild(child),
  }
}

/** tpm2-tools reach it on a port, and its controls on the port behind it. */
async function switchOn(state: string): Promise<{ child: ChildProcess; env: Record<string, string> }> {
  for (let left = 5; ; left -= 1) {
    const port = await freePort()
    const args = ['socket', '--tpm2', '--tpmstate', `dir=${state}`, '--flags', 'not-need-init,startup-clear']
    const ports = ['--server', `type=tcp,port=${port}`, '--ctrl', `type=tcp,port=${port + 1}`]
    const child = spawn('swtpm', [...args, ...ports], { stdio: 'ignore' })
    const env = { TPM2TOOLS_TCTI: `swtpm:host=127.0.0.1,port=${port}` }
    try {
      await waitUntil('the emulated TPM answers', { limitSeconds: 10, everyMs: 50 }, async () => {
        if (child.exitCode !== null) return { value: false }
        await run('tpm2_getrandom', ['--hex', '4'], { limitSeconds: 5, env })
        return { value: true }
      }).then(answers => {
        if (!answers) throw new Error('the port behind the free one is taken')
      })
      return { child, env }
    } catch (error) {
      await endChild(child)
      if (left === 0) throw error
    }
  }
}
