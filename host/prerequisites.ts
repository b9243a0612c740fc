// Sees to it that a host has what a task needs: commands from Debian packages, root, Go, room on the disk. What can be
// installed is; the rest is reported in one message with the command that fixes it.

import { access, constants, mkdir, statfs } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { PilotlightError } from '#model/error.ts'
import { inStage, type Stage } from '#progress/stage.ts'
import { cacheDirectory } from './artefacts.ts'
import { commandPath, run } from './command.ts'

/** One thing that the host needs, and why. */
export type Prerequisite =
  | {
      /** A command on the PATH, or a file when it begins with `/`. */
      readonly command: string
      /** The Debian package which brings it. */
      readonly package: string
      readonly why: string
    }
  | { readonly root: true; readonly why: string }
  | { readonly go: string; readonly why: string }
  | { readonly gigabytes: number; readonly why: string }

/** Things the host lacks and we could not install, each with its reason and its remedy. */
export class PrerequisitesMissing extends PilotlightError {
  readonly code = 'PREREQUISITES_MISSING'
  readonly missing: readonly string[]
  constructor(missing: readonly string[], options?: ErrorOptions) {
    super(`This host is not ready:\n${missing.map(line => `  ${line}`).join('\n')}`, options)
    this.missing = missing
  }
}

/**
 * Sees to it that the host has all of `needs`: missing packages are installed with apt-get, without questions
 * and without recommended packages. Does nothing, and shows nothing, when all is there.
 *
 * @throws {PrerequisitesMissing} naming each thing that is still missing, why it is needed and the command
 * that fixes it
 * @throws the signal's reason, when it is aborted
 */
export async function ensurePrerequisites(
  stage: Stage,
  needs: readonly Prerequisite[],
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted()
  const lacking = await lackingPackages(needs)
  const unmet = await unmetConditions(needs)
  if (unmet.length > 0) throw new PrerequisitesMissing([...unmet, ...lacking.map(remedyOf)])
  if (lacking.length === 0) return
  await inStage(stage, `packages for this host: ${packagesOf(lacking).join(' ')}`, install)
  const still = await lackingPackages(needs)
  if (still.length > 0) throw new PrerequisitesMissing(still.map(remedyOf))

  async function install(stage: Stage): Promise<void> {
    const log = join(cacheDirectory(), 'logs', 'apt-get.log')
    const packages = packagesOf(lacking)
    stage.waiting(`apt-get install (${log})`, 900)
    const attempt = () => aptGet(log, ['install', '--yes', '--no-install-recommends', ...packages], signal)
    try {
      await attempt().catch(async () => {
        signal?.throwIfAborted()
        stage.waiting(`apt-get update (${log})`, 900)
        await aptGet(log, ['update'], signal) // the lists may be missing, or older than the mirror
        await attempt()
      })
    } catch (cause) {
      signal?.throwIfAborted()
      throw new PrerequisitesMissing([...lacking.map(remedyOf), `apt-get did not do it: ${log}`], { cause })
    }
  }
}

/** Those of `needs` that are commands or files and that this host does not have. */
export async function lackingPackages(needs: readonly Prerequisite[]): Promise<PackageNeed[]> {
  const packages = needs.filter(need => 'command' in need)
  const present = await Promise.all(packages.map(need => isThere(need.command)))
  return packages.filter((_, index) => !present[index])
}

/** A need which a package meets. */
export type PackageNeed = Extract<Prerequisite, { command: string }>

async function unmetConditions(needs: readonly Prerequisite[]): Promise<string[]> {
  const unmet: string[] = []
  for (const need of needs) {
    if ('root' in need && process.getuid?.() !== 0) {
      unmet.push(`root: ${need.why}. Run the same with sudo.`)
    }
    if ('go' in need) {
      const said = await run('go', ['version'], { limitSeconds: 30 }).catch(() => ({ stdout: '' }))
      const version = goVersion(said.stdout)
      if (version === undefined || !isAtLeast(version, need.go)) {
        const found = version === undefined ? 'none on the PATH' : `this one is ${version}`
        unmet.push(
          `Go ${need.go} or newer (${found}): ${need.why}. Install it from your distribution or from go.dev.`,
        )
      }
    }
    if ('gigabytes' in need) {
      const free = await freeGigabytes(cacheDirectory())
      if (free < need.gigabytes) {
        unmet.push(
          `${need.gigabytes} GB free at ${cacheDirectory()} (${free.toFixed(1)} are): ${need.why}. ` +
            `Point PILOTLIGHT_CACHE at a larger disk, or run: pilotlight images prune`,
        )
      }
    }
  }
  return unmet
}

/** The version in what `go version` prints, for example `1.26.8`. */
export function goVersion(said: string): string | undefined {
  return /\bgo(\d+\.\d+(?:\.\d+)?)/.exec(said)?.[1]
}

/** Compares dotted numbers: says whether `version` is `wanted` or newer. */
export function isAtLeast(version: string, wanted: string): boolean {
  const have = version.split('.').map(Number)
  const want = wanted.split('.').map(Number)
  for (const [index, number] of want.entries()) {
    const difference = (have[index] ?? 0) - number
    if (difference !== 0) return difference > 0
  }
  return true
}

async function isThere(command: string): Promise<boolean> {
  const folders = commandPath(process.env['PATH']).split(delimiter)
  const candidates = command.startsWith('/') ? [command] : folders.map(folder => join(folder, command))
  for (const path of candidates) {
    const found = await access(path, command.startsWith('/') ? constants.R_OK : constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return true
  }
  return false
}

async function freeGigabytes(directory: string): Promise<number> {
  await mkdir(directory, { recursive: true }).catch(() => {})
  const { bavail, bsize } = await statfs(directory).catch(() => statfs(dirname(directory)))
  return (bavail * bsize) / 1e9
}

async function aptGet(log: string, args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const options = ['-o', 'Acquire::Retries=5', '-o', 'DPkg::Lock::Timeout=300']
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', [...options, ...args], { limitSeconds: 900, log, env, ...(signal ? { signal } : {}) })
}

function packagesOf(needs: readonly PackageNeed[]): string[] {
  return [...new Set(needs.map(need => need.package))]
}

function remedyOf(need: PackageNeed): string {
  const remedy = `apt-get install --no-install-recommends ${need.package}`
  return `${need.command}: ${need.why}. Install it with: ${remedy}`
}
