// The cpio format that the kernel unpacks into its initramfs ("newc"; the kernel's initramfs-buffer-format), as far as an
// archive of a few files needs it. The kernel takes archives one behind the other, each compressed or not, and a later
// file replaces an earlier one of its name. Pure.

/** A file, or a directory when the path ends in `/`. */
export type CpioEntry = {
  readonly path: string
  readonly mode: number
  readonly content?: string | Uint8Array
}

const DIRECTORY = 0o040000
const FILE = 0o100000
const TRAILER = 'TRAILER!!!'
/** The kernel looks for the next archive at a multiple of 4; tools that read such files expect 512. */
const BLOCK = 512

/**
 * An archive of `entries` in their order, of root and of 1 January 1970. A folder has to be named before what is in it.
 * Its length is a multiple of 512.
 */
export function cpioArchive(entries: readonly CpioEntry[]): Uint8Array {
  const parts = entries.flatMap(({ path, mode, content = '' }, index) => {
    const type = path.endsWith('/') ? DIRECTORY : FILE
    return record(path.replace(/\/+$/, ''), type | (mode & 0o7777), content, index + 1)
  })
  const archive = Buffer.concat([...parts, ...record(TRAILER, 0, '', 0)])
  return Buffer.concat([archive, cpioPadding(archive.length)])
}

/** The zeros between a file of `size` bytes and an archive that is put behind it. */
export function cpioPadding(size: number): Uint8Array {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK)
}

/** A header of 110 characters, the name, the content; each of the last two is filled up to a multiple of 4. */
function record(name: string, mode: number, content: string | Uint8Array, inode: number): Uint8Array[] {
  const named = new TextEncoder().encode(`${name}\0`)
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  const links = (mode & DIRECTORY) === 0 ? 1 : 2
  const [owner, time, device] = [0, 0, 0]
  const devices = [device, device, device, device]
  const numbers = [inode, mode, owner, owner, links, time, bytes.length, ...devices, named.length, 0]
  const header = `070701${numbers.map(number => number.toString(16).padStart(8, '0')).join('')}`
  return [
    new TextEncoder().encode(header),
    named,
    fill(header.length + named.length),
    bytes,
    fill(bytes.length),
  ]
}

function fill(size: number): Uint8Array {
  return new Uint8Array((4 - (size % 4)) % 4)
}
