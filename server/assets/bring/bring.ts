// Brings files and what URLs give into an assets directory or to a server. One is fetched, checked, and only then handed
// to its place.

import { hash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PublicKey } from 'openpgp'
import type { AddedAsset, ListedAsset } from '#model/asset.ts'
import { Failure } from '#model/error.ts'
import { inStage, type Stage } from '#progress/stage.ts'
import { readKeys, verifyDetached } from '../../signing/signature.ts'
import { download } from './download.ts'
import type { AssetPlace } from './place.ts'
import { isUrl, type AssetSource } from './sources.ts'

/** The result for one file. */
export type BroughtAsset = AddedAsset & { readonly signedBy?: string }

/** The public keys in a file. */
export async function keysIn(file: string | undefined): Promise<PublicKey[]> {
  if (file === undefined) return []
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (cause) {
    throw new Failure('BAD_INPUT', `${file} cannot be read`, 'name the file of a public key', { cause })
  }
  return readKeys(bytes, file)
}

/** What `bring` works with. */
export type Bringing = {
  readonly place: AssetPlace
  readonly keys: readonly PublicKey[]
  readonly stage: Stage
  readonly signal: AbortSignal
}

/** Brings one source after the other; what is there already with the same digest is not fetched again. */
export async function bring(sources: readonly AssetSource[], bringing: Bringing): Promise<BroughtAsset[]> {
  const here = sources.some(({ sha256 }) => sha256 !== undefined) ? await bringing.place.list() : []
  const brought: BroughtAsset[] = []
  for (const source of sources) {
    const there = here.find(({ name, sha256 }) => name === source.name && sha256 === source.sha256)
    brought.push(
      await inStage(bringing.stage, source.name, stage => bringOne(source, there, { ...bringing, stage })),
    )
  }
  return brought
}

async function bringOne(
  source: AssetSource,
  there: ListedAsset | undefined,
  bringing: Bringing,
): Promise<BroughtAsset> {
  const { place, keys, stage } = bringing
  const { from, name, sha256, sha512 } = source
  // With a key, the signature is looked at each time: what is there may have come without one.
  if (sha256 !== undefined && there !== undefined && keys.length === 0) {
    stage.skipped('is there')
    return { ...there, result: 'unchanged' }
  }
  const signature = await signatureOf(source, bringing)
  const isFetched = isUrl(from)
  const file = isFetched ? await fetched(from, bringing) : localFile(from)
  try {
    const signed =
      signature === undefined || keys.length === 0 ? undefined : await verified(file, signature, bringing)
    stage.waiting('keeping it')
    const added = await place.add(name, file, { sha256, sha512 }, isFetched)
    if (signature !== undefined && source.keepSignature) await addBytes(`${name}.sig`, signature, bringing)
    const words = [
      megabytes(added.size),
      added.result,
      ...(signed === undefined ? [] : [`signed by ${signed}`]),
    ]
    stage.done(words.join(', '))
    return { ...added, ...(signed === undefined ? {} : { signedBy: signed }) }
  } finally {
    if (isFetched) await rm(file, { force: true })
  }
}

/** Downloads a URL to where it waits to be taken; a download that broke off goes on. */
async function fetched(url: string, { place, stage, signal }: Bringing): Promise<string> {
  const file = join(place.downloads(), hash('sha256', url))
  const onProgress = progressOf(stage)
  await download(url, file, { signal, onProgress })
  return file
}

/** Reports a download's progress to a stage: often to a terminal, seldom to a log. */
function progressOf(stage: Stage): (here: number, total: number | undefined, waiting?: string) => void {
  const everyMs = process.stderr.isTTY ? 500 : 10_000
  const began = performance.now()
  let last = began
  let first: number | undefined
  return (here, total, waiting) => {
    const now = performance.now()
    first ??= here
    if (waiting !== undefined) return stage.waiting(`${waiting} (${megabytes(here)} are here)`)
    if (now - last < everyMs) return
    last = now
    const rate = megabytes((here - first) / ((now - began) / 1000))
    stage.waiting(`${megabytes(here)}${total === undefined ? '' : ` of ${megabytes(total)}`}, ${rate}/s`)
  }
}

function localFile(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isFile()) return path
  throw new Failure('BAD_INPUT', `${path} is not a file`, 'name a file, or a URL that begins with http')
}

/** The bytes of a source's signature; undefined where it has none. */
async function signatureOf(source: AssetSource, { keys, signal }: Bringing): Promise<Uint8Array | undefined> {
  const { signature, name } = source
  if (signature === undefined) {
    if (keys.length === 0) return undefined
    const remedy = 'give --signature, or in a list  sig=URL'
    throw new Failure('BAD_INPUT', `there is a key, and no signature of "${name}"`, remedy)
  }
  if (!isUrl(signature)) return readFile(localFile(signature))
  const bytes = await readSmall(signature, signal)
  if (bytes === undefined && keys.length > 0) {
    const remedy = 'nothing was kept; leave --key out to check digests only'
    throw new Failure('SIGNATURE_MISSING', `${signature} is not there`, remedy)
  }
  return bytes
}

async function verified(file: string, signature: Uint8Array, { keys, stage }: Bringing): Promise<string> {
  stage.waiting('checking its signature')
  const { users, keyId } = await verifyDetached(file, signature, keys)
  return `${users[0] ?? 'a key without a name'} (${keyId.toUpperCase()})`
}

async function addBytes(name: string, bytes: Uint8Array, { place }: Bringing): Promise<void> {
  const path = join(place.downloads(), hash('sha256', name))
  await writeFile(path, bytes)
  await place.add(name, path, {}, true)
  await rm(path, { force: true })
}

/** Seconds for a text or a signature. */
const SMALL_SECONDS = 30

/**
 * Reads something small over HTTP; undefined when it is not there.
 *
 * @throws {Failure} DOWNLOAD_FAILED when it cannot be found out
 */
export async function readSmall(url: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(SMALL_SECONDS * 1000)])
  try {
    const response = await fetch(url, { signal: limit })
    if (response.ok) return new Uint8Array(await response.arrayBuffer())
    await response.body?.cancel()
    if (response.status === 404 || response.status === 403) return undefined // S3 says 403 where one may not list
    throw new Error(`it was answered ${response.status} ${response.statusText}`)
  } catch (cause) {
    signal.throwIfAborted()
    const remedy = 'is the network there, or a proxy needed? a mirror is given with --base-url'
    throw new Failure('DOWNLOAD_FAILED', `${url} could not be read`, remedy, { cause })
  }
}

/** A size for people. */
function megabytes(bytes: number): string {
  return bytes < 100_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}
