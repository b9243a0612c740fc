// The real ignition-validate, where the lab's tools are built: what it says of a text decides what we should say.

import { existsSync, globSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { CommandFailed, run } from '#host/command.ts'

const cache = process.env['PILOTLIGHT_CACHE'] ?? join(homedir(), '.cache/pilotlight')

/** The program, or undefined when it is not built yet. */
export const ignitionValidate = globSync(join(cache, 'host-tools-*', 'ignition-validate')).find(file =>
  existsSync(file),
)

/** The reason for tap to skip a test which needs it; false when it is there. */
export const skip =
  ignitionValidate === undefined ? 'ignition-validate not built yet (pilotlight lab builds it)' : false

/** Says whether the real program takes `text`; `file` is where it may write it. */
export async function isAccepted(text: string, file: string): Promise<boolean> {
  await writeFile(file, text)
  try {
    await run(ignitionValidate ?? '', [file], { limitSeconds: 20 })
    return true
  } catch (error) {
    if (error instanceof CommandFailed) return false
    throw error
  }
}
