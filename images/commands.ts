// How recipes run commands: politely beside other work, everything said goes to the log, and mounts stay
// apart.

import type { Work } from '#host/cache.ts'
import { run, type Limit } from '#host/command.ts'

/**
 * A command of a recipe: when it has taken too long, and where and with what it runs.
 */
export type RecipeCommand = Limit & {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/**
 * Runs a command at low priority and gives what it printed.
 *
 * @throws {CommandFailed}
 */
export async function command(
  work: Work,
  how: RecipeCommand,
  name: string,
  args: readonly string[],
): Promise<string> {
  const options = { ...how, log: work.log, ...(work.signal ? { signal: work.signal } : {}) }
  const { stdout } = await run('nice', ['-n', '5', name, ...args], options)
  return stdout
}

/**
 * Runs a command in its own mount and PID namespaces: whatever it mounts or starts ends with it, also when it is
 * killed half way, so that a directory that failed can be removed without looking.
 *
 * @throws {CommandFailed}
 */
export async function isolated(
  work: Work,
  limit: Limit,
  name: string,
  args: readonly string[],
): Promise<void> {
  const apart = words('--mount --pid --fork --kill-child --mount-proc')
  await command(work, limit, 'unshare', [...apart, name, ...args])
}

/** The words of several lines of text: how long lists are written so that they can be read. */
export function words(...lines: readonly string[]): string[] {
  return lines.flatMap(line => line.split(' '))
}
