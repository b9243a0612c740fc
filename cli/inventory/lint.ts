// `pilotlight lint`: what is wrong with a data directory, before any machine asks.

import { readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { Failure } from '#model/error.ts'
import { EXIT } from '../exit.ts'
import { printJson, show } from '../terminal/show.ts'

type Flags = { readonly assetsPath?: string; readonly allowWarnings?: boolean; readonly json?: boolean }

export function defineLint(command: Command): void {
  command
    .argument(
      '[dir]',
      'data directory: groups, profiles, ignition, generic, cloud, ipxe, grub (PILOTLIGHT_DATA_PATH, else the current directory)',
      process.env.PILOTLIGHT_DATA_PATH ?? '.',
    )
    .option(
      '--assets-path <dir>',
      "kernels and images (PILOTLIGHT_ASSETS_PATH, else assets/ in the directory); '' leaves them unchecked",
    )
    .option('--allow-warnings', 'status 0 where nothing worse was found')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Exit status 0 when nothing was found, 1 when something was, 2 when there is no data directory. Each code: pilotlight help PL-2001

Examples:
  pilotlight lint /var/lib/matchbox
  pilotlight lint . --assets-path ''                     where the kernels are on the server only
  pilotlight lint --json . | jq -r '.findings[].file' | sort -u`,
    )
    .action(async (path: string, flags: Flags) => {
      const { assetsPath = process.env.PILOTLIGHT_ASSETS_PATH, allowWarnings = false, json = false } = flags
      if (assetsPath !== undefined && assetsPath !== '') mustBeFolder(assetsPath, '--assets-path')
      mustBeFolder(path, '--data-path')
      const { DATA_FOLDERS, examineDirectory, isDataDirectory } =
        await import('#server/boot/lint/directory.ts')
      const { lintText } = await import('#server/boot/lint/findings.ts')
      if (!isDataDirectory(path)) {
        const inside = foldersIn(path).find(isDataDirectory)
        throw new Failure(
          'BAD_OPTION',
          `${path === '.' ? resolve(path) : path} is not a data directory: none of ${DATA_FOLDERS.join(', ')} is in it`,
          inside === undefined
            ? 'name the folder that serve gets as --data-path: pilotlight lint DIR'
            : `pilotlight lint ${inside}`,
        )
      }
      const { findings, read } = examineDirectory(path, assetsPath)
      const { foundBelow } = await import('#server/boot/lint/files.ts')
      const isEmpty =
        Object.values(read).every(count => count === 0) && foundBelow(path, 'machines').length === 0
      if (isEmpty && findings.length === 0) {
        throw new Failure(
          'BAD_OPTION',
          `${path === '.' ? resolve(path) : path} has folders of a data directory and nothing in them, so nothing was looked at`,
          'name the folder that serve gets as --data-path: pilotlight lint DIR',
        )
      }
      const errors = findings.filter(({ severity }) => severity === 'error').length
      if (json) {
        printJson({ findings, read })
      } else {
        for (const finding of findings) show(`${lintText(finding)}\n`)
        const seen = `${counted(read.groups, 'group')}, ${counted(read.profiles, 'profile')}, ${counted(read.templates, 'template')}`
        const counts = `${counted(errors, 'error')}, ${counted(findings.length - errors, 'warning')}`
        process.stderr.write(`${path === '.' ? resolve(path) : path}: ${counts} in ${seen}\n`)
      }
      process.exitCode = (allowWarnings ? errors : findings.length) === 0 ? EXIT.done : EXIT.failed
    })
}

function mustBeFolder(path: string, flag: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return
  throw new Failure(
    'BAD_OPTION',
    `"${path}" ${found === undefined ? 'does not exist' : 'is not a directory'}`,
    `name the folder that serve gets as ${flag}`,
  )
}

/** The folders in `path`, which may be what was meant. */
function foldersIn(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => join(path, name))
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
