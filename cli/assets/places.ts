// Where the flags of `pilotlight assets` say that assets are: a directory on this host, or a server.

import { statSync } from 'node:fs'
import { Failure } from '#model/error.ts'
import type { AssetStore } from '#server/assets/asset-store.ts'
import type { AssetPlace } from '#server/assets/bring/place.ts'

/** How a place is named on the command line. */
export type PlaceFlags = { readonly assetsPath?: string; readonly server: string }

/** The place that the flags name: the directory, when there is one, else the server. */
export async function placeOf({ assetsPath, server }: PlaceFlags): Promise<AssetPlace> {
  if (assetsPath === undefined) {
    const { serverAssets } = await import('#client/assets.ts')
    return serverAssets(server)
  }
  const { localPlace } = await import('#server/assets/bring/place.ts')
  return localPlace(await storeAt(assetsPath))
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
