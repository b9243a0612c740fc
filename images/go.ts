// Building programs from Go modules: each in its own module, made for the purpose, so that no program's
// versions bend another's. Which version of which module goes in, with the hash of each, is committed in
// `go/<name>/go.mod` and `go.sum`; a build changes neither, and fails where they do not suffice.

import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Input, Recipe, Work } from '#host/cache.ts'
import type { Limit } from '#host/command.ts'
import { PilotlightError } from '#model/error.ts'
import { command } from './commands.ts'

/** Programs of one Go module, and how they are linked. */
export type GoPrograms = {
  /** Name of the recipe, and of the artefact's directory. */
  readonly name: string
  /** Module path and version, for example `github.com/coredns/coredns` and `v1.15.0`. */
  readonly module: string
  readonly version: string
  /** Name of each binary to the package of its `main`; `.` is a main that `prepare` writes. */
  readonly packages: Readonly<Record<string, string>>
  readonly tags?: readonly string[]
  /** Package variables set by the linker, for example `k8s.io/component-base/version.gitMajor`. */
  readonly variables?: Readonly<Record<string, string>>
  /** Needs C: linked statically all the same, so that a binary runs on any release of the C library. */
  readonly cgo?: boolean
}

/** What a recipe needs besides its programs' description. */
export type GoSources = {
  /** Puts files into the scratch module before Go reads it. */
  readonly prepare?: (work: Work, scratch: string) => Promise<void>
  /** What `prepare` writes, for the key. */
  readonly preparedBy?: Input
  /** Further arguments for `go mod edit` when the modules are chosen again, for example `-replace=…`. */
  readonly requirements?: (work: Work) => Promise<readonly string[]>
  /** The folder with `go.mod` and `go.sum`; `images/go/<name>` by default. */
  readonly locked?: string
}

/** A recipe of programs whose modules are locked. */
export type GoRecipe = Recipe & {
  /** The folder with its `go.mod` and `go.sum`. */
  readonly locked: string
  /**
   * Chooses the modules again by the description's version and writes `go.mod` and `go.sum`. Go's checksum database
   * vouches for modules that are new. `work.directory` is an empty directory for scratch files.
   */
  lock(work: Work): Promise<void>
}

/** Programs whose committed `go.mod` is missing, or is of another version. */
export class ModulesNotLocked extends PilotlightError {
  readonly code = 'MODULES_NOT_LOCKED'
  constructor({ name, module, version }: GoPrograms, locked: string) {
    super(
      `${join(locked, 'go.mod')} does not require ${module} ${version}. ` +
        `Lock that version, and read what changed before you build: npm run lock -- ${name} ${version}`,
    )
  }
}

/** The folder with a folder of `go.mod` and `go.sum` for each recipe of this directory. */
const LOCKED = join(import.meta.dirname, 'go')

/** The oldest Go that builds them, as the README says; `go mod init` writes the one that is installed. */
const OLDEST_GO = '-go=1.26.0'

/** A recipe that builds `programs` into one directory, from the modules that are locked. */
export function goRecipe(programs: GoPrograms, sources: GoSources = {}): GoRecipe {
  const { preparedBy = null, locked = join(LOCKED, programs.name) } = sources
  const modules = { mod: digestOf(join(locked, 'go.mod')), sum: digestOf(join(locked, 'go.sum')) }
  return {
    name: programs.name,
    title: `${Object.keys(programs.packages).join(', ')} ${programs.version.replace(/^v/, '')}`,
    inputs: { method: 2, programs, preparedBy, modules },
    locked,
    build: work => buildPrograms(programs, sources, locked, work),
    lock: work => lockModules(programs, sources, locked, work),
  }
}

/** SHA-256 of a small file; null where there is none. */
function digestOf(path: string): string | null {
  try {
    return hash('sha256', readFileSync(path))
  } catch {
    return null
  }
}

/**
 * Runs `go` in `cwd` for a recipe; its output goes to the log. The compiler is the one that is installed: Go downloads
 * no other by itself.
 */
async function go(
  work: Work,
  cwd: string,
  args: readonly string[],
  limit: Limit,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return command(
    work,
    {
      cwd,
      ...limit,
      env: { GOFLAGS: '-mod=readonly -buildvcs=false', GOWORK: 'off', GOTOOLCHAIN: 'local', ...env },
    },
    'go',
    args,
  )
}

/**
 * The directory of a module's source in Go's module cache, downloaded when it is not there. Within a module (`cwd`) its
 * `go.sum` is what the source must match.
 */
