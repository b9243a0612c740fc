// Where assets can be kept: an assets directory on this host, or a server's by its API (client/assets.ts).

import { createReadStream } from 'node:fs'
import { makeDirectory } from '#host/make-directory.ts'
import type { AddedAsset, Digests, ListedAsset } from '#model/asset.ts'
import type { AssetStore } from '../asset-store.ts'

/** A place for assets. */
export type AssetPlace = {
  list(): Promise<readonly ListedAsset[]>
  /** Keeps the file at `path` under a name; `isOurs` says that the file may be used up. */
  add(name: string, path: string, digests: Digests, isOurs: boolean): Promise<AddedAsset>
  remove(name: string): Promise<void>
  /** A folder for downloads that are under way; it is there. */
  downloads(): string
}

/** The assets directory of a store. */
export function localPlace(store: AssetStore): AssetPlace {
  return {
    list: async () => (await store.list()).map(listed),
    add: async (name, path, digests, isOurs) => {
      const { result, ...asset } = isOurs
        ? await store.adopt(name, path, digests)
        : await store.add(name, createReadStream(path, { highWaterMark: 1 << 20 }), digests)
      return { ...listed(asset), result }
    },
    remove: name => store.remove(name),
    downloads: () => {
      makeDirectory(store.downloads)
      return store.downloads
    },
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
