// Where `pilotlight assets` puts things: an assets directory on this host, or a server's by its API.

import { createReadStream, openAsBlob, statSync } from 'node:fs'
import { join } from 'node:path'
import { sha256OfFile } from '#host/digest.ts'
import { cacheDirectory } from '#host/artefacts.ts'
import { makeDirectory } from '#host/make-directory.ts'
import type { AssetStore } from '#server/assets/asset-store.ts'
import { Failure } from '#model/error.ts'

/** An asset as it is listed; times as ISO 8601. */
export type ListedAsset = {
  readonly name: string
  readonly size: number
  readonly modified: string
  readonly sha256?: string
}

/** What became of one. */
export type AddedAsset = ListedAsset & { readonly result: string }

/** Digests that a file must have, in hexadecimal. */
export type Digests = { readonly sha256?: string | undefined; readonly sha512?: string | undefined }

/** A place for assets. */
export type AssetPlace = {
  list(): Promise<readonly ListedAsset[]>
  /** Keeps the file at `path` under a name; `isOurs` says that the file may be used up. */
  add(name: string, path: string, digests: Digests, isOurs: boolean): Promise<AddedAsset>
  remove(name: string): Promise<void>
  /** A folder for downloads that are under way; it is there. */
  downloads(): string
}

/** How a place is named on the command line. */
export type PlaceFlags = { readonly assetsPath?: string; readonly server: string }

/** The place that the flags name: the directory, when there is one, else the server. */
export async function placeOf({ assetsPath, server }: PlaceFlags): Promise<AssetPlace> {
  return assetsPath === undefined ? serverPlace(server) : localPlace(await storeAt(assetsPath))
}

/**
 * The store in a directory.
 *
 * @throws {Failure} BAD_OPTION when it is none
 */
export async function storeAt(assetsPath: string | undefined): Promise<AssetStore> {
  if (assetsPath === undefined) {
    const remedy = 'give --assets-path or PILOTLIGHT_ASSETS_PATH, on the host of the server'
    throw new Failure('BAD_OPTION', 'this works on the assets directory itself', remedy)
  }
  if (statSync(assetsPath, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new Failure('BAD_OPTION', `${assetsPath} is not a directory`, `make it:  mkdir -p ${assetsPath}`)
  }
  const { AssetStore: Store } = await import('#server/assets/asset-store.ts')
  return new Store(assetsPath)
}

function localPlace(store: AssetStore): AssetPlace {
  return {
    list: async () => (await store.list()).map(listed),
    add: async (name, path, digests, isOurs) => {
      const { result, ...asset } = isOurs
        ? await store.adopt(name, path, digests)
        : await store.add(name, createReadStream(path, { highWaterMark: 1 << 20 }), digests)
      return { ...listed(asset), result }
    },
    remove: name => store.remove(name),
    downloads: () => made(store.downloads),
  }
}

function listed({
  name,
  size,
  modifiedMs,
  sha256,
}: Awaited<ReturnType<AssetStore['list']>>[number]): ListedAsset {
  const modified = new Date(modifiedMs).toISOString()
  return { name, size, modified, ...(sha256 === undefined ? {} : { sha256 }) }
}

/** Seconds that an upload may take: a full day, since its size is anybody's guess; the server ends one that stalls. */
const UPLOAD_SECONDS = 86_400

async function serverPlace(base: string): Promise<AssetPlace> {
  const { ServerClient } = await import('#client/server.ts')
  const server = new ServerClient(base)
  return {
    list: async () => {
      const answer = await server.request('GET', '/v1/assets', {}, undefined, 60)
      return ((await answer.json()) as { items: ListedAsset[] }).items
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
      return (await answer.json()) as AddedAsset
    },
    remove: async name => {
      await (await server.request('DELETE', pathOf(name))).body?.cancel()
    },
    downloads: () => made(join(cacheDirectory(), 'downloads')),
  }
}

function pathOf(name: string): string {
  return `/v1/assets/${name.split('/').map(encodeURIComponent).join('/')}`
}

function made(folder: string): string {
  makeDirectory(folder)
  return folder
}
