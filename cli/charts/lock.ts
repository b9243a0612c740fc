// `pilotlight charts lock`: which charts a site takes from elsewhere, pinned.

import type { Command } from 'commander'
import { Failure } from '#model/error.ts'
import { printJson } from '../terminal/show.ts'

export function defineLock(command: Command): void {
  command
    .argument('<site>', 'site file')
    .option('--update', 'takes the newest of each, in place of what is pinned')
    .option(
      '--chart-version <chart=version...>',
      'takes this version; a registry has no newest: give one there',
    )
    .option('--tools <dir>', 'the folder of helm (PATH is searched otherwise)')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Examples:
  pilotlight charts lock site.yaml
  pilotlight charts lock site.yaml --chart-version keystone=2026.1.3 nova=2026.1.5`,
    )
    .action(lock)
}

type LockFlags = { update?: boolean; chartVersion?: readonly string[]; tools?: string; json?: boolean }

async function lock(siteFile: string, flags: LockFlags): Promise<void> {
  const { helmProgram } = await import('#rack/charts/releases/helm.ts')
  const { readSiteFile } = await import('#rack/site/read.ts')
  const { lockSiteCharts } = await import('#rack/charts/sources/of-site.ts')
  const options = { helm: await helmProgram(flags.tools), update: flags.update ?? false }
  const versions = versionsOf(flags.chartVersion ?? [])
  const { path, lock: made } = await lockSiteCharts(await readSiteFile(siteFile), { ...options, versions })
  const lines = Object.entries(made.charts).map(
    ([name, { version, sha256 }]) => `  ${name.padEnd(14)} ${version.padEnd(20)} ${sha256.slice(0, 16)}…`,
  )
  if (flags.json) return printJson({ path, ...made })
  process.stdout.write(`${path}: ${lines.length} charts of ${made.source}\n${lines.join('\n')}\n`)
}

function versionsOf(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map(word => {
      const [chart = '', version = ''] = word.split('=')
      if (chart !== '' && version !== '') return [chart, version]
      throw new Failure('BAD_OPTION', `"${word}" names no version`, 'write CHART=VERSION')
    }),
  )
}
