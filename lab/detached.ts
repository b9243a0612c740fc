// Programs of a lab that live on after the command which started them: found again by their mark, and ended by it.

import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { markProcess } from '#host/process.ts'
import type { ProcessMark } from '#host/process.ts'
import { LabError } from './errors.ts'

/**
 * Starts `argv`; both of its outputs are appended to `log`.
 *
 * @throws {LabError} NO_TOOL when it cannot be started, or ended at once
 */
export function startDetached([command = '', ...args]: readonly string[], log: string): ProcessMark {
  mkdirSync(dirname(log), { recursive: true })
  const output = openSync(log, 'a')
  const child = spawn(command, args, { detached: true, stdio: ['ignore', output, output] })
  closeSync(output)
  child.on('error', () => {}) // no pid then, which is reported below
  child.unref()
  const mark = markProcess(child.pid ?? 0)
  if (!mark) throw new LabError('NO_TOOL', `${command} cannot be started, or ended at once; see ${log}.`)
  return mark
}
