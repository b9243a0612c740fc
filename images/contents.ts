// What is in the images, as a bill of materials lists it: Debian packages by dpkg's list in the roots that were built, Go
// modules as the linker wrote them into each program.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findArtefact, type Recipe } from '#host/cache.ts'
import { run } from '#host/command.ts'
import { debianPurl, goPurl, type Part } from '#host/cyclonedx.ts'
import { PilotlightError } from '#model/error.ts'
import { imagesOf } from './container-images.ts'
import { goToolRecipes } from './go-tools.ts'
import { guestKernelRecipe } from './guest-kernel.ts'
import { kubernetesRecipe } from './kubernetes.ts'
import { isUnwanted } from './left-out.ts'
import { liveRootRecipe } from './live-root.ts'
import { loaderToolsRecipe } from './loader-tools.ts'
import { nodeNetworkRecipe } from './node-network.ts'
import { DEFAULT_KUBERNETES } from './references.ts'
import { rootPrograms } from './rootfs.ts'

/** A program in the artefact of a recipe. */
type Program = { readonly recipe: Recipe; readonly name: string }

/** A root of Debian packages with dpkg's list; the list of a layer has the packages of those below, too. */
type Root = {
  readonly recipe: Recipe
  readonly folder: 'root' | 'upper'
  /** Says which packages of the list are in the image; all of them by default. */
  readonly has?: (debianPackage: string) => boolean
}

/** What one image is made of. */
type Contents = {
  readonly type: 'container' | 'operating-system' | 'application'
  readonly name: string
  readonly version: string
  readonly roots: readonly Root[]
  readonly programs: readonly Program[]
}

/** An image, or a part of one, that is not in the cache: without it there is no list of what is in it. */
export class ImagesNotBuilt extends PilotlightError {
  readonly code = 'IMAGES_NOT_BUILT'
  constructor(recipe: Recipe) {
    super(`${recipe.title} is not in the cache. Run pilotlight images build first.`)
  }
}

/**
 * Every image of a Kubernetes version with what is in it: the live system, the guest, the programs for the host, and each
 * container image.
 *
 * @throws {ImagesNotBuilt}
 * @throws {CommandFailed} when Go cannot read a program
 */
export async function imageParts(kubernetes = DEFAULT_KUBERNETES): Promise<Part[]> {
  const parts: Part[] = []
  for (const contents of contentsOf(kubernetes)) {
    const { type, name, version, roots, programs } = contents
    const packages: Part[] = []
    for (const root of roots) {
      const { has = () => true } = root
      packages.push(...debianParts(await statusIn(root)).filter(it => has(it.name)))
    }
    parts.push({ type, name, version, parts: [...packages, ...(await programParts(programs))] })
  }
  return parts
}

/** Packages whose files are on a machine's disk beside the live system: its boot loaders. */
const LOADER_PACKAGES = ['systemd-boot-efi', 'grub-pc-bin']

