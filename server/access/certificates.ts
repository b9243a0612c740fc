// The certificates of our listeners: in files that others renew, or issued by our own authority. Both are taken over
// while the server runs.

import { X509Certificate } from 'node:crypto'
import { readFileSync, watch, type FSWatcher } from 'node:fs'
import { dirname } from 'node:path'
import { createSecureContext } from 'node:tls'
import { DAY_MS } from '#model/time.ts'
import { messageOf } from '#progress/wait.ts'
import { serverIdentity } from './own-authority.ts'
import { BadSettings } from '../errors.ts'
import { isEveryAddress } from '../process/own-addresses.ts'

/** The paths of a listener's files. */
export type TlsPaths = {
  readonly certFile: string
  readonly keyFile: string
  /** Whose client certificates are taken; none are asked for without it. */
  readonly caFile?: string
  /** What the flags begin with that name the files: `web-` of the boot listener's. */
  readonly flags?: 'web-'
}

/** A certificate, its key, and whose client certificates are taken; all PEM. */
export type TlsMaterial = { readonly cert: string; readonly key: string; readonly ca?: string }

/** A certificate that changes while its listener runs. */
export interface CertificateSource {
  /** What was read last and could be used. */
  readonly material: TlsMaterial
  /** Calls `listener` on every change from now on. */
  onChange(listener: (material: TlsMaterial) => void): void
  /** Looks for a change now. */
  reload(): void
  close(): void
}

/** Milliseconds since 1970 at which a certificate ends. */
export function endOf({ cert }: TlsMaterial): number {
  return Date.parse(new X509Certificate(cert).validTo)
}

/** Milliseconds that a change has to rest: a certificate and its key are two files. */
const SETTLE_MS = 150

/** A certificate, its key and its authority, as they are on disk now. */
export class TlsFiles implements CertificateSource {
  readonly #paths: TlsPaths
  readonly #report: (problem: Error) => void
  readonly #listeners: ((material: TlsMaterial) => void)[] = []
  readonly #watchers: FSWatcher[]
  #timer: NodeJS.Timeout | undefined
  #material: TlsMaterial

  /**
   * Reads the files, and watches the directories that they are in.
   *
   * @param report is called with the reason why a change was not taken over; what was read before stays in use
   * @throws {BadSettings} when a file is missing, or certificate and key do not belong together
   */
  constructor(paths: TlsPaths, report: (problem: Error) => void) {
    this.#paths = paths
    this.#report = report
    this.#material = readMaterial(paths)
    const { certFile, keyFile, caFile } = paths
    const files = [certFile, keyFile, ...(caFile === undefined ? [] : [caFile])]
    const directories = new Set(files.map(dirname))
    this.#watchers = [...directories].map(directory => {
      const watcher = watch(directory, { persistent: false }, () => {
        clearTimeout(this.#timer)
        this.#timer = setTimeout(() => this.reload(), SETTLE_MS)
      })
      return watcher.on('error', error => report(error))
    })
  }

  get material(): TlsMaterial {
    return this.#material
  }

  onChange(listener: (material: TlsMaterial) => void): void {
    this.#listeners.push(listener)
  }

  reload(): void {
    let next: TlsMaterial
    try {
      next = readMaterial(this.#paths)
    } catch (error) {
      this.#report(
        new Error('The certificates on disk cannot be used; those from before stay', { cause: error }),
      )
      return
    }
    const { cert, key, ca } = this.#material
    if (next.cert === cert && next.key === key && next.ca === ca) return
    this.#material = next
    for (const listener of this.#listeners) listener(next)
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const watcher of this.#watchers) watcher.close()
  }
}

/** How often an issued certificate is checked; it is renewed when two thirds of its time are over. */
const CHECK_MS = DAY_MS
/** How often one that is for every address of the host is: an interface may be added. */
const ADDRESS_CHECK_MS = 60_000

/** A certificate by our own authority. */
export class IssuedCertificate implements CertificateSource {
  readonly #issue: () => Promise<TlsMaterial>
  readonly #report: (problem: Error) => void
  readonly #listeners: ((material: TlsMaterial) => void)[] = []
  readonly #timer: NodeJS.Timeout
  #material: TlsMaterial

  private constructor(
    material: TlsMaterial,
    issue: () => Promise<TlsMaterial>,
    report: (problem: Error) => void,
    everyMs: number,
  ) {
    this.#material = material
    this.#issue = issue
    this.#report = report
    this.#timer = setInterval(() => this.reload(), everyMs).unref()
  }

  /**
   * Gives the certificate of `host`, kept under `name` in the state directory, and made when it is not there or due.
   *
   * @param report is called with the reason why it could not be renewed
   */
  static async of(
    { statePath, host, name }: { readonly statePath: string; readonly host: string; readonly name: string },
    report: (problem: Error) => void,
  ): Promise<IssuedCertificate> {
    const issue = async () => {
      const { certificate, key } = await serverIdentity(statePath, host, Date.now(), name, text =>
        report(new Error(text)),
      )
      return { cert: certificate, key }
    }
    const everyMs = isEveryAddress(host) ? ADDRESS_CHECK_MS : CHECK_MS
    return new IssuedCertificate(await issue(), issue, report, everyMs)
  }

  get material(): TlsMaterial {
    return this.#material
  }

  onChange(listener: (material: TlsMaterial) => void): void {
    this.#listeners.push(listener)
  }

  reload(): void {
    this.#issue().then(
      next => {
        if (next.cert === this.#material.cert) return
        this.#material = next
        for (const listener of this.#listeners) listener(next)
      },
      (error: unknown) => this.#report(new Error('Our own certificate cannot be renewed', { cause: error })),
    )
  }

  close(): void {
    clearInterval(this.#timer)
  }
}

function readMaterial({ certFile, keyFile, caFile, flags }: TlsPaths): TlsMaterial {
  const prefix = flags ?? ''
  const material = {
    cert: textOf('TLS server certificate', `${prefix}cert-file`, certFile),
    key: textOf('TLS server key', `${prefix}key-file`, keyFile),
    ...(caFile === undefined ? {} : { ca: textOf('TLS certificate authority', 'ca-file', caFile) }),
  }
  try {
    createSecureContext(material)
  } catch (error) {
    const files = [certFile, keyFile, caFile].filter(Boolean).join(', ')
    throw new BadSettings(`${files} cannot be used together: ${messageOf(error)}.`, {
      cause: error,
      remedy: `give a PEM certificate with its own key:  pilotlight serve --${prefix}cert-file FILE --${prefix}key-file FILE`,
    })
  }
  return material
}

function textOf(what: string, flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    // The sentence is Matchbox's.
    throw new BadSettings(`Provide a valid ${what} with -${flag}: ${messageOf(error)}.`, {
      cause: error,
      remedy: `pilotlight serve --${flag} FILE`,
    })
  }
}
