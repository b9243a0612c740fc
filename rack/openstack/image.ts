// Glance's calls: an image is described first, then its bytes are sent, then Glance reports what it stored.

import type { OpenstackClient } from './client.ts'

/** How the bytes are to be read, and what the guest needs besides. Properties are beside the fields, as in the API. */
export type ImageDescription = {
  readonly name: string
  /** `aki` and `ari` are a kernel and its initramfs. */
  readonly disk_format: 'aki' | 'ari' | 'raw' | 'qcow2'
  readonly container_format: 'aki' | 'ari' | 'bare'
  readonly [property: string]: string | readonly string[]
}

/** A stored image, with the fields that are read. */
export type Image = {
  readonly id: string
  readonly name: string
  readonly status: string
  readonly size: number | null
  /** The digest of the stored bytes, in hexadecimal, and how it was made: `sha512` unless the cloud is configured otherwise. */
  readonly os_hash_value: string | null
  readonly os_hash_algo: string | null
}

/** Makes an empty image for this project, and gives its id. */
export async function createImage(cloud: OpenstackClient, description: ImageDescription): Promise<string> {
  return (await cloud.post<{ id: string }>('image', '/images', { visibility: 'private', ...description })).id
}

/** Sends the bytes of an image that was created. */
export function uploadImage(cloud: OpenstackClient, id: string, bytes: Blob): Promise<void> {
  return cloud.upload('image', `/images/${id}/file`, bytes)
}

export function readImage(cloud: OpenstackClient, id: string): Promise<Image> {
  return cloud.get<Image>('image', `/images/${id}`)
}
