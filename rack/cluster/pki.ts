// The authorities and secrets of a cluster, kept in a directory that only its owner reads, with every private key sealed.
// Made once, read back from then on; every change is reported. Machines make their own keys: theirs are never here.

import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { chmod, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesIfThere, textIfThere } from '#host/read-if-there.ts'
import { replaceFile } from '#host/replace-file.ts'
import { seal, unseal, type SealKey } from '#host/seal.ts'
import { makeAuthority, makeLeaf, makeSigningPair, type KeyPair } from '#host/x509.ts'
import { administratorLeaves, authorities, type Administrator, type Authority } from './certificates.ts'
import { PkiDamaged } from './errors.ts'

/** What signs and encrypts for one cluster, PEM. */
export type Pki = {
  readonly authorities: Readonly<Record<Authority, KeyPair>>
  /** Signs and checks service account tokens. */
  readonly serviceAccount: { readonly publicKey: string; readonly privateKey: string }
  /** 32 bytes in base64: encrypts Secrets in etcd. */
  readonly encryptionKey: string
  /** The administrator of this run: issued now, valid for `administratorHours`, kept nowhere here. */
  readonly admin: KeyPair
  /** What this call made or renewed, as texts; empty when all was there. */
  readonly changes: readonly string[]
}

/** Hours that the certificate of an administrator is valid. */
export const administratorHours = 8

const hour = 60 * 60 * 1000
const day = 24 * hour
const authorityLifetime = 3652 * day
/** Authorities are valid from here on: a clock that was ahead when it was made does no harm. */
const longAgo = Date.UTC(2020, 0)

/** The file that is written last, when all others are there. */
const completeName = 'complete'

/**
 * Gives the cluster's PKI, kept in `directory`: certificates as PEM files, everything secret sealed with `key`. What is
 * missing in a new directory is made; nothing of it ever changes. A directory of an earlier version, whose keys are in
 * clear, is sealed, and its clear files are removed. `now` is in milliseconds since 1970.
 *
 * @throws {PkiDamaged} when an authority is half there, or a file does not fit the others
 * @throws {SealError} when `key` is not the one that sealed the directory
 */
export async function ensurePki(directory: string, key: SealKey, now = Date.now()): Promise<Pki> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await chmod(directory, 0o700)
  const changes: string[] = []
  const kept = new Store(directory, key)
  const fresh = await kept.isFresh()
  const serviceAccount = await keptSigningPair(kept, fresh, changes)
  const encryptionKey = await keptEncryptionKey(kept, fresh, changes)
  const signers: Record<Authority, KeyPair> = {
    'front-proxy-ca': await keptAuthority(kept, 'front-proxy-ca', fresh, changes, now),
    'etcd-ca': await keptAuthority(kept, 'etcd-ca', fresh, changes, now),
    ca: await keptAuthority(kept, 'ca', fresh, changes, now),
  }
  kept.write(completeName, 'Every file of this PKI is here.\n')
  await kept.removeClear(changes)
  const admin = await mintAdministrator(signers.ca, 'admin', now)
  return { authorities: signers, serviceAccount, encryptionKey, admin, changes }
}

/** The fingerprint of the cluster's `ca` in a PKI directory: `SHA256:` and 64 hexadecimal digits; undefined while there is none. */
export async function fingerprintOfPki(directory: string): Promise<string | undefined> {
  const certificate = await textIfThere(join(directory, 'ca.crt'))
  if (certificate === undefined) return undefined
  return `SHA256:${new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase()}`
}

/** Makes key and certificate of an administrator, signed by the cluster's `ca` and good for `administratorHours`. */
export function mintAdministrator(ca: KeyPair, who: Administrator, now = Date.now()): Promise<KeyPair> {
  const validity = { notBefore: now - hour, notAfter: now + administratorHours * hour }
  return makeLeaf(administratorLeaves[who], validity, ca)
}

/**
 * One authority of a PKI that is there, or nothing where there is none; nothing is made or changed.
 *
 * @throws {SealError} when the key is not the one that sealed it
 */
export async function readAuthority(
  directory: string,
  authority: Authority,
  openKey: () => Promise<SealKey>,
): Promise<KeyPair | undefined> {
  if (!(await hasSealedPki(directory))) return undefined
  const kept = new Store(directory, await openKey())
  const certificate = await kept.read(`${authority}.crt`)
  const key = await kept.readSecret(`${authority}.key`)
  return certificate === undefined || key === undefined ? undefined : { certificate, key }
}

async function keptAuthority(
  kept: Store,
  authority: Authority,
  fresh: boolean,
  changes: string[],
  now: number,
): Promise<KeyPair> {
  const certificate = await kept.read(`${authority}.crt`)
  const key = await kept.readSecret(`${authority}.key`)
  if (!fresh && certificate !== undefined && key !== undefined) {
    if (!kept.parse(`${authority}.crt`, certificate).ca || !kept.belong(authority, certificate, key))
      throw new PkiDamaged(kept.damage(`${authority}.crt and ${authority}.key do not belong together`))
    return { certificate, key }
  }
  // A new authority beside old certificates would cut off every machine that trusts the old one.
  if (!fresh) {
    const missing = `${authority}.${certificate === undefined ? 'crt' : 'key'}`
    throw new PkiDamaged(kept.damage(`${missing} is missing, others are there`))
  }
  const validity = { notBefore: longAgo, notAfter: now + authorityLifetime }
  const made = await makeAuthority({ commonName: authorities[authority] }, validity)
  kept.writePair(authority, made)
  changes.push(`${authority}: made, good for 10 years`)
  return made
}

