// `pilotlight images`: builds the images, lists and prunes their cache.

import type { Command } from 'commander'
import { addSubverbs, type Subverb } from '../subverbs.ts'
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
        const lines = Object.entries(built).map(([name, value]) => `${name.padEnd(13)} ${value}`)
        process.stdout.write(`${options.json ? JSON.stringify(built, undefined, 2) : lines.join('\n')}\n`)
      })
    })
}

function defineList(command: Command): void {
  command.action(async () => {
    const { listCache } = await import('#host/artefacts.ts')
    for (const { name, key, buildSeconds, usedAt } of await listCache()) {
      const row = [name.padEnd(32), key, `${buildSeconds.toFixed(0)} s`.padStart(7), usedAt.toISOString()]
      process.stdout.write(`${row.join('  ')}\n`)
    }
  })
}

function definePrune(command: Command): void {
  command
    .option('--keep <count>', 'how many of each stay', '2')
    .action(async ({ keep }: { keep: string }) => {
      const { pruneCache } = await import('#host/artefacts.ts')
      for (const path of await pruneCache(Math.max(1, Number(keep) || 2))) process.stdout.write(`${path}\n`)
    })
}