export async function moduleDirectory(
  work: Work,
  module: string,
  version: string,
  cwd = '/',
): Promise<string> {
  const asked = cwd === '/' ? `${module}@${version}` : module
  const answer = await go(work, cwd, ['mod', 'download', '-json', asked], { limitSeconds: 300 })
  const { Dir } = JSON.parse(answer) as { Dir: string } // `go help mod download`: the field is always there
  return Dir
}

async function buildPrograms(
  programs: GoPrograms,
  { prepare }: GoSources,
  locked: string,
  work: Work,
): Promise<void> {
  const { packages } = programs
  const scratch = join(work.directory, '.module')
  await mkdir(scratch)
  if (!(await requires(join(locked, 'go.mod'), programs))) throw new ModulesNotLocked(programs, locked)
  for (const name of ['go.mod', 'go.sum']) await copyFile(join(locked, name), join(scratch, name))
  work.stage.waiting('go downloads modules', 600)
  await prepare?.(work, scratch)

  work.stage.waiting('go build')
  const linked = Object.entries(programs.variables ?? {}).map(([name, value]) => `-X ${name}=${value}`)
  const how = programs.cgo ? ['-linkmode external', '-extldflags -static'] : []
  for (const [name, main] of Object.entries(packages)) {
    const into = join(scratch, 'out')
    const flags = [
      '-trimpath',
      '-p',
      '2',
      ...tagsOf(programs),
      '-ldflags',
      ['-s -w', ...how, ...linked].join(' '),
    ]
    // -v prints each package that is compiled; the longest silence is the linker's.
    const silence = { silenceSeconds: 900 }
    await go(work, scratch, ['build', '-v', ...flags, '-o', `${into}/`, main], silence, cgoOf(programs))
    const [made] = await readdir(into) // one main package, one file
    await rename(join(into, made!), join(work.directory, name))
  }
  await rm(scratch, { recursive: true })
}

async function requires(goMod: string, { module, version }: GoPrograms): Promise<boolean> {
  const text = await readFile(goMod, 'utf8').catch(() => '')
  return text.split('\n').some(line => {
    const [first, second, third] = line
      .replace(/^require\b/, '')
      .trim()
      .split(/\s+/)
    return first === module && second === version && (third === undefined || third === '//')
  })
}

async function lockModules(
  programs: GoPrograms,
  { prepare, requirements }: GoSources,
  locked: string,
  work: Work,
): Promise<void> {
  const { module, version, packages } = programs
  const scratch = join(work.directory, '.module')
  await mkdir(scratch)
  await go(work, scratch, ['mod', 'init', `pilotlight.local/${programs.name}`], { limitSeconds: 60 })
  const edits = [OLDEST_GO, `-require=${module}@${version}`, ...((await requirements?.(work)) ?? [])]
  await go(work, scratch, ['mod', 'edit', ...edits], { limitSeconds: 60 })
  const published = Object.values(packages).filter(main => main !== '.')
  const resolving = { ...cgoOf(programs), GOFLAGS: '-mod=mod -buildvcs=false' }
  if (published.length > 0) {
    await go(
      work,
      scratch,
      ['get', ...published.map(main => `${main}@${version}`)],
      { limitSeconds: 900 },
      resolving,
    )
  } else {
    // The source that `prepare` needs is checked by the go.sum that this writes.
    await go(work, scratch, ['mod', 'download', module], { limitSeconds: 300 }, resolving)
  }
  await prepare?.(work, scratch)
  const needed = ['list', ...tagsOf(programs), '-deps', ...Object.values(packages)]
  await go(work, scratch, needed, { limitSeconds: 900 }, resolving) // adds the hash of each module that a package comes from
  await go(work, scratch, needed, { limitSeconds: 300 }, cgoOf(programs)) // and with both files as they are, all is there
  await mkdir(locked, { recursive: true })
  for (const name of ['go.mod', 'go.sum']) await copyFile(join(scratch, name), join(locked, name))
  await rm(scratch, { recursive: true })
}

function tagsOf({ tags = [], cgo }: GoPrograms): string[] {
  const all = [...tags, ...(cgo ? ['netgo', 'osusergo'] : [])]
  return ['-tags', all.join(',')]
}

function cgoOf({ cgo }: GoPrograms): { readonly CGO_ENABLED: string } {
  return { CGO_ENABLED: cgo ? '1' : '0' }
}
