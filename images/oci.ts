// The documents of an OCI image layout (image-spec 1.1), as data: configuration, manifest and index. Pure.

import { hash } from 'node:crypto'

import type { Layer } from './layers.ts'

/** What an image runs, above which layers (lowest first). */
export type ImagePlan = {
  /** The full reference, for example `pilotlight.local/pause:1`. */
  readonly reference: string
  readonly layers: readonly Layer[]
  readonly entrypoint?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** A document with the digest that names it. */
export type Blob = { readonly digest: string; readonly bytes: Uint8Array }

/** Size, digest and type of a blob, as other documents refer to it. */
export type Descriptor = {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>>
}

/** The file which says that a directory is an image layout. */
export const LAYOUT_FILE = JSON.stringify({ imageLayoutVersion: '1.0.0' })

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The configuration and the manifest of `plan`, and the descriptor under which the index lists it. */
export function imageDocuments(plan: ImagePlan): { config: Blob; manifest: Blob; listed: Descriptor } {
  const environment = Object.entries({ PATH, ...plan.environment }).map(([name, value]) => `${name}=${value}`)
  const config = blobOf({
    architecture: 'amd64',
    os: 'linux',
    config: { Env: environment, ...(plan.entrypoint ? { Entrypoint: plan.entrypoint } : {}) },
    // Layers are not compressed, so the digest of the content is that of the blob.
    rootfs: { type: 'layers', diff_ids: plan.layers.map(layer => layer.digest) },
  })
  const manifest = blobOf({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: plan.layers.map(layer => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer })),
  })
  const [, tag = ''] = /:([^:/]+)$/.exec(plan.reference) ?? []
  const annotations = {
    'io.containerd.image.name': plan.reference,
    'org.opencontainers.image.ref.name': tag,
  }
  return { config, manifest, listed: { ...descriptor(MANIFEST, manifest), annotations } }
}

/** The text of `index.json` over the listed images. */
export function imageIndex(listed: readonly Descriptor[]): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: listed,
  })
}

/** Where a layout keeps the blob of `digest` (`sha256:…`). */
export function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

function blobOf(document: unknown): Blob {
  const bytes = new TextEncoder().encode(JSON.stringify(document))
  return { digest: `sha256:${hash('sha256', bytes)}`, bytes }
}

function descriptor(mediaType: string, blob: Blob): Descriptor {
  return { mediaType, digest: blob.digest, size: blob.bytes.length }
}
