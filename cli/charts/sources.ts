// `pilotlight charts lock` and `package`: where charts come from, and how ours may be handed on.

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { Failure } from '#model/error.ts'

/** Adds both below `charts`. */
export function addChartSourceCommands(charts: Command): void {
  charts
    .command('lock')
    .description("pins the charts of the site's source by version and SHA-256")
    .argument('<site>', 'site file')
    .option('--update', 'takes the newest of each, in place of what is pinned')
    .option(
      '--chart-version <chart=version...>',
      'takes this version; a registry has no newest and must be told',
    )
    .option('--tools <dir>', 'where helm lies (PATH otherwise)')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Examples:
  pilotlight charts lock site.yaml
  pilotlight charts lock site.yaml --chart-version keystone=2026.1.3 nova=2026.1.5`,
    )
    .action(lock)
  charts
    .command('package')
    .description('packs our own charts with an index, for a web server or a registry')
    .argument('<folder>', "where to, for example below the server's assets")
    .option('--tools <dir>', 'where helm lies (PATH otherwise)')
    .addHelpText(
      'after',
      `
Examples:
  pilotlight charts package /srv/pilotlight/assets/charts     then  source: http://SERVER:8080/assets/charts
  for it in charts/*.tgz; do helm push "$it" oci://registry.example/charts; done`,
    )
    .action(async (folder: string, { tools }: { tools?: string }) => {
      const { requireHelm } = await import('#rack/up/site-charts.ts')
      await requireHelm(tools)
      const { packageCharts } = await import('#rack/charts/sources/package.ts')
      const archives = await packageCharts(resolve(folder), { helm: await helmIn(tools) })
      process.stdout.write(`${folder}: index.yaml and ${archives.length} charts\n`)
    })
}

type LockFlags = { update?: boolean; chartVersion?: readonly string[]; tools?: string; json?: boolean }

async function lock(siteFile: string, flags: LockFlags): Promise<void> {
  const { readSiteFile } = await import('#rack/site/read.ts')
  const { lockSiteCharts } = await import('#rack/charts/sources/of-site.ts')
  const options = { helm: await helmIn(flags.tools), update: flags.update ?? false }
  const versions = versionsOf(flags.chartVersion ?? [])
  const { path, lock: made } = await lockSiteCharts(await readSiteFile(siteFile), { ...options, versions })
  const lines = Object.entries(made.charts).map(
    ([name, { version, sha256 }]) => `  ${name.padEnd(14)} ${version.padEnd(20)} ${sha256.slice(0, 16)}…`,
  )
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ apiVersion: 'pilotlight/v1', path, ...made }, undefined, 2)}\n`
      : `${path}: ${lines.length} charts of ${made.source}\n${lines.join('\n')}\n`,
  )
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

async function helmIn(tools: string | undefined): Promise<string> {
  const session = await import('#rack/charts/session.ts')
  return session.helmIn(tools === undefined ? undefined : resolve(tools))
}
