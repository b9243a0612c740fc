// `pilotlight charts package`: our own charts, packed to be handed on.

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { printJson } from '../terminal/show.ts'

export function definePackage(command: Command): void {
  command
    .argument('<folder>', "where to, for example below the server's assets")
    .option('--tools <dir>', 'the folder of helm (PATH is searched otherwise)')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Examples:
  pilotlight charts package /srv/pilotlight/assets/charts     then  source: http://SERVER:8080/assets/charts
  for it in charts/*.tgz; do helm push "$it" oci://registry.example/charts; done`,
    )
    .action(async (folder: string, { tools, json }: { tools?: string; json?: boolean }) => {
      const { helmProgram, requireHelm } = await import('#rack/charts/releases/helm.ts')
      const { packageCharts } = await import('#rack/charts/sources/package.ts')
      await requireHelm(tools)
      const archives = await packageCharts(resolve(folder), { helm: await helmProgram(tools) })
      if (json) return printJson({ folder: resolve(folder), charts: archives })
      process.stdout.write(`${folder}: index.yaml and ${archives.length} charts\n`)
    })
}
