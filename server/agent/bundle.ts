// A machine's bundle as it travels: one tar archive, in one answer.

import { tarEnd, tarHeader, tarPadding } from '#host/tar.ts'
import type { BundleFile } from '#model/bundle.ts'

/**
 * An archive of `files`, in their order. A leading slash is left out, so that it unpacks below any folder.
 *
 * @param modifiedSeconds since 1970, the same for all files
 * @throws {UnfitPath} when a path has no place in the format
 */
export function bundleArchive(files: readonly BundleFile[], modifiedSeconds: number): Uint8Array {
  const parts = files.flatMap(({ path, mode, content }) => {
    const bytes = new TextEncoder().encode(content)
    const entry = { path: path.replace(/^\/+/, ''), mode, size: bytes.length, modifiedSeconds }
    return [tarHeader(entry), bytes, tarPadding(bytes.length)]
  })
  return Buffer.concat([...parts, tarEnd])
}
