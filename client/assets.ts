// The assets of a server, by its API.

import { openAsBlob } from 'node:fs'
import { join } from 'node:path'
import { cacheDirectory } from '#host/artefacts.ts'
import { sha256OfFile } from '#host/digest.ts'
import { makeDirectory } from '#host/make-directory.ts'
import type { AddedAsset, Digests, ListedAsset } from '#model/asset.ts'
import { ServerClient } from './server.ts'
import { jsonOf } from './refusal.ts'

/** What can be done with the assets of a server. */
export type ServerAssets = {
  list(): Promise<readonly ListedAsset[]>
  /** Sends the file at `path`, to be kept under a name. */
  add(name: string, path: string, digests: Digests): Promise<AddedAsset>
  remove(name: string): Promise<void>
  /** A folder of this host for downloads that are under way; it exists. */
  downloads(): string
}

/** Seconds that an upload may take: a full day, since its size is unknown; the server ends one that stalls. */
const UPLOAD_SECONDS = 86_400

/** Lists, adds and removes the assets of the server at `base`. */
export function serverAssets(base: string): ServerAssets {
  const server = new ServerClient(base)
  return {
    list: async () => {
      const answer = await server.request('GET', '/v1/assets', {}, undefined, 60)
      return ((await jsonOf(answer)) as { items: ListedAsset[] }).items
    },
    add: async (name, path, { sha256, sha512 }) => {
      // Always with a digest: what the server keeps is then what is here.
      const digests = { 'sha-256': sha256 ?? (await sha256OfFile(path)), 'sha-512': sha512 }
      const announced = Object.entries(digests).flatMap(([algorithm, hex]) =>
        hex === undefined ? [] : [`${algorithm}=:${Buffer.from(hex, 'hex').toString('base64')}:`],
      )
      const headers = { 'repr-digest': announced.join(', ') }
      const answer = await server.request(
        'PUT',
        pathOf(name),
        headers,
        await openAsBlob(path),
        UPLOAD_SECONDS,
      )
      return (await jsonOf(answer)) as AddedAsset
    },
    remove: async name => {
      await (await server.request('DELETE', pathOf(name))).body?.cancel()
    },
    downloads: () => {
      const folder = join(cacheDirectory(), 'downloads')
      makeDirectory(folder)
      return folder
    },
  }
}

function pathOf(name: string): string {
  return `/v1/assets/${name.split('/').map(encodeURIComponent).join('/')}`
}
