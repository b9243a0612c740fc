// `pilotlight images`: builds the images, lists and prunes their cache.

import { InvalidArgumentError, type Command } from 'commander'
import { addSubverbs, type Subverb } from '../subverbs.ts'
import { print, printJson } from '../terminal/show.ts'
import { withProgress } from '../terminal/with-progress.ts'

export function defineImages(command: Command): void {
  addSubverbs(command, VERBS)
}

const VERBS: readonly Subverb[] = [
  {
    name: 'build',
    summary: 'builds what the cache lacks; safe to run again after any failure',
    define: defineBuild,
  },
  { name: 'list', summary: 'shows what the cache holds', define: defineList },
  { name: 'prune', summary: 'removes all but the newest two of each artefact', define: definePrune },
]

function defineBuild(command: Command): void {
  command
    .option('--kubernetes <version>', 'for example 1.36.3')
    .option('--assets-path <dir>', "also puts kernel, initrd and root image into a server's assets directory")
    .option('--ca <file>', "builds the provisioner's authority in: the live system trusts no other")
    .option('--json', 'prints the paths as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight images build --assets-path /srv/pilotlight/assets' +
        '\n  pilotlight images build --ca /var/lib/pilotlight/ca.crt --assets-path /srv/pilotlight/assets',
    )
    .action(async (options: { kubernetes?: string; assetsPath?: string; ca?: string; json?: boolean }) => {
      const { buildImages } = await import('#images/build.ts')
      const { placeAssets } = await import('#images/assets.ts')
      const { readAuthority } = await import('#images/authority.ts')
      const ca = options.ca === undefined ? undefined : await readAuthority(options.ca)
      await withProgress(async ({ stage, signal, summary }) => {
        const { kubernetes, assetsPath } = options
        const built = await buildImages({
          stage,
          signal,
          ...(kubernetes === undefined ? {} : { kubernetes }),
          ...(ca === undefined ? {} : { ca }),
        })
        if (assetsPath !== undefined) await placeAssets(built, assetsPath)
        summary()
        if (options.json) return printJson(built)
        const lines = Object.entries(built).map(([name, value]) => `${name.padEnd(13)} ${value}`)
        process.stdout.write(`${lines.join('\n')}\n`)
      })
    })
}

function defineList(command: Command): void {
  command.option('--json', 'as JSON').action(async ({ json }: { json?: boolean }) => {
    const { cacheDirectory, listCache } = await import('#host/artefacts.ts')
    const found = await listCache()
    if (json) return printJson(found)
    if (found.length === 0)
      return print(`the cache in ${cacheDirectory()} is empty; to fill it:  pilotlight images build`)
    for (const { name, key, buildSeconds, usedAt } of found) {
      const row = [name.padEnd(32), key, `${buildSeconds.toFixed(0)} s`.padStart(7), usedAt.toISOString()]
      print(row.join('  '))
    }
  })
}

function definePrune(command: Command): void {
  command
    .option('--keep <count>', 'how many of each stay', countOf, 2)
    .option('--dry-run', 'shows what would be removed, and removes nothing')
    .option('--json', 'as JSON')
    .action(async ({ keep, json, dryRun = false }: { keep: number; json?: boolean; dryRun?: boolean }) => {
      const { pruneCache } = await import('#host/artefacts.ts')
      const removed = await pruneCache(keep, undefined, { dryRun })
      if (json) printJson(removed)
      else print(removed.join('\n') || `nothing to remove: no artefact is kept more than ${keep} times`)
    })
}

function countOf(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('give a whole number from 1 to 9999')
}
