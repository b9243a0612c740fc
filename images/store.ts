// containerd's store, filled when the image is built: a machine starts its first pod without unpacking
// anything.

import { spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { once } from 'node:events'
import type { Recipe, Work } from '#host/cache.ts'
import { run } from '#host/command.ts'
import { inScratch } from '#host/scratch.ts'
import { PilotlightError } from '#model/error.ts'
import { waitUntil } from '#progress/wait.ts'
import { containerImagesRecipe } from './container-images.ts'
import { containerdRecipe } from './go-tools.ts'
import { TAR_PROGRESS } from './layers.ts'
import { blobPath } from './oci.ts'

/**
 * The recipe of containerd's root directory with every image unpacked, in `<artefact>/containerd`. Our
 * own containerd fills it and is stopped. The layers' archives are dropped (their content is
 * unpacked); manifests and configurations stay, which is all that the CRI reads of an image that is there.
 */
export function storeRecipe(kubernetes: string): Recipe {
  const images = containerImagesRecipe(kubernetes)
  return {
    name: 'container-store',
    title: 'the container store',
    inputs: { method: 1 },
    needs: [images, containerdRecipe],
    async build(work) {
      const layout = work.needs[images.name]! // both are in `needs`
      const programs = work.needs[containerdRecipe.name]!
      const root = join(work.directory, 'containerd')
      // Not below the work's folder: a socket's path may have 104 bytes at most.
      await inScratch(async state => {
        const socket = join(state, 'containerd.sock')
        const config = join(state, 'containerd.toml')
        await writeFile(config, buildConfig(root, state, socket))
        await whileRunning(work, programs, config, socket, async () => {
          const archive = join(work.directory, '.images.tar')
          await run(
            'tar',
            [
              '--create',
              `--file=${archive}`,
              `--directory=${layout}`,
              TAR_PROGRESS,
              '--exclude=./.built.json',
              '.',
            ],
            {
              silenceSeconds: 900,
              log: work.log,
            },
          )
          work.stage.waiting('import', 3600)
          // A total: ctr prints nothing until the layers are unpacked (measured: its first line after 83 of 94 s).
          await run(
            join(programs, 'ctr'),
            [`--address=${socket}`, '--namespace=k8s.io', 'images', 'import', archive],
            {
              limitSeconds: 3600,
              log: work.log,
              ...(work.signal ? { signal: work.signal } : {}),
            },
          )
          await rm(archive)
        })
      })
      await dropLayers(layout, root)
    },
  }
}

/** The containerd of a build that stopped by itself. */
export class ContainerdEnded extends PilotlightError {
  readonly code = 'CONTAINERD_ENDED'
  constructor(status: number | null, log: string) {
    super(
      `The containerd that fills the store ended with status ${status}. Its last line in ${log} says why.`,
    )
  }
}

function buildConfig(root: string, state: string, socket: string): string {
  const disabled = ['grpc.v1.cri', 'cri.v1.images', 'cri.v1.runtime', 'nri.v1.nri'] // no kubelet is here
  return [
    'version = 3',
    `root = '${root}'`,
    `state = '${state}'`,
    `disabled_plugins = [${disabled.map(plugin => `'io.containerd.${plugin}'`).join(', ')}]`,
    `[grpc]\n  address = '${socket}'`,
    '',
  ].join('\n')
}

async function whileRunning(
  work: Work,
  programs: string,
  config: string,
  socket: string,
  task: () => Promise<void>,
): Promise<void> {
  const log = openSync(work.log, 'a')
  const daemon = spawn(join(programs, 'containerd'), ['--config', config], {
    stdio: ['ignore', log, log],
    env: { ...process.env, PATH: `${programs}:${process.env['PATH'] ?? ''}` },
  })
  const ended = once(daemon, 'exit')
  const gone = new AbortController()
  ended.then(
    () => gone.abort(new ContainerdEnded(daemon.exitCode, work.log)),
    (error: unknown) => gone.abort(error), // it could not even start
  )
  try {
    const wait = { limitSeconds: 60, stage: work.stage, signal: gone.signal }
    await waitUntil('containerd', wait, async () => {
      await run(join(programs, 'ctr'), [`--address=${socket}`, 'version'], { limitSeconds: 10 })
      return { value: true }
    })
    await task()
  } finally {
    daemon.kill('SIGTERM')
    const overdue = setTimeout(() => daemon.kill('SIGKILL'), 15_000)
    await ended
    clearTimeout(overdue)
  }
}

/** Removes the blobs of layers from the store's content, and leaves every other one. */
async function dropLayers(layout: string, root: string): Promise<void> {
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as Listed
  const layers = new Set<string>()
  for (const { digest } of index.manifests) {
    const manifest = JSON.parse(await readFile(join(layout, blobPath(digest)), 'utf8')) as Manifest
    for (const layer of manifest.layers) layers.add(layer.digest.replace('sha256:', ''))
  }
  const blobs = join(root, 'io.containerd.content.v1.content', 'blobs', 'sha256')
  for (const name of await readdir(blobs)) if (layers.has(name)) await rm(join(blobs, name))
}

/** The fields that are read from the documents of images/oci.ts. */
type Listed = { manifests: readonly { digest: string }[] }
type Manifest = { layers: readonly { digest: string }[] }
