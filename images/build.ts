// All images of one Kubernetes version: what is built, where it is stored, and whether it is there already.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheDirectory } from '#host/artefacts.ts'
import { findArtefact, obtainAll, type Recipe } from '#host/cache.ts'
import { ensurePrerequisites } from '#host/prerequisites.ts'
import { PilotlightError } from '#model/error.ts'
import { silentStage, type Stage } from '#progress/stage.ts'
import { trustingInitrdRecipe } from './authority.ts'
import { containerImagesRecipe } from './container-images.ts'
import { hostToolsRecipe } from './go-tools.ts'
import { guestRecipe } from './guest.ts'
import { initrdRecipe } from './initrd.ts'
import { kubernetesRecipe } from './kubernetes.ts'
import { imagePrerequisites } from './prerequisites.ts'
import { DEFAULT_KUBERNETES } from './references.ts'
import { rootfsRecipe } from './rootfs.ts'
import { slotRecipe } from './slot.ts'

/** The parts that can be asked for by themselves. */
type ImagePart = 'tools' | 'containers' | 'initrd' | 'rootfs' | 'slot' | 'guest'

/** Paths of finished images. */
export type ImageSet = {
  readonly kubernetes: string
  readonly kernel: string
  readonly initrd: string
  readonly rootfs: string
  /** SHA-256 of `rootfs`, in hexadecimal digits. */
  readonly rootfsSha256: string
  /** A directory with what an installation writes to a disk: the files of slot.ts, and `slot.json`. */
  readonly slot: string
  /** An OCI image layout with every container image. */
  readonly containers: string
  /** A directory with the files of the guest that a cloud is verified with: vmlinuz, initrd.img, disk.raw. */
  readonly guest: string
  /**
   * A directory of programs for this host: kubectl, helm, etcd, etcdctl, kube-apiserver, containerd, ctr,
   * ignition-validate.
   */
  readonly tools: string
}

/** Images that were just built and are no longer in the cache: another process removed them meanwhile. */
export class ImagesVanished extends PilotlightError {
  readonly code = 'IMAGES_VANISHED'
  constructor(cache: string) {
    super(`The images built just now are gone from ${cache}. Was it pruned meanwhile? Run the same again.`)
  }
}

/** How to build. */
export type BuildOptions = {
  /** `1.36.3` by default. */
  readonly kubernetes?: string
  /** The only provisioner that the live system trusts: its authority, as `readAuthority` gives it. */
  readonly ca?: string
  readonly stage?: Stage
  readonly signal?: AbortSignal
  readonly cache?: string
}

/**
 * Builds all images of a Kubernetes version, or takes them from the cache. Root is needed (overlay mounts,
 * chroot).
 *
 * @throws {PrerequisitesMissing} when this host lacks something that cannot be installed
 * @throws {BuildFailed} when a part does not come through; what was finished is kept
 */
export async function buildImages(options: BuildOptions = {}): Promise<ImageSet> {
  const ready = await findImages(options)
  if (ready !== undefined) {
    options.stage?.child('all images').skipped('cached')
    return ready
  }
  await buildParts(['tools', 'containers', 'initrd', 'rootfs', 'slot', 'guest'], options)
  const built = await findImages(options)
  if (built === undefined) throw new ImagesVanished(options.cache ?? cacheDirectory())
  return built
}

/**
 * Builds some parts and gives their directories, in the same order: the host's tools are there long before a whole live
 * system.
 *
 * @throws {PrerequisitesMissing}
 * @throws {BuildFailed}
 */
async function buildParts(parts: readonly ImagePart[], options: BuildOptions = {}): Promise<string[]> {
  const { stage = silentStage, signal, cache = cacheDirectory() } = options
  await ensurePrerequisites(stage, imagePrerequisites, signal)
  const recipes = partsOf(options)
  const wanted = parts.map(part => recipes[part])
  const artefacts = await obtainAll(wanted, { cache, stage, ...(signal ? { signal } : {}) })
  return artefacts.map(artefact => artefact.path)
}

/** The images of a Kubernetes version as far as the cache has all of them; builds nothing. */
export async function findImages(
  options: Pick<BuildOptions, 'kubernetes' | 'ca' | 'cache'> = {},
): Promise<ImageSet | undefined> {
  const { kubernetes = DEFAULT_KUBERNETES, cache = cacheDirectory() } = options
  const parts = partsOf(options)
  const wanted = [parts.tools, parts.containers, parts.initrd, parts.rootfs, parts.slot, parts.guest]
  const [tools, containers, initrd, rootfs, slot, guest] = await Promise.all(
    wanted.map(recipe => findArtefact(recipe, cache)),
  )
  if (!tools || !containers || !initrd || !rootfs || !slot || !guest) return undefined
  return {
    kubernetes,
    kernel: join(initrd.path, 'vmlinuz'),
    initrd: join(initrd.path, 'initrd.img'),
    rootfs: join(rootfs.path, 'rootfs.squashfs'),
    rootfsSha256: (await readFile(join(rootfs.path, 'rootfs.sha256'), 'utf8')).trim(),
    slot: slot.path,
    containers: containers.path,
    guest: guest.path,
    tools: tools.path,
  }
}

function partsOf(options: Pick<BuildOptions, 'kubernetes' | 'ca'>): Record<ImagePart, Recipe> {
  const { kubernetes = DEFAULT_KUBERNETES, ca } = options
  const rootfs = rootfsRecipe(kubernetes)
  const initrd = ca === undefined ? initrdRecipe : trustingInitrdRecipe(ca, rootfs)
  return {
    tools: hostToolsRecipe(kubernetesRecipe(kubernetes)),
    containers: containerImagesRecipe(kubernetes),
    initrd,
    rootfs,
    slot: slotRecipe(initrd, rootfs, kubernetes),
    guest: guestRecipe,
  }
}
