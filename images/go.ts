// Building programs from Go modules: each in a module of its own made for the purpose, so that no program's
// versions bend another's, with all of Go's own caches and checksum checks in use.

import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { Input, Recipe, Work } from '#host/cache.ts'
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

/**
 * Puts files into the scratch module before Go resolves it, and returns further arguments for `go mod edit`.
 */
export type Prepare = (work: Work, scratch: string) => Promise<readonly string[]>

/** A recipe that builds `programs` into one directory. */
export function goRecipe(programs: GoPrograms, prepare?: Prepare, preparedBy: Input = null): Recipe {
  return {
    name: programs.name,
    title: `${Object.keys(programs.packages).join(', ')} ${programs.version.replace(/^v/, '')}`,
    inputs: { method: 1, programs, preparedBy },
    build: work => buildPrograms(programs, prepare, work),
  }
}

/** Runs `go` in `cwd` for a recipe; its output goes to the log. */
async function go(
  work: Work,
  cwd: string,
  args: readonly string[],
  limitSeconds: number,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return command(
    work,
    { cwd, limitSeconds, env: { GOFLAGS: '-buildvcs=false', GOWORK: 'off', ...env } },
    'go',
    args,
  )
}

/** The directory of a module's source in Go's module cache, downloaded when it is not there. */
export async function moduleDirectory(work: Work, module: string, version: string): Promise<string> {
  const answer = await go(work, '/', ['mod', 'download', '-json', `${module}@${version}`], 300)
  const { Dir } = JSON.parse(answer) as { Dir: string } // `go help mod download`: the field is always there
  return Dir
}

async function buildPrograms(programs: GoPrograms, prepare: Prepare | undefined, work: Work): Promise<void> {
  const { module, version, packages } = programs
  const scratch = join(work.directory, '.module')
  await mkdir(scratch)
  await go(work, scratch, ['mod', 'init', `pilotlight.local/${programs.name}`], 60)
  work.stage.waiting('go resolves modules', 600)
  const edits = [`-require=${module}@${version}`, ...((await prepare?.(work, scratch)) ?? [])]
  await go(work, scratch, ['mod', 'edit', ...edits], 60)
  const published = Object.values(packages).filter(main => main !== '.')
  if (published.length > 0) {
    await go(work, scratch, ['get', ...published.map(main => `${main}@${version}`)], 900)
  }

  work.stage.waiting('go build', 1800)
  const linked = Object.entries(programs.variables ?? {}).map(([name, value]) => `-X ${name}=${value}`)
  const how = programs.cgo ? ['-linkmode external', '-extldflags -static'] : []
  const tags = [...(programs.tags ?? []), ...(programs.cgo ? ['netgo', 'osusergo'] : [])]
  for (const [name, main] of Object.entries(packages)) {
    const into = join(scratch, 'out')
    const flags = [
      '-trimpath',
      '-p',
      '2',
      '-tags',
      tags.join(','),
      '-ldflags',
      ['-s -w', ...how, ...linked].join(' '),
    ]
    await go(work, scratch, ['build', '-mod=mod', ...flags, '-o', `${into}/`, main], 1800, {
      CGO_ENABLED: programs.cgo ? '1' : '0',
    })
    const [made] = await readdir(into) // one main package, one file
    await rename(join(into, made!), join(work.directory, name))
  }
  await rm(scratch, { recursive: true })
}
