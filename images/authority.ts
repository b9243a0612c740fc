// A live image that trusts one provisioner: the certificates of its authority, and the digest of the root image that
// belongs to it, in an archive behind the initrd. The root image itself stays the same for all sites: the initrd checks
// it by that digest, and hands the authority to it in /run/pilotlight/ca.crt.

import { X509Certificate } from 'node:crypto'
import { copyFile, link, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Recipe } from '#host/cache.ts'
import { PilotlightError } from '#model/error.ts'
import { reasonOf } from '#model/reason.ts'
import { cpioArchive, cpioPadding } from './cpio.ts'
import { INITRD_DRIVERS, initrdRecipe } from './initrd.ts'

/** A file that cannot be the authority of a live image. */
export class UnfitAuthority extends PilotlightError {
  readonly code = 'UNFIT_AUTHORITY'
  constructor(file: string, reason: string, options?: ErrorOptions) {
    super(
      `${file} ${reason}. Give the provisioner's certificate authority: ca.crt in its state directory.`,
      options,
    )
  }
}

/**
 * The certificates in `file`, in PEM, and nothing else of it. More than one is fine: the boot listener's authority may
 * be another one than the agents'.
 *
 * @throws {UnfitAuthority} when it cannot be read, holds no certificate or one that is not an authority's, or holds a
 * private key, which has no place in an image
 */
export async function readAuthority(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new UnfitAuthority(file, `cannot be read (${reasonOf(cause)})`, { cause })
  })
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) throw new UnfitAuthority(file, 'holds a private key')
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new UnfitAuthority(file, 'holds no certificate')
  return blocks.map(block => `${certificateIn(file, block).toString().trim()}\n`).join('')
}

function certificateIn(file: string, pem: string): X509Certificate {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(pem)
  } catch (cause) {
    throw new UnfitAuthority(file, 'holds a certificate that cannot be read', { cause })
  }
  if (certificate.ca) return certificate
  const name = certificate.subject.replaceAll('\n', ', ')
  throw new UnfitAuthority(file, `holds a certificate that is not an authority's (${name})`)
}

/**
 * `vmlinuz`, initrds and microcode of a live system that trusts the authority `ca` (as {@link readAuthority} gives it) and
 * starts no other root image than the one `rootfs` makes.
 */
export function trustingInitrdRecipe(ca: string, rootfs: Recipe): Recipe {
  return {
    name: 'live-initrd-trusting',
    title: 'live system: initrd that trusts one provisioner',
    inputs: { method: 2, ca },
    needs: [initrdRecipe, rootfs],
    async build(work) {
      const from = work.needs[initrdRecipe.name]! // both are in `needs`
      const digest = await readFile(join(work.needs[rootfs.name]!, 'rootfs.sha256'), 'utf8')
      const added = authorityArchive(ca, digest.trim())
      for (const name of Object.keys(INITRD_DRIVERS)) {
        const initrd = await readFile(join(from, name))
        const whole = Buffer.concat([initrd, cpioPadding(initrd.length), added])
        await writeFile(join(work.directory, name), whole)
      }
      for (const name of ['vmlinuz', 'microcode.img']) {
        const same = join(work.directory, name)
        await link(join(from, name), same).catch(() => copyFile(join(from, name), same))
      }
    },
  }
}

/**
 * What a boot medium has behind its initrd: the digest of the one root image that belongs to its kernel, and perhaps the authority.
 */
export function mediumArchive(rootfsSha256: string, ca?: string): Uint8Array {
  if (ca !== undefined) return authorityArchive(ca, rootfsSha256)
  return cpioArchive([
    ...['etc/', 'etc/pilotlight/'].map(path => ({ path, mode: 0o755 })),
    { path: 'etc/pilotlight/rootfs.sha256', mode: 0o644, content: rootfsSha256 },
  ])
}

/**
 * What is put behind the initrd. The authority also takes the place of Debian's list of authorities there, which
 * Ignition and curl read: by HTTPS they fetch from this provisioner alone.
 */
export function authorityArchive(ca: string, rootfsSha256: string): Uint8Array {
  const folders = ['etc/', 'etc/pilotlight/', 'etc/ssl/', 'etc/ssl/certs/']
  return cpioArchive([
    ...folders.map(path => ({ path, mode: 0o755 })),
    { path: 'etc/pilotlight/ca.crt', mode: 0o644, content: ca },
    { path: 'etc/pilotlight/rootfs.sha256', mode: 0o644, content: rootfsSha256 },
    { path: 'etc/ssl/certs/ca-certificates.crt', mode: 0o644, content: ca },
  ])
}
