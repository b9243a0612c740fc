// The errors of the server's assets.

import { ServerError } from '../errors.ts'

/** The slot among the assets does not match its files. 503, because the machine asks again: they may be replaced just now. */
export class SlotUnfit extends ServerError {
  readonly code = 'SLOT_UNFIT'
  readonly statusCode = 503
  constructor(path: string, what: string) {
    super(
      `${path} of the assets ${what}; no disk is written from it. To build and put both there:  pilotlight images build --assets-path DIR`,
    )
  }
}

/** A name that no asset may have. */
export class InvalidAssetName extends ServerError {
  readonly code = 'INVALID_ASSET_NAME'
  readonly statusCode = 400
  constructor(name: string, reason: string) {
    super(
      `${JSON.stringify(name.slice(0, 200))} cannot be the name of an asset: ${reason}. ` +
        'Give a path below the assets directory, as in flatcar/4593.2.0/flatcar_production_pxe.vmlinuz.',
    )
  }
}

/** Bytes that are not those which were announced; nothing is kept of them. */
export class DigestMismatch extends ServerError {
  readonly code = 'DIGEST_MISMATCH'
  readonly statusCode = 422
  constructor(name: string, algorithm: string, wanted: string, found: string) {
    super(
      `asset "${name}" has the ${algorithm} ${found}, and ${wanted} was announced: it was changed or cut on its way. ` +
        'Nothing was kept; fetch it again, or correct the digest.',
    )
  }
}

/** An asset that cannot be written where its name says. */
export class AssetInTheWay extends ServerError {
  readonly code = 'ASSET_IN_THE_WAY'
  readonly statusCode = 409
  constructor(name: string, reason: string, options?: ErrorOptions) {
    super(`asset "${name}" cannot be put there: ${reason}. Choose another name, or fix it.`, options)
  }
}

/** The disk of the assets is full. */
export class NoSpace extends ServerError {
  readonly code = 'NO_SPACE'
  readonly statusCode = 507
  constructor(name: string, options?: ErrorOptions) {
    super(
      `The disk is full: nothing was kept of asset "${name}". 'pilotlight assets gc' removes what no name needs.`,
      options,
    )
  }
}
