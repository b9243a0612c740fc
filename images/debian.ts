// Roots made of Debian packages: by mmdebstrap from nothing, or as one more layer above a root that exists.

import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Work } from '#host/cache.ts'
import { run } from '#host/command.ts'
import { PilotlightError } from '#model/error.ts'

import { isolated } from './commands.ts'
import { dataFile, scriptTexts } from './files.ts'
import {
  debianSources,
  fetchOptions,
  notServed,
  parseSources,
  sourceLine,
  unknownSigner,
  type DebianRelease,
} from './apt-sources.ts'

/** The plan of a root directory: its packages, and what is left out. */
export type RootPlan = {
  /** `bookworm`, which OpenStack's layers are made of, by default. */
  readonly release?: DebianRelease
  /** What is taken of each source beside `main`. */
  readonly components?: readonly string[]
  /**
   * mmdebstrap's word for the base: `minbase` with apt, `extract` with just the packages' files, nothing
   * configured.
   */
  readonly variant: 'minbase' | 'extract'
  readonly packages: readonly string[]
  /** Paths which dpkg leaves out, with its wildcards. */
  readonly without: readonly string[]
}

const layerScript = dataFile('scripts/add-layer.sh')

/** The text of what {@link addLayer} runs: part of the inputs of every recipe that does. */
export const LAYER_SCRIPTS = scriptTexts('add-layer.sh', 'overlay.sh')

/** Parts of packages that no image needs: documentation, translations. */
export const NO_DOCUMENTATION: readonly string[] = [
  '/usr/share/man/*',
  '/usr/share/doc/*',
  '/usr/share/info/*',
  '/usr/share/locale/*',
  '/usr/share/lintian/*',
]

/**
 * What mmdebstrap runs once packages are extracted that are never configured: dpkg's list of them, which it would leave
 * empty. Bills of materials and scanners of images read it. `$1` is the root.
 */
export const LIST_EXTRACTED = [
  'for deb in "$1"/var/cache/apt/archives/*.deb',
  'do dpkg-deb --field "$deb"; echo "Status: install ok unpacked"; echo',
  'done > "$1/var/lib/dpkg/status"',
].join('; ')

/** A mirror of this host that lacks a release, or a part of it, which an image is made of. */
export class NotServedByMirror extends PilotlightError {
  readonly code = 'NOT_SERVED_BY_MIRROR'
  constructor(what: string, uri: string, remedy: string, options?: ErrorOptions) {
    super(`${uri} does not serve ${what}. ${remedy}`, options)
  }
}

/**
 * Makes `<work.directory>/root` from the plan's packages, of the host's own package sources.
 *
 * @throws {NotServedByMirror} when a source lacks the release or the component, or is signed with a key this host lacks
 * @throws {CommandFailed}
 */
export async function makeRoot(work: Work, plan: RootPlan): Promise<string> {
  const { release = 'bookworm', components = [] } = plan
  const root = join(work.directory, 'root')
  const { sources, options } = await hostApt(release, ['main', ...components])
  const from = join(work.directory, '.sources.list')
  await writeFile(from, `${sources.join('\n')}\n`)
  work.stage.waiting(`mmdebstrap, ${plan.packages.length} packages named`)
  const aptOptions = ['APT::Install-Recommends "false"', 'Acquire::Retries "5"', ...options]
  const args = [
    '--mode=root',
    '--verbose', // what apt and dpkg print, which the limit below listens for
    `--variant=${plan.variant}`,
    `--include=${plan.packages.join(',')}`,
    `--components=main${components.map(it => `,${it}`).join('')}`, // of mmdebstrap's own mirrors
    ...(plan.variant === 'extract' ? [`--extract-hook=${LIST_EXTRACTED}`] : []),
    '--dpkgopt=force-unsafe-io', // a root that was cut short is thrown away: no need to wait for the disk
    ...plan.without.map(path => `--dpkgopt=path-exclude=${path}`),
    ...aptOptions.map(option => `--aptopt=${option}`),
  ]
  const mirrors = sources.length > 0 ? [from] : [] // none known: mmdebstrap's own default for the release
  await isolated(work, { silenceSeconds: 900 }, 'mmdebstrap', [...args, release, root, ...mirrors]).catch(
    async (cause: unknown) => {
      throw mirrorError(await readFile(work.log, 'utf8').catch(() => ''), cause)
    },
  )
  await rm(from)
  return root
}

/**
 * Installs packages above the root that the directories `lower` make, topmost first, and leaves what was added in `<work.directory>/upper`:
 * deletions are overlayfs' whiteouts there. Nothing is started, and all mounts end with the process.
 */
export async function addLayer(
  work: Work,
  lower: readonly string[],
  packages: readonly string[],
  finish: string,
): Promise<string> {
  const upper = join(work.directory, 'upper')
  const { sources, options } = await hostApt('bookworm', ['main'])
  const from = join(work.directory, '.sources.list')
  const conf = join(work.directory, '.apt.conf')
  // A host without sources of this release has mmdebstrap's own, which are kept in the root below.
  const known =
    sources.length > 0
      ? sources.join('\n')
      : await readFile(join(lower.at(-1) ?? '', 'etc/apt/sources.list'), 'utf8')
  await writeFile(from, `${known}\n`)
  await writeFile(conf, `${[...options, 'Acquire::Retries "5"'].map(it => `${it};`).join('\n')}\n`)
  work.stage.waiting(`apt-get install, ${packages.length} packages named`)
  // apt and dpkg print each package; the longest silence is that of `finish`, which may compile Python's modules.
  await isolated(work, { silenceSeconds: 1800 }, 'bash', [
    layerScript,
    lower.join(':'),
    work.directory,
    from,
    conf,
    finish,
    ...packages,
  ])
  return upper
}

/** What a build that fetched packages failed of: the mirror, if apt's output says so, or `cause` itself. */
function mirrorError(log: string, cause: unknown): unknown {
  const lacks = notServed(log)
  if (lacks !== undefined) {
    const { uri, suite, component } = lacks
    const what = component === undefined ? `the suite ${suite}` : `the component ${component} of ${suite}`
    return new NotServedByMirror(
      what,
      uri,
      `Add it to that mirror, or name another one in /etc/apt/sources.list.d: one line "deb URI ${suite} ` +
        `${component === undefined ? 'main' : `main ${component}`}" for each suite. Then run the same again.`,
      { cause },
    )
  }
  const unsigned = unknownSigner(log)
  if (unsigned === undefined) return cause
  return new NotServedByMirror(
    `${unsigned.suite} with a signature that this host can check`,
    unsigned.uri,
    'Take in the newest keys of Debian: apt-get update; apt-get install debian-archive-keyring. For a mirror with ' +
      'its own key, name that key in the source (signed-by). Then run the same again.',
    { cause },
  )
}

/**
 * The host's sources of a Debian release, one line each (none when the host is not Debian), and how it fetches.
 */
async function hostApt(
  release: DebianRelease,
  components: readonly string[],
): Promise<{ sources: string[]; options: string[] }> {
  const parts = '/etc/apt/sources.list.d'
  const names = await readdir(parts).catch(() => [])
  const files = [
    '/etc/apt/sources.list',
    ...names.filter(it => /\.(list|sources)$/.test(it)).map(it => join(parts, it)),
  ]
  const found = []
  for (const file of files) {
    found.push(...parseSources(file, await readFile(file, 'utf8').catch(() => '')))
  }
  const dump = await run('apt-config', ['dump'], { limitSeconds: 30 })
  const lines = debianSources(found, release).map(source => sourceLine(source, components))
  return { sources: [...new Set(lines)], options: fetchOptions(dump.stdout) }
}
