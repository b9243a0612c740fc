// `pilotlight lint`: what is wrong with a data directory, before any machine asks.

import { statSync } from 'node:fs'
import type { Command } from 'commander'
import { Failure } from '#model/error.ts'
import { EXIT } from '../exit.ts'
import { ROOT } from '../root.ts'
import { printJson, show } from '../terminal/show.ts'

type Flags = { readonly assetsPath?: string; readonly allowWarnings?: boolean; readonly json?: boolean }

export function defineLint(command: Command): void {
  command
    .argument(
      '[dir]',
      'data directory: groups, profiles, ignition, generic, cloud, ipxe (PILOTLIGHT_DATA_PATH)',
      process.env.PILOTLIGHT_DATA_PATH ?? ROOT,
    )
    .option('--assets-path <dir>', 'kernels and images (default: assets/ in the directory)')
    .option('--allow-warnings', 'status 0 where nothing worse was found')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Exit status 0 when nothing was found, 1 when something was. Each code: pilotlight help PL-2001

Examples:
  pilotlight lint /var/lib/matchbox
  pilotlight lint --json . | jq -r '.findings[].file' | sort -u`,
    )
    .action(async (path: string, { assetsPath, allowWarnings = false, json = false }: Flags) => {
      for (const folder of [path, assetsPath ?? path]) {
        if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) continue
        throw new Failure(
          'BAD_OPTION',
          `${folder} is not a directory`,
          'name the folder that serve gets as --data-path',
        )
      }
      const { lintDirectory } = await import('#server/boot/lint/directory.ts')
      const { lintText } = await import('#server/boot/lint/findings.ts')
      const findings = lintDirectory(path, assetsPath)
      const errors = findings.filter(({ severity }) => severity === 'error').length
      if (json) {
        printJson({ apiVersion: 'pilotlight/v1', findings })
      } else {
        for (const finding of findings) show(`${lintText(finding)}\n`)
        const counts = `${counted(errors, 'error')}, ${counted(findings.length - errors, 'warning')}`
        process.stderr.write(`${path}: ${counts}\n`)
      }
      process.exitCode = (allowWarnings ? errors : findings.length) === 0 ? EXIT.done : EXIT.failed
    })
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
