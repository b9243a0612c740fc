// What the verification's server boots: the guest that was built with the images, as the server of the site hands it out,
// or a disk image of the operator's own.

import { createHash } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { basename } from 'node:path'
import { messageOf } from '#progress/wait.ts'
import { asConnectionError } from '../errors.ts'
import { CheckFailed, GuestServerUnreachable } from './errors.ts'

/** Where the guest comes from. */
export type GuestSource =
  /** `vmlinuz`, `initrd.img` and `disk.raw` below this URL, for example `http://10.20.0.1:8080/assets/guest`. */
  | { readonly url: string }
  /** One bootable disk image, raw or qcow2; `shows` is a text of its console that proves that it has booted. */
  | { readonly file: string; readonly shows: string }

/** A guest that is ready to be uploaded. */
export type GuestImage = {
  readonly disk: Blob
  readonly diskFormat: 'raw' | 'qcow2'
  /** Booted directly, without a boot loader. */
  readonly kernel?: { readonly vmlinuz: Blob; readonly initrd: Blob; readonly arguments: string }
  /** The console shows it once the guest is up; our own guest also prints its address there. */
  readonly shows: string
  readonly printsAddress: boolean
}

/** The word with which our guest begins the line that it prints once it has its address. */
export const GUEST_UP = 'GUEST-UP'

/**
 * Fetches or opens the guest. An own file stays on disk until it is sent.
 *
 * @throws {CheckFailed} when it is not there
 * @throws {GuestServerUnreachable} when it is unknown whether it is
 */
export async function readGuest(source: GuestSource): Promise<GuestImage> {
  if ('file' in source) {
    const disk = await openDisk(source.file)
    return { disk, diskFormat: await formatOf(disk), shows: source.shows, printsAddress: false }
  }
  const [vmlinuz, initrd, disk] = await Promise.all([
    download(`${source.url}/vmlinuz`),
    download(`${source.url}/initrd.img`),
    download(`${source.url}/disk.raw`),
  ])
  const kernel = { vmlinuz, initrd, arguments: 'console=ttyS0' }
  return { disk, diskFormat: 'raw', kernel, shows: GUEST_UP, printsAddress: true }
}

/** The digest of some bytes, in hexadecimal, by the name that Glance gives the algorithm, for example `sha512`. */
export async function digestOf(bytes: Blob, algorithm: string): Promise<string> {
  const hash = createHash(algorithm)
  for await (const chunk of bytes.stream()) hash.update(chunk)
  return hash.digest('hex')
}

async function openDisk(path: string): Promise<Blob> {
  try {
    return await openAsBlob(path)
  } catch (error) {
    throw new CheckFailed(`The image ${path} cannot be read: ${messageOf(error)}`)
  }
}

async function download(url: string): Promise<Blob> {
  const remedy = `Let the images be built (pilotlight images build), or name your own disk image: --image FILE`
  const answer = await fetch(url, { signal: AbortSignal.timeout(60_000) })
    .catch(asConnectionError)
    .catch((cause: unknown) => {
      const what = `The server that has the guest's ${basename(url)} does not answer: ${messageOf(cause)}.`
      throw new GuestServerUnreachable(
        `${what} Name another (--server URL), or an image of your own (--image FILE).`,
      )
    })
  if (!answer.ok) throw new CheckFailed(`${url} answers ${answer.status}. ${remedy}`)
  return answer.blob()
}

// QEMU's copy-on-write format begins with these four bytes (qemu docs/interop/qcow2).
async function formatOf(disk: Blob): Promise<'raw' | 'qcow2'> {
  const magic = new Uint8Array(await disk.slice(0, 4).arrayBuffer())
  return Buffer.from(magic).toString('latin1') === 'QFI\u00FB' ? 'qcow2' : 'raw'
}
