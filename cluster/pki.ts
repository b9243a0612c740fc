// The keys and certificates of a cluster, kept in a directory that only its owner reads. Made once, read back
// ever after; every change is told.

import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Site } from '#site/site.ts'
import { authorities, certificatesOf, type Authority, type LeafRequest } from './certificates.ts'
import { PkiDamaged } from './errors.ts'
import { makeAuthority, makeLeaf, makeSigningPair, type KeyPair } from './x509.ts'

/** All keys and certificates of one cluster, PEM. */
export type Pki = {
  readonly authorities: Readonly<Record<Authority, KeyPair>>
  /** By the name of their request, see `certificatesOf`. */
  readonly leaves: ReadonlyMap<string, KeyPair>
  /** Signs and checks service account tokens. */
  readonly serviceAccount: { readonly publicKey: string; readonly privateKey: string }
  /** 32 bytes in base64: encrypts Secrets in etcd. */
  readonly encryptionKey: string
  /** What this call made or renewed, in words; empty when all was there. */
  readonly changes: readonly string[]
}

const day = 24 * 60 * 60 * 1000
const authorityLifetime = 3652 * day
const leafLifetime = 365 * day
const clockSkew = 60 * 60 * 1000 // machines start with clocks that nobody has set yet

/**
 * Gives the cluster's PKI, kept as PEM files of mode 0600 in `directory`. What is missing is made, so a machine
 * that the site gained gets its certificates while all others stay; a leaf is renewed when less than a third of
 * its life is left or when the site changed what it must name. Authorities and the service account pair never
 * change. `now` is in milliseconds since 1970.
 *
 * @throws {PkiDamaged} when an authority is half there, or a file does not fit the others
 */
export async function ensurePki(site: Site, directory: string, now = Date.now()): Promise<Pki> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await chmod(directory, 0o700)
  const changes: string[] = []
  const kept = new Store(directory)
  // The Kubernetes CA is written last of the roots: without it, what lies there is an attempt that was cut short.
  const fresh = (await kept.read('ca.crt')) === undefined && (await kept.read('apiserver.crt')) === undefined
  const serviceAccount = await keptSigningPair(kept, fresh, changes)
  const encryptionKey = await keptEncryptionKey(kept, fresh, changes)
  const signers: Record<Authority, KeyPair> = {
    'front-proxy-ca': await keptAuthority(kept, 'front-proxy-ca', fresh, now, changes),
    'etcd-ca': await keptAuthority(kept, 'etcd-ca', fresh, now, changes),
    ca: await keptAuthority(kept, 'ca', fresh, now, changes),
  }
  const leaves = new Map<string, KeyPair>()
  for (const request of certificatesOf(site)) {
    leaves.set(request.name, await keptLeaf(kept, request, signers[request.authority], now, changes))
  }
  return { authorities: signers, leaves, serviceAccount, encryptionKey, changes }
}

/**
 * The pair of one leaf.
 *
 * @throws {PkiDamaged} when the PKI was made for a site that does not need it
 */
export function leafOf(pki: Pki, name: string): KeyPair {
  const pair = pki.leaves.get(name)
  if (pair === undefined)
    throw new PkiDamaged(
      `The PKI has no certificate ${name}: it is another site's. Give this site's own --state.`,
    )
  return pair
}

/**
 * Says why `certificate` can no longer serve `request`, or nothing when it can. `now` is in milliseconds since
 * 1970.
 */
function whyReplace(request: LeafRequest, certificate: X509Certificate, now: number): string | undefined {
  const wanted = [
    ...request.dns.map(name => `DNS:${name}`),
    ...request.addresses.map(address => `IP Address:${address}`),
  ]
  const named = certificate.subjectAltName?.split(', ') ?? []
  const missing = wanted.filter(name => !named.includes(name))
  const surplus = named.filter(name => !wanted.includes(name))
  if (missing.length > 0) return `must also name ${missing.join(', ')}`
  if (surplus.length > 0) return `must no longer name ${surplus.join(', ')}`
  const end = certificate.validToDate.getTime()
  const life = end - certificate.validFromDate.getTime()
  if (end <= now) return `expired on ${certificate.validToDate.toISOString()}`
  if (end - now < life / 3)
    return `less than a third of its life is left (${Math.round((end - now) / day)} days)`
  return undefined
}

