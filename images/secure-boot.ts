// Secure Boot by an operator's own key: signs the programs that firmware starts where a server hands them out, and makes the
// files by which firmware takes the key in. UEFI 2.10, chapter 32; the signatures are sbsign's.

import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

import { cacheDirectory } from '#host/artefacts.ts'
import { findArtefact, obtain } from '#host/cache.ts'
import { CommandFailed } from '#host/command.ts'
import { ensurePrerequisites } from '#host/prerequisites.ts'
import { PilotlightError } from '#model/error.ts'
import { reasonOf } from '#model/reason.ts'
import type { Slot } from '#model/slot.ts'
import { inStage, type Stage } from '#progress/stage.ts'

import { inLoaderTools, loaderToolsRecipe } from './loader-tools.ts'
import { imagePrerequisites } from './prerequisites.ts'
import { readSlot, writeSlot } from './slot.ts'

/** A key, a certificate or a program that Secure Boot cannot use. */
export class UnfitSigningKey extends PilotlightError {
  readonly code = 'UNFIT_SIGNING_KEY'
  constructor(file: string, reason: string, remedy: string, options?: ErrorOptions) {
    super(`${file} ${reason}. ${remedy}`, options)
  }
}

/** Programs in `live/` of the assets that firmware starts from a disk: each checks, or contains, all that it starts. */
const PROGRAMS = ['pilotlight.efi', 'systemd-bootx64.efi']

/** The kernel of a network boot: it takes any initrd and any command line, also from a disk, where systemd-boot or firmware starts it. */
const NETWORK_KERNEL = 'vmlinuz'

/** Variables of firmware, in the order in which systemd-boot enrols them; with the last one Secure Boot is on. */
const VARIABLES = ['db', 'KEK', 'PK']

/** The owner of the signatures in these variables; firmware shows it and does nothing with it. */
const OWNER = '0c5e1f2a-6b7d-4e8f-9a10-b2c3d4e5f607'

/** What systemd-boot reads when it is to take the keys in by itself, on a machine whose firmware is in setup mode. */
const ENROL = 'secure-boot-enroll force\n'

/** How an operator signs. */
export type Signing = {
  /** A server's assets directory, after `images build --assets-path` filled it. */
  readonly assets: string
  /** The private key: PEM, RSA, without a passphrase. */
  readonly key: string
  /** Its certificate, in PEM. */
  readonly certificate: string
  /** Certificates of others that firmware shall trust beside it, in PEM. */
  readonly trust: readonly string[]
  /** Has a machine whose firmware is in setup mode take the keys in when it first boots from its disk. */
  readonly enrol: boolean
  /** Signs the kernel of network boots as well; who can write to a disk then gets past Secure Boot by it. */
  readonly networkBoot?: boolean
  /** Further programs for UEFI that are signed where they are, for example iPXE's `snponly.efi`. */
  readonly programs: readonly string[]
  readonly stage: Stage
  readonly signal?: AbortSignal
  readonly cache?: string
}

/**
 * Signs the programs of a live system in the assets, and lists them in `slot.json` as they are then; `live/keys` gets the
 * variables for firmware (`db.auth`, `KEK.auth`, `PK.auth`) and the certificate as firmware's setup reads it (`db.cer`). What
 * the key has signed already stays as it is. Files that are links into the cache are replaced, never written to.
 *
 * @returns the paths of what was signed now
 * @throws {UnfitSigningKey} when key and certificate do not fit, or a program is not one for UEFI
 * @throws {PrerequisitesMissing}
 * @throws {BuildFailed} when the root with the tools cannot be made
 */
export async function signAssets(signing: Signing): Promise<string[]> {
  const { assets, stage, signal, cache = cacheDirectory() } = signing
  await checkPair(signing.key, signing.certificate)
  const live = join(resolve(assets), 'live')
  const slot = await readSlot(live)
  // What building needs, 20 GB among it, is only needed where the tools have to be built.
  if ((await findArtefact(loaderToolsRecipe, cache)) === undefined)
    await ensurePrerequisites(stage, imagePrerequisites, signal)
  const tools = await obtain(loaderToolsRecipe, { cache, stage, ...(signal ? { signal } : {}) })
  return inStage(stage, 'signatures', inner =>
    signIn(live, slot, tools.path, { ...signing, cache, stage: inner }),
  )
}