function contentsOf(kubernetes: string): Contents[] {
  const host = [kubernetesRecipe(kubernetes), ...goToolRecipes]
  const tools = { kubernetes: ['kubectl', 'kube-apiserver'], containerd: ['containerd', 'ctr'] } as const
  const single = ['helm', 'etcd', 'etcdctl', 'ignition-validate', 'butane']
  return [
    {
      type: 'operating-system',
      name: 'live system',
      version: kubernetes,
      roots: [
        { recipe: liveRootRecipe, folder: 'root' },
        { recipe: loaderToolsRecipe, folder: 'root', has: name => LOADER_PACKAGES.includes(name) },
      ],
      programs: rootPrograms(kubernetes),
    },
    {
      type: 'operating-system',
      name: 'verification guest',
      version: '1',
      roots: [
        { recipe: guestKernelRecipe, folder: 'root', has: name => name.startsWith('linux-image-') },
        { recipe: nodeNetworkRecipe, folder: 'root', has: name => name === 'busybox-static' },
      ],
      programs: [],
    },
    {
      type: 'application',
      name: 'host tools',
      version: kubernetes,
      roots: [],
      programs: host.flatMap(recipe => {
        const names = tools[recipe.name as keyof typeof tools] ?? single.filter(name => name === recipe.name)
        return names.map(name => ({ recipe, name }))
      }),
    },
    ...imagesOf(kubernetes).map(({ reference, layers }): Contents => {
      const [, name = '', version = ''] = /([^/]+):([^:]+)$/.exec(reference) ?? []
      const recipe = layers.findLast(layer => !('files' in layer))
      // Layers of OpenStack are above a base, and lack some packages of the list; the network tools are a root.
      const whole = recipe === nodeNetworkRecipe
      const roots: Root[] =
        recipe === undefined
          ? []
          : [whole ? { recipe, folder: 'root' } : { recipe, folder: 'upper', has: it => !isUnwanted(it) }]
      return {
        type: 'container',
        name,
        version,
        roots,
        programs: layers.flatMap(layer =>
          'files' in layer
            ? layer.files.flatMap(({ from }) => {
                const [owner, file = ''] = from.split('/')
                const recipe = layer.needs?.find(need => need.name === owner)
                return recipe === undefined || recipe.name === 'pause' ? [] : [{ recipe, name: file }]
              })
            : [],
        ),
      }
    }),
  ]
}

async function statusIn({ recipe, folder }: Root): Promise<string> {
  return readFile(join(await pathOf(recipe), folder, 'var/lib/dpkg/status'), 'utf8')
}

async function pathOf(recipe: Recipe): Promise<string> {
  const artefact = await findArtefact(recipe)
  if (artefact === undefined) throw new ImagesNotBuilt(recipe)
  return artefact.path
}

/** The packages in dpkg's list (deb822(5)) whose files are there: installed, or unpacked and not configured. */
export function debianParts(status: string): Part[] {
  return status.split(/\n\n+/).flatMap(paragraph => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1]
    const [name, version, architecture] = ['Package', 'Version', 'Architecture'].map(field)
    if (name === undefined || version === undefined || architecture === undefined) return []
    if (!/ (installed|unpacked)$/.test(field('Status') ?? '')) return []
    const source = field('Source')
    return [
      {
        type: 'library',
        name,
        version,
        purl: debianPurl(name, version, architecture),
        ...(source === undefined ? {} : { properties: { 'pilotlight:debian:source': source } }),
      },
    ]
  })
}

async function programParts(programs: readonly Program[]): Promise<Part[]> {
  if (programs.length === 0) return []
  const files = await Promise.all(programs.map(async ({ recipe, name }) => join(await pathOf(recipe), name)))
  const { stdout } = await run('go', ['version', '-m', ...files], { limitSeconds: 120 })
  return goParts(stdout)
}

/**
 * Programs with the modules in them, from what `go version -m` prints: a line with file and compiler, then lines with a
 * tab, a kind and fields. A replaced module is the one that it was replaced by.
 */
export function goParts(text: string): Part[] {
  return text.split(/\n(?=\S)/).flatMap(block => {
    const [first = '', ...lines] = block.split('\n')
    const [, name, compiler] = /([^/]+): go(\S+)$/.exec(first) ?? []
    if (name === undefined || compiler === undefined) return []
    const modules: Part[] = [
      { type: 'library', name: 'stdlib', version: compiler, purl: goPurl('stdlib', compiler) },
    ]
    let version = compiler
    for (const line of lines) {
      const [, kind, module = '', of = '', sum] = line.split('\t')
      if (kind !== 'mod' && kind !== 'dep' && kind !== '=>') continue
      if (kind === 'mod' && of !== '(devel)') version = of
      if (kind === '=>') modules.pop()
      if (of === '(devel)') continue // our scratch module
      modules.push({
        type: 'library',
        name: module,
        version: of,
        purl: goPurl(module, of),
        ...(sum === undefined || sum === '' ? {} : { properties: { 'pilotlight:go:sum': sum } }),
      })
    }
    return [{ type: 'application', name, version, parts: modules }]
  })
}
