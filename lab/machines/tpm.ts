// The TPM 2.0 of an emulated machine: swtpm, one process a machine, with its state in the machine's folder.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { waitUntil } from '#progress/wait.ts'
import { LabError } from '../errors.ts'
import type { Hardware } from './hardware.ts'

/** Names in the machine's folder: the socket that QEMU connects to, and the folder of the TPM's state. */
const SOCKET = 'tpm.socket'
const STATE = 'tpm'

/** A TPM that has power. */
export type RunningTpm = {
  /** Resolves when its process has ended. */
  readonly ended: Promise<void>
  /** Takes its power, at the machine's end; resolves when its process has ended, after a second at most. */
  readonly end: () => Promise<void>
}

/**
 * Gives the machine's TPM power. It is a new one when its machine first gets power, and the same one after that. It ends
 * by itself when QEMU closes its connection, so that a machine that was killed leaves none behind.
 *
 * @throws {LabError} NO_TOOL, when swtpm cannot be started; {WaitedTooLong} when it does not listen within 10 s
 */
export async function startTpm(hardware: Pick<Hardware, 'directory' | 'console'>): Promise<RunningTpm> {
  const cwd = hardware.directory
  const socket = join(cwd, SOCKET)
  mkdirSync(join(cwd, STATE), { recursive: true, mode: 0o700 })
  rmSync(socket, { force: true })
  // Relative paths: a socket's path has at most 107 bytes.
  const places = ['--tpmstate', `dir=${STATE},mode=0600`, '--ctrl', `type=unixio,path=${SOCKET}`]
  const child = spawn('swtpm', ['socket', '--tpm2', ...places, '--terminate'], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.on('data', (bytes: Buffer) => hardware.console(bytes))
  child.stderr.on('data', (bytes: Buffer) => hardware.console(bytes))
  let over: string | undefined
  const ended = new Promise<void>(resolve => {
    child.on('error', error => {
      over = error.message
      resolve()
    })
    child.on('close', status => {
      over ??= `swtpm ended with ${status ?? 'a signal'}`
      resolve()
    })
  })
  const end = async () => {
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), 1000)
    await ended
    clearTimeout(late)
  }
  try {
    await waitUntil("the machine's TPM listens", { limitSeconds: 10, everyMs: 20 }, async () =>
      over !== undefined || existsSync(socket) ? { value: true } : { not: `${socket} is not there yet` },
    )
  } catch (cause) {
    await end()
    throw cause
  }
  if (over !== undefined) {
    throw new LabError(
      'NO_TOOL',
      `No TPM for this machine: ${over}. Install swtpm, or leave tpm out of the rack file.`,
    )
  }
  return { ended, end }
}

/** The words for QEMU, run in the machine's folder. */
export const TPM_ARGUMENTS =
  `-chardev socket,id=tpm,path=${SOCKET} -tpmdev emulator,id=tpm,chardev=tpm -device tpm-tis,tpmdev=tpm`.split(
    ' ',
  )
