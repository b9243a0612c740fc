// The TPM 2.0 of an emulated machine: swtpm, one process a machine, with its state in the machine's folder.

import type { ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../errors.ts'
import { startBeside } from './beside.ts'
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
  mkdirSync(join(hardware.directory, STATE), { recursive: true, mode: 0o700 })
  // Relative paths: a socket's path has at most 107 bytes.
  const places = ['--tpmstate', `dir=${STATE},mode=0600`, '--ctrl', `type=unixio,path=${SOCKET}`]
  const { child, ended } = await startBeside(hardware, {
    program: 'swtpm',
    args: ['socket', '--tpm2', ...places, '--terminate'],
    socket: SOCKET,
    what: "the machine's TPM listens",
    stop: stopTpm,
    failure: reason =>
      new LabError(
        'NO_TOOL',
        `No TPM for this machine: ${reason}. Install swtpm, or leave tpm out of the rack file.`,
      ),
  })
  return { ended, end: () => stopTpm(child, ended) }
}

async function stopTpm(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 1000)
  await ended
  clearTimeout(late)
}

/** The words for QEMU, run in the machine's folder. */
export const TPM_ARGUMENTS =
  `-chardev socket,id=tpm,path=${SOCKET} -tpmdev emulator,id=tpm,chardev=tpm -device tpm-tis,tpmdev=tpm`.split(
    ' ',
  )
