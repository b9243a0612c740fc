// Where the makers of operating systems keep what machines boot from, as far as Matchbox's scripts fetch it. What has to
// be read to know that is read by the caller.

import { PilotlightError } from '#model/error.ts'

/** The operating systems that are known. */
export const DISTRIBUTIONS = ['flatcar', 'fedora-coreos'] as const
export type Distribution = (typeof DISTRIBUTIONS)[number]

/** Which release is wanted. */
export type ReleaseWish = {
  /** Flatcar's channel (stable, beta, alpha, lts), or the stream of Fedora CoreOS (stable, testing, next). */
  readonly channel: string
  /** Undefined or `current` is the newest. */
  readonly version: string | undefined
  /** As the distribution spells it: amd64, arm64; x86_64, aarch64. Undefined is the PC's. */
  readonly arch?: string | undefined
  /** Where a mirror is; the maker's own place otherwise. */
  readonly baseUrl?: string | undefined
  /** Also what an installer writes to disks. */
  readonly withInstallImage?: boolean
}

/** One file of a release. */
export type UpstreamFile = {
  readonly url: string
  /** Where Matchbox's scripts put it, below the assets directory. */
  readonly name: string
  readonly signatureUrl: string
  /** In hexadecimal, where the publisher gives it. */
  readonly sha256?: string
  readonly sha512?: string
}

/** A release with its files. */
export type Release = { readonly version: string; readonly files: readonly UpstreamFile[] }

/** Reads a small text; undefined when it is not there. */
export type ReadText = (url: string) => Promise<string | undefined>

/** A release that is not there, or whose description says nothing usable. */
export class UnknownRelease extends PilotlightError {
  readonly code = 'UNKNOWN_RELEASE'
}

/**
 * Finds a release and what belongs to it.
 *
 * @throws {UnknownRelease}, or what `read` throws
 */
export function findRelease(of: Distribution, wish: ReleaseWish, read: ReadText): Promise<Release> {
  for (const [what, text] of Object.entries({
    channel: wish.channel,
    version: wish.version,
    arch: wish.arch,
  })) {
    if (text !== undefined && !/^[\w][\w.+-]*$/.test(text)) {
      throw new UnknownRelease(
        `${what} is ${JSON.stringify(text)}; it takes letters, digits, dots and dashes.`,
      )
    }
  }
  return of === 'flatcar' ? flatcar(wish, read) : fedoraCoreos(wish, read)
}

/** The directory of a version holds version.txt, the files, and to each a .sig and a .DIGESTS. */
async function flatcar(wish: ReleaseWish, read: ReadText): Promise<Release> {
  const { channel, version: wanted = 'current', arch = 'amd64', withInstallImage = false } = wish
  const base = withoutSlash(wish.baseUrl ?? `https://${channel}.release.flatcar-linux.net`)
  const text = await read(`${base}/${arch}-usr/${wanted}/version.txt`)
  const [, version] = /^FLATCAR_VERSION=([\w.+-]+)\r?$/m.exec(text ?? '') ?? []
  if (version === undefined) {
    throw new UnknownRelease(
      `Flatcar ${channel} has no version ${wanted} for ${arch} at ${base}. 'current' is the newest.`,
    )
  }
  const names = [
    'flatcar_production_pxe.vmlinuz',
    'flatcar_production_pxe_image.cpio.gz',
    ...(withInstallImage ? ['flatcar_production_image.bin.bz2'] : []),
  ]
  const folder = `${base}/${arch}-usr/${version}`
  const files = names.map(async name => {
    const sha512 = sha512In((await read(`${folder}/${name}.DIGESTS`)) ?? '', name)
    return {
      url: `${folder}/${name}`,
      name: `flatcar/${version}/${name}`,
      signatureUrl: `${folder}/${name}.sig`,
      ...(sha512 === undefined ? {} : { sha512 }),
    }
  })
  return { version, files: await Promise.all(files) }
}

/** The SHA-512 in a file of digests, in which lines of several algorithms follow one another. */
function sha512In(digests: string, name: string): string | undefined {
  for (const line of digests.split(/\r?\n/)) {
    const [, digest, of] = /^([0-9a-f]{128})\s+\*?(?:\.\/)?(\S+)$/i.exec(line) ?? []
    if (of === name) return digest?.toLowerCase()
  }
  return undefined
}

/** Where all of Fedora CoreOS is stored; the URLs in its metadata begin with it. */
const COREOS = 'https://builds.coreos.fedoraproject.org'

/**
 * A stream names its newest release in streams/STREAM.json, a release itself in the release.json of its build; both name
 * every file with its digest and signature.
 */
async function fedoraCoreos(wish: ReleaseWish, read: ReadText): Promise<Release> {
  const { channel, version: wanted, arch = 'x86_64', withInstallImage = false } = wish
  const base = withoutSlash(wish.baseUrl ?? COREOS)
  const isNewest = wanted === undefined || wanted === 'current'
  const place = isNewest
    ? `${base}/streams/${channel}.json`
    : `${base}/prod/streams/${channel}/builds/${wanted}/release.json`
  const text = await read(place)
  if (text === undefined) {
    throw new UnknownRelease(
      `Fedora CoreOS has no ${isNewest ? `stream ${channel}` : `${wanted} in ${channel}`}: ${place} is not there.`,
    )
  }
  const metadata = jsonOf(text, place)
  const platform = at(metadata, ['architectures', arch, isNewest ? 'artifacts' : 'media', 'metal'], place)
  const formats = at(platform, [isNewest ? 'formats' : 'artifacts'], place)
  const version = isNewest ? textAt(platform, 'release', place) : wanted
  const artefacts: [string, unknown][] = ['kernel', 'initramfs', 'rootfs'].map(part => [
    part,
    at(formats, ['pxe', part], place),
  ])
  if (withInstallImage) artefacts.push(['disk', at(formats, ['raw.xz', 'disk'], place)])
  const files = artefacts.map(([part, artefact]) => {
    const url = textAt(artefact, 'location', place)
    // Upstream writes live-kernel.ARCH since Fedora 42, and profiles have the name that it had before.
    const name = part === 'kernel' ? `fedora-coreos-${version}-live-kernel-${arch}` : url.split('/').at(-1)
    return {
      url: atMirror(url, base),
      name: `fedora-coreos/${name}`,
      signatureUrl: atMirror(textAt(artefact, 'signature', place), base),
      sha256: textAt(artefact, 'sha256', place).toLowerCase(),
    }
  })
  return { version, files }
}

function atMirror(url: string, base: string): string {
  return url.startsWith(`${COREOS}/`) ? base + url.slice(COREOS.length) : url
}

function jsonOf(text: string, place: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new UnknownRelease(`${place} is not JSON: is that a mirror of Fedora CoreOS?`, { cause })
  }
}

function at(value: unknown, path: readonly string[], place: string): unknown {
  let found = value
  for (const key of path) {
    found = typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[key] : undefined
    if (found === undefined) {
      throw new UnknownRelease(
        `${place} has no ${path.join('.')} (nothing at "${key}"): another architecture?`,
      )
    }
  }
  return found
}

function textAt(value: unknown, key: string, place: string): string {
  const text = at(value, [key], place)
  if (typeof text === 'string') return text
  throw new UnknownRelease(`${place}: "${key}" is not a text.`)
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '')
}
