// The real ignition-validate, where the lab's tools are built: what it says of a text decides what we should say.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandFailed, run } from '#host/command.ts'
import { findTools } from '../../../built-tools.ts'

/** The folder of the real programs, or undefined when they are not built yet. */
export const tools = await findTools()

/** The reason for tap to skip a test which needs them; false when they are there. */
export const skip = tools === undefined ? 'needs the host tools: bin/pilotlight images build' : false

/** Says whether the real program takes `text`; `file` is where it may write it. */
export async function isAccepted(text: string, file: string): Promise<boolean> {
  await writeFile(file, text)
  try {
    await run(join(tools ?? '', 'ignition-validate'), [file], { limitSeconds: 20 })
    return true
  } catch (error) {
    if (error instanceof CommandFailed) return false
    throw error
  }
}
