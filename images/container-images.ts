// The container images: which layers each has, and all of them together as one OCI image layout.

import { readFileSync } from 'node:fs'
import { link, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import type { Recipe } from '#host/cache.ts'
import { run } from '#host/command.ts'

import { cniPluginsRecipe, corednsRecipe, flannelRecipe } from './go-tools.ts'
import { kubernetesRecipe } from './kubernetes.ts'
import { filesLayerRecipe, layerIn, type FilesLayer, type LayerFile } from './layers.ts'
import { nodeNetworkRecipe } from './node-network.ts'
import { blobPath, imageDocuments, imageIndex, LAYOUT_FILE, type Descriptor } from './oci.ts'
import {
  openstackBaseRecipe,
  openstackComputeRecipe,
  openstackControlRecipe,
  openstackExtraRecipe,
  openstackHelmInfraRecipe,
  openstackHelmRecipe,
  openstackInfraRecipe,
} from './openstack.ts'
import { imageReferences } from './references.ts'

const pauseSource = join(import.meta.dirname, 'pause', 'pause.c')

/** The pause program: static, some kilobytes of C. */
export const pauseRecipe: Recipe = {
  name: 'pause',
  title: 'pause',
  inputs: { method: 1, source: readFileSync(pauseSource, 'utf8') },
  async build(work) {
    const flags = ['-Os', '-Wall', '-Wextra', '-Werror', '-static', '-s']
    await run('gcc', [...flags, '-o', join(work.directory, 'pause'), pauseSource], {
      limitSeconds: 60,
      log: work.log,
      ...(work.signal ? { signal: work.signal } : {}),
    })
  },
}

/** One image: the recipes of its layers, lowest first, and what it runs. */
type ImageRecipe = {
  readonly reference: string
  readonly layers: readonly (Recipe | FilesLayer)[]
  readonly entrypoint?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/**
 * The recipe of all images for a Kubernetes version (`1.36.3`): an OCI image layout, each layer in it once.
 */
export function containerImagesRecipe(kubernetes: string): Recipe {
  const images = imagesOf(kubernetes)
  const layers = [
    ...new Map(images.flatMap(image => image.layers).map(layer => [layer.name, layer])).values(),
  ]
  return {
    name: 'container-images',
    title: 'the container images',
    inputs: images.map(({ layers, ...image }) => ({ ...image, layers: layers.map(layer => layer.name) })),
    needs: layers,
    async build(work) {
      await mkdir(join(work.directory, 'blobs/sha256'), { recursive: true })
      const listed: Descriptor[] = []
      for (const image of images) {
        const placed = await Promise.all(
          image.layers.map(async recipe => place(work.needs[recipe.name]!, work.directory)),
        )
        const { config, manifest, listed: entry } = imageDocuments({ ...image, layers: placed })
        for (const blob of [config, manifest]) {
          await writeFile(join(work.directory, blobPath(blob.digest)), blob.bytes)
        }
        listed.push(entry)
      }
      await writeFile(join(work.directory, 'index.json'), imageIndex(listed))
      await writeFile(join(work.directory, 'oci-layout'), LAYOUT_FILE)
    },
  }
}

/** All images of a Kubernetes version, by the layers that they are made of. */
export function imagesOf(kubernetes: string): ImageRecipe[] {
  const names = imageReferences(kubernetes)
  const binaries = kubernetesRecipe(kubernetes)
  const alone = (reference: string, recipe: Recipe, name: string): ImageRecipe => ({
    reference,
    layers: [program(recipe, name)],
    entrypoint: [`/usr/local/bin/${name}`],
  })
  const plugins = ['bridge', 'loopback', 'host-local', 'portmap'].map(name => ({
    from: `${cniPluginsRecipe.name}/${name}`,
    to: `/opt/cni/${name}`,
  }))
  return [
    alone(names.pause, pauseRecipe, 'pause'),
    alone(names.kubeApiserver, binaries, 'kube-apiserver'),
    alone(names.kubeControllerManager, binaries, 'kube-controller-manager'),
    alone(names.kubeScheduler, binaries, 'kube-scheduler'),
    alone(names.coredns, corednsRecipe, 'coredns'),
    { reference: names.kubeProxy, layers: [nodeNetworkRecipe, program(binaries, 'kube-proxy')] },
    {
      reference: names.flannel,
      layers: [nodeNetworkRecipe, program(flannelRecipe, 'flanneld', plugins, [cniPluginsRecipe])],
    },
    openstack(names.openstackInfra, openstackInfraRecipe),
    openstack(names.openstackControl, openstackControlRecipe),
    openstack(names.openstackCompute, openstackControlRecipe, openstackComputeRecipe),
    openstack(names.openstackExtra, openstackControlRecipe, openstackExtraRecipe),
    openstack(names.openstackHelmInfra, openstackInfraRecipe, openstackHelmInfraRecipe),
    openstack(names.openstackHelm, openstackControlRecipe, openstackHelmRecipe),
  ]
}

/** An image of OpenStack's: layers above the base. */
function openstack(reference: string, ...above: readonly Recipe[]): ImageRecipe {
  return {
    reference,
    layers: [openstackBaseRecipe, ...above],
    environment: { LANG: 'C.UTF-8', PYTHONWARNINGS: 'ignore' },
  }
}

/** A layer with one program in the place where programs are looked for, and perhaps more. */
function program(
  recipe: Recipe,
  name: string,
  more: readonly LayerFile[] = [],
  others: readonly Recipe[] = [],
): FilesLayer {
  const file = { from: `${recipe.name}/${name}`, to: `/usr/local/bin/${name}` }
  return filesLayerRecipe(name, [recipe, ...others], [file, ...more])
}

/** Puts a layer into the layout without copying it, and says what it is. */
async function place(artefact: string, layout: string) {
  const layer = await layerIn(artefact)
  const to = join(layout, blobPath(layer.digest))
  await mkdir(dirname(to), { recursive: true })
  await link(join(artefact, 'layer.tar'), to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error // two images above one layer
  })
  return layer
}