async function keptSigningPair(
  kept: Store,
  fresh: boolean,
  changes: string[],
): Promise<Pki['serviceAccount']> {
  const privateKey = await kept.readSecret('sa.key')
  const publicKey = await kept.read('sa.pub')
  if (!fresh && privateKey !== undefined && publicKey !== undefined) return { privateKey, publicKey }
  if (!fresh) throw new PkiDamaged(kept.damage('sa.key or sa.pub is missing, others are there'))
  const made = makeSigningPair()
  kept.writeSecret('sa.key', made.privateKey)
  kept.write('sa.pub', made.publicKey)
  changes.push('sa: made')
  return made
}

async function keptEncryptionKey(kept: Store, fresh: boolean, changes: string[]): Promise<string> {
  const there = await kept.readSecret('encryption.key')
  if (!fresh && there !== undefined) return there.trim()
  if (!fresh) throw new PkiDamaged(kept.damage('encryption.key is missing, others are there'))
  const made = randomBytes(32).toString('base64')
  kept.writeSecret('encryption.key', `${made}\n`)
  changes.push('encryption: made')
  return made
}

/** Says whether a PKI directory has anything sealed: then its key must be there, and is never made again. */
export async function hasSealedPki(directory: string): Promise<boolean> {
  const names = await readdir(directory).catch(() => [])
  return names.some(name => name.endsWith(sealedEnding))
}

const sealedEnding = '.sealed'

class Store {
  readonly #directory: string
  readonly #key: SealKey
  constructor(directory: string, key: SealKey) {
    this.#directory = directory
    this.#key = key
  }

  /** Whether what is here is nothing, or an attempt that was cut short. The CA is the last but one that is written. */
  async isFresh(): Promise<boolean> {
    const signs = ['ca.crt', completeName, 'apiserver.crt'] // the last one in directories of an earlier version
    return (await Promise.all(signs.map(name => this.read(name)))).every(text => text === undefined)
  }

  async read(name: string): Promise<string | undefined> {
    return (await this.#bytes(name))?.toString()
  }

  /** A secret, whether it is sealed or still in clear, as an earlier version left it. */
  async readSecret(name: string): Promise<string | undefined> {
    const sealed = await this.#bytes(name + sealedEnding)
    if (sealed !== undefined) return unseal(this.#key, sealed, contextOf(name))
    const clear = await this.read(name)
    if (clear !== undefined && !(await this.isFresh())) this.writeSecret(name, clear)
    return clear
  }

  /** Writes a file atomically. */
  write(name: string, content: string | Uint8Array): void {
    replaceFile(join(this.#directory, name), content)
  }

  writeSecret(name: string, content: string): void {
    this.write(name + sealedEnding, seal(this.#key, content, contextOf(name)))
  }

  writePair(name: string, pair: KeyPair): void {
    this.writeSecret(`${name}.key`, pair.key)
    this.write(`${name}.crt`, pair.certificate)
  }

  /** Removes keys that are in clear: they are sealed by now, or are those of machines, which make their own. */
  async removeClear(changes: string[]): Promise<void> {
    const names = await readdir(this.#directory)
    const keys = names.filter(name => /\.key(\.new)?$/.test(name))
    if (keys.length === 0) return
    const authoritative = ['ca', 'etcd-ca', 'front-proxy-ca']
    for (const name of keys) {
      const stem = name.replace(/\.key(\.new)?$/, '')
      await rm(join(this.#directory, name))
      if (!authoritative.includes(stem)) await rm(join(this.#directory, `${stem}.crt`), { force: true })
    }
    changes.push(`private keys: ${keys.length} files in clear were sealed or removed`)
  }

  parse(name: string, certificate: string): X509Certificate {
    try {
      return new X509Certificate(certificate)
    } catch (cause) {
      throw new PkiDamaged(this.damage(`${name} is not a certificate`), { cause })
    }
  }

  /** Whether certificate and key are a pair. */
  belong(name: string, certificate: string, key: string): boolean {
    return this.parse(`${name}.crt`, certificate).checkPrivateKey(createPrivateKey(key))
  }

  damage(what: string): string {
    return (
      `The PKI in ${this.#directory} is damaged: ${what}. Nothing was changed. Restore the file from a backup; ` +
      `or, to give up the cluster that uses it, remove the directory and build the cluster again.`
    )
  }

  #bytes(name: string): Promise<Buffer | undefined> {
    return bytesIfThere(join(this.#directory, name))
  }
}

function contextOf(name: string): string {
  return `pki/${name}`
}
