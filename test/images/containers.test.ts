// Container images: references, documents, and the built layout and store, where this machine has them.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import t from 'tap'

import { run } from '#host/command.ts'
import { findImages } from '#images/build.ts'
import { blobPath, imageDocuments } from '#images/oci.ts'
import { DEFAULT_KUBERNETES, imageReferences } from '#images/references.ts'

t.test('references carry the Kubernetes version, and none names a registry that exists', async t => {
  const names = imageReferences('1.36.3')
  t.equal(names.kubeApiserver, 'pilotlight.local/kube-apiserver:v1.36.3')
  for (const name of Object.values(names)) t.match(name, /^pilotlight\.local\/[a-z-]+:[a-z0-9.]+$/)
  t.equal(new Set(Object.values(names)).size, Object.values(names).length)
})

t.test('a manifest names its configuration and layers by digest, lowest layer first', async t => {
  const layers = ['a', 'b'].map((letter, index) => ({
    digest: `sha256:${letter.repeat(64)}`,
    size: index + 1,
  }))
  const { config, manifest, listed } = imageDocuments({
    reference: 'pilotlight.local/x:1',
    layers,
    entrypoint: ['/x'],
    environment: { LANG: 'C.UTF-8' },
  })
  t.match(read(config.bytes), {
    config: { Entrypoint: ['/x'], Env: [/^PATH=/, 'LANG=C.UTF-8'] },
    rootfs: { diff_ids: layers.map(layer => layer.digest) },
  })
  t.match(read(manifest.bytes), { config: { digest: config.digest, size: config.bytes.length }, layers })
  t.match(listed, {
    digest: manifest.digest,
    annotations: { 'io.containerd.image.name': 'pilotlight.local/x:1' },
  })
  t.equal(blobPath('sha256:abc'), 'blobs/sha256/abc')
})

const images = await findImages()
const absent = images === undefined ? 'images are not built here (pilotlight images build)' : false

t.test(
  'the built layout lists every reference, and its blobs are what their names say',
  { skip: absent },
  async t => {
    if (images === undefined) return
    const index = JSON.parse(await readFile(join(images.containers, 'index.json'), 'utf8')) as {
      manifests: { digest: string; annotations: Record<string, string> }[]
    }
    const listed = index.manifests.map(entry => entry.annotations['io.containerd.image.name'])
    t.same(new Set(listed), new Set(Object.values(imageReferences(DEFAULT_KUBERNETES))))
    for (const { digest } of index.manifests) {
      const { stdout } = await run('sha256sum', [join(images.containers, blobPath(digest))], {
        limitSeconds: 30,
      })
      t.equal(`sha256:${stdout.slice(0, 64)}`, digest)
    }
  },
)

t.test('the tools for this host say their versions', { skip: absent }, async t => {
  if (images === undefined) return
  const ask = async (tool: string, ...args: string[]) =>
    (await run(join(images.tools, tool), args, { limitSeconds: 30 })).stdout
  t.match(await ask('kubectl', 'version', '--client'), `v${DEFAULT_KUBERNETES}`)
  t.match(await ask('kube-apiserver', '--version'), `v${DEFAULT_KUBERNETES}`)
  t.match(await ask('helm', 'version', '--short'), /^v3\./)
  t.match(await ask('etcd', '--version'), /3\.6\./)
  t.match(await ask('ctr', '--version'), /v2\./)
})

t.test("the root's digest is the one that is kept beside it", { skip: absent }, async t => {
  if (images === undefined) return
  const { stdout } = await run('sha256sum', [images.rootfs], { limitSeconds: 60 })
  t.equal(stdout.slice(0, 64), images.rootfsSha256)
})

function read(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes))
}
