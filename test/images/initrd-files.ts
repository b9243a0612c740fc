// Reading a built initrd: the files in it, by an own reader of what dracut wrote (cpio "newc", compressed by zstd).

import { zstdDecompressSync } from 'node:zlib'

/** A file's content, or where a symbolic link leads. */
type InitrdFile = { readonly content: Buffer; readonly link?: string }

/** The files of an initrd by their paths without a leading slash. Of hard links only the last one has the content. */
export function filesOf(initrd: Buffer): Map<string, InitrdFile> {
  const archive = initrd.subarray(0, 6).toString() === '070701' ? initrd : zstdDecompressSync(initrd)
  const files = new Map<string, InitrdFile>()
  for (let at = 0; at < archive.length;) {
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16)
    if (archive.toString('latin1', at, at + 6) !== '070701') throw new Error(`no cpio header at ${at}`)
    const [size, nameBytes] = [field(6), field(11)]
    const name = archive.toString('utf8', at + 110, at + 110 + nameBytes - 1)
    const content = padded(at + 110 + nameBytes)
    if (name === 'TRAILER!!!') break
    const bytes = archive.subarray(content, content + size)
    const isLink = (field(1) & 0o170000) === 0o120000
    files.set(name.replace(/^\.?\//, ''), { content: bytes, ...(isLink ? { link: bytes.toString() } : {}) })
    at = padded(content + size)
  }
  return files
}

/** The firmware files that a kernel module names, as `modinfo -F firmware` prints them: they are in its ELF file as text. */
export function firmwareNamedBy(module: Buffer): string[] {
  return [...module.toString('latin1').matchAll(/(?<!\w)firmware=([^\0]+)(?=\0)/g)].map(([, name]) => name!) // group 1
}

function padded(at: number): number {
  return at + ((4 - (at % 4)) % 4)
}
