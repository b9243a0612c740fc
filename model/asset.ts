// Assets: kernels and images by name, as they are listed, kept and checked.

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
