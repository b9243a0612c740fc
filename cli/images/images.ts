// `pilotlight images`: builds the images, makes boot media of them, lists and prunes their cache.

import { InvalidArgumentError, type Command } from 'commander'
import { addSubverbs, type Subverb } from '../subverbs.ts'
import { print, printJson } from '../terminal/show.ts'
import { withProgress } from '../terminal/with-progress.ts'
import { defineMedium } from './medium.ts'

export function defineImages(command: Command): void {
  addSubverbs(command, VERBS)
}

const VERBS: readonly Subverb[] = [
  {
    name: 'build',
    summary: 'builds what the cache lacks; safe to run again after any failure',
    define: defineBuild,
  },
  {
    name: 'medium',
    summary: 'makes a CD or USB stick that boots without our DHCP',
    define: defineMedium,
  },
  {
    name: 'sign',
    summary: 'signs what firmware starts, for Secure Boot by your own key',
    define: defineSign,
  },
  { name: 'list', summary: 'shows what the cache holds', define: defineList },
  { name: 'prune', summary: 'removes all but the newest two of each artefact', define: definePrune },
]

function defineBuild(command: Command): void {
  command
    .option('--kubernetes <version>', 'for example 1.36.3')
    .option(
      '--assets-path <dir>',
      "also puts the live system, and what a disk boots, into a server's assets directory",
    )
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

function defineSign(command: Command): void {
  command
    .argument('[program...]', 'further programs for UEFI, signed where they are')
    .requiredOption('--assets-path <dir>', "a server's assets directory, which images build filled")
    .requiredOption('--key <file>', 'the private key: PEM, RSA, without a passphrase')
    .requiredOption('--cert <file>', 'its certificate, in PEM')
    .option('--trust <file...>', 'certificates of others that firmware shall trust beside it, in PEM')
    .option(
      '--network-boot',
      'also signs the kernel of network boots; it takes any initrd, so who can write to a disk gets past Secure Boot by it',
    )
    .option('--enrol', 'a machine in setup mode takes the keys in when it first boots from its disk')
    .option('--json', 'prints the paths of what was signed as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  pilotlight images sign --key db.key --cert db.crt --assets-path /srv/pilotlight/assets' +
        '\nThe way of it: docs/how-to/secure-boot.md',
    )
    .action(async (programs: string[], options: SignOptions) => {
      const { signAssets } = await import('#images/secure-boot.ts')
      await withProgress(async ({ stage, signal, summary }) => {
        const { assetsPath, key, cert, trust = [], enrol = false, networkBoot = false, json } = options
        const pair = { key, certificate: cert, trust, enrol }
        const signing = { assets: assetsPath, ...pair, networkBoot, programs, stage, signal }
        const signed = await signAssets(signing)
        summary()
        if (json) return printJson(signed)
        print(signed.map(path => `signed ${path}`).join('\n') || 'this key has signed everything already')
      })
    })
}

type SignOptions = {
  readonly assetsPath: string
  readonly key: string
  readonly cert: string
  readonly trust?: string[]
  readonly enrol?: boolean
  readonly networkBoot?: boolean
  readonly json?: boolean
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