async function keptAuthority(
  kept: Store,
  authority: Authority,
  fresh: boolean,
  now: number,
  changes: string[],
): Promise<KeyPair> {
  const certificate = await kept.read(`${authority}.crt`)
  const key = await kept.read(`${authority}.key`)
  if (!fresh && certificate !== undefined && key !== undefined) {
    const parsed = kept.parse(`${authority}.crt`, certificate)
    if (!parsed.ca || !parsed.checkPrivateKey(createPrivateKey(key))) {
      throw new PkiDamaged(kept.damage(`${authority}.crt and ${authority}.key do not belong together`))
    }
    return { certificate, key }
  }
  // A new authority beside old certificates would cut off every machine that trusts the old one.
  if (!fresh) {
    const missing = `${authority}.${certificate === undefined ? 'crt' : 'key'}`
    throw new PkiDamaged(kept.damage(`${missing} is missing, others are there`))
  }
  const validity = { notBefore: now - clockSkew, notAfter: now + authorityLifetime }
  const made = await makeAuthority({ commonName: authorities[authority] }, validity)
  await kept.writePair(authority, made)
  changes.push(`${authority}: made, good for 10 years`)
  return made
}

async function keptLeaf(
  kept: Store,
  request: LeafRequest,
  signer: KeyPair,
  now: number,
  changes: string[],
): Promise<KeyPair> {
  const certificate = await kept.read(`${request.name}.crt`)
  const key = await kept.read(`${request.name}.key`)
  let why = 'new'
  if (certificate !== undefined && key !== undefined) {
    const parsed = kept.parse(`${request.name}.crt`, certificate)
    const issuer = new X509Certificate(signer.certificate)
    if (!parsed.checkIssued(issuer) || !parsed.verify(issuer.publicKey)) {
      throw new PkiDamaged(kept.damage(`${request.name}.crt was not signed by ${request.authority}.crt`))
    }
    const replace = parsed.checkPrivateKey(createPrivateKey(key))
      ? whyReplace(request, parsed, now)
      : 'its key file is another one' // a renewal that was cut short between its two files
    if (replace === undefined) return { certificate, key }
    why = replace
  }
  const validity = { notBefore: now - clockSkew, notAfter: now + leafLifetime }
  const made = await makeLeaf(request, validity, signer)
  await kept.writePair(request.name, made)
  changes.push(`${request.name}: ${why}`)
  return made
}

async function keptSigningPair(
  kept: Store,
  fresh: boolean,
  changes: string[],
): Promise<Pki['serviceAccount']> {
  const privateKey = await kept.read('sa.key')
  const publicKey = await kept.read('sa.pub')
  if (!fresh && privateKey !== undefined && publicKey !== undefined) return { privateKey, publicKey }
  if (!fresh) throw new PkiDamaged(kept.damage('sa.key or sa.pub is missing, others are there'))
  const made = makeSigningPair()
  await kept.write('sa.key', made.privateKey)
  await kept.write('sa.pub', made.publicKey)
  changes.push('sa: made')
  return made
}

async function keptEncryptionKey(kept: Store, fresh: boolean, changes: string[]): Promise<string> {
  const there = await kept.read('encryption.key')
  if (!fresh && there !== undefined) return there.trim()
  if (!fresh) throw new PkiDamaged(kept.damage('encryption.key is missing, others are there'))
  const made = randomBytes(32).toString('base64')
  await kept.write('encryption.key', `${made}\n`)
  changes.push('encryption: made')
  return made
}

class Store {
  readonly #directory: string
  constructor(directory: string) {
    this.#directory = directory
  }

  async read(name: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.#directory, name), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Appears whole or not at all. */
  async write(name: string, content: string): Promise<void> {
    const path = join(this.#directory, name)
    await writeFile(`${path}.new`, content, { mode: 0o600, flush: true })
    await rename(`${path}.new`, path)
  }

  async writePair(name: string, pair: KeyPair): Promise<void> {
    await this.write(`${name}.key`, pair.key)
    await this.write(`${name}.crt`, pair.certificate)
  }

  parse(name: string, certificate: string): X509Certificate {
    try {
      return new X509Certificate(certificate)
    } catch (cause) {
      throw new PkiDamaged(this.damage(`${name} is no certificate`), { cause })
    }
  }

  damage(what: string): string {
    return (
      `The PKI in ${this.#directory} is damaged: ${what}. Nothing was changed. Restore the file from a backup; ` +
      `or, to give up the cluster that uses it, remove the directory and build the cluster anew.`
    )
  }
}