async function signIn(
  live: string,
  slot: Slot,
  tools: string,
  signing: Signing & { cache: string },
): Promise<string[]> {
  const { stage, signal } = signing
  const directory = await mkdtemp(join(live, '.signing-'))
  const needs = { [loaderToolsRecipe.name]: tools }
  const log = join(signing.cache, 'logs', 'images-sign.log')
  const bench = { directory, needs, stage, log, ...(signal ? { signal } : {}) }
  const runTool = (inputs: Readonly<Record<string, string>>, command: readonly string[]) =>
    inLoaderTools(
      bench,
      { key: resolve(signing.key), cert: resolve(signing.certificate), ...inputs },
      command,
    )
  try {
    const signed = []
    for (const path of [
      ...[...PROGRAMS, ...(signing.networkBoot ? [NETWORK_KERNEL] : [])].map(name => join(live, name)),
      ...signing.programs.map(it => resolve(it)),
    ]) {
      stage.waiting(`signing ${path}`)
      if (await signProgram(path, directory, runTool)) signed.push(path)
    }
    stage.waiting('the keys for firmware')
    await makeVariables(signing, directory, runTool)
    await mkdir(join(live, 'keys'), { recursive: true })
    const names = [...VARIABLES.map(name => `${name}.auth`), 'db.cer']
    for (const name of names) await rename(join(directory, name), join(live, 'keys', name))
    await setEnrolment(live, directory, signing.enrol)
    const enrolled = signing.enrol ? VARIABLES.map(name => `keys/${name}.auth`) : []
    await writeSlot(live, slot, enrolled)
    return signed
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

type RunTool = (inputs: Readonly<Record<string, string>>, command: readonly string[]) => Promise<void>

/**
 * Checks that the certificate is the key's, and that firmware can use both.
 *
 * @throws {UnfitSigningKey}
 */
export async function checkPair(keyFile: string, certificateFile: string): Promise<void> {
  const make =
    'To make a pair: openssl req -new -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=my rack" -keyout db.key -out db.crt'
  const text = async (file: string) =>
    readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      throw new UnfitSigningKey(file, `cannot be read (${reasonOf(cause)})`, make, { cause })
    })
  const [pem, certificatePem] = [await text(keyFile), await text(certificateFile)]
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch (cause) {
    const locked = /ENCRYPTED/.test(pem)
    const reason = locked ? 'has a passphrase' : 'is not a private key in PEM'
    const remedy = locked
      ? `Write it without one, to a file that only root reads: openssl pkey -in ${keyFile} -out KEY`
      : make
    throw new UnfitSigningKey(keyFile, reason, remedy, { cause })
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (key.asymmetricKeyType !== 'rsa' || bits < 2048) {
    const kind =
      key.asymmetricKeyType === 'rsa' ? `RSA with ${bits} bits` : `of type ${key.asymmetricKeyType}`
    throw new UnfitSigningKey(keyFile, `is ${kind}; firmware takes RSA from 2048 bits`, make)
  }
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(certificatePem)
  } catch (cause) {
    throw new UnfitSigningKey(certificateFile, 'is not a certificate in PEM', make, { cause })
  }
  if (!certificate.checkPrivateKey(key)) {
    throw new UnfitSigningKey(
      certificateFile,
      `is not the certificate of ${keyFile}`,
      'Name the two of one pair.',
    )
  }
}

/** Signs a program where it is, unless the key has signed it already; says whether it did. */
async function signProgram(path: string, directory: string, runTool: RunTool): Promise<boolean> {
  const start = await readFile(path).then(
    bytes => bytes.subarray(0, 2).toString('latin1'),
    (cause: NodeJS.ErrnoException) => {
      throw new UnfitSigningKey(path, `cannot be read (${reasonOf(cause)})`, 'Name a program for UEFI.', {
        cause,
      })
    },
  )
  if (start !== 'MZ')
    throw new UnfitSigningKey(path, 'is not a program for UEFI', 'Name one that ends in .efi.')
  try {
    await runTool({ program: path }, ['sbverify', '--cert', '/in/cert', '/in/program'])
    return false
  } catch (error) {
    // Without a signature, and with that of another key.
    if (!(error instanceof CommandFailed) || !/^Signature verification failed/m.test(error.stdout))
      throw error
  }
  const sign = ['sbsign', '--key', '/in/key', '--cert', '/in/cert', '--output', '/out/signed', '/in/program']
  await runTool({ program: path }, sign)
  await runTool({}, ['sbverify', '--cert', '/in/cert', '/out/signed'])
  await chmod(join(directory, 'signed'), 0o644)
  // Beside the file first: the directory of the work may be on another file system.
  const fresh = join(dirname(path), `.${basename(path)}.signed`)
  await copyFile(join(directory, 'signed'), fresh)
  await rename(fresh, path)
  return true
}

/** Makes `db.auth`, `KEK.auth`, `PK.auth` and `db.cer` in `directory`. */
async function makeVariables(signing: Signing, directory: string, runTool: RunTool): Promise<void> {
  const list = async (name: string, path: string) => {
    await runTool({ listed: resolve(path) }, [
      'cert-to-efi-sig-list',
      '-g',
      OWNER,
      '/in/listed',
      `/out/${name}`,
    ])
    return readFile(join(directory, name))
  }
  const own = await list('own.esl', signing.certificate)
  const others = []
  for (const path of signing.trust) others.push(await list('other.esl', path))
  for (const name of VARIABLES) {
    await writeFile(join(directory, `${name}.esl`), name === 'db' ? Buffer.concat([own, ...others]) : own)
    const by = ['-g', OWNER, '-k', '/in/key', '-c', '/in/cert']
    await runTool({}, ['sign-efi-sig-list', ...by, name, `/out/${name}.esl`, `/out/${name}.auth`])
    await chmod(join(directory, `${name}.auth`), 0o644)
  }
  const certificate = new X509Certificate(await readFile(signing.certificate))
  await writeFile(join(directory, 'db.cer'), certificate.raw)
}

/** Has `live/loader.conf` say, or not say, that systemd-boot takes the keys in. */
async function setEnrolment(live: string, directory: string, enrol: boolean): Promise<void> {
  const path = join(live, 'loader.conf')
  const text = (await readFile(path, 'utf8')).replace(ENROL, '')
  await writeFile(join(directory, 'loader.conf'), enrol ? text + ENROL : text)
  await rename(join(directory, 'loader.conf'), path)
}
