// Bearer tokens of people and programs. The file keeps their hashes, names and roles; a token itself is shown once.

import { hash, randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { makeDirectory } from '#host/make-directory.ts'
import { textIfThereSync } from '#host/read-if-there.ts'
import { replaceFile } from '#host/replace-file.ts'
import { adminTokenFile } from '#model/endpoint.ts'
import { DAY_MS } from '#model/time.ts'
import { TOKEN_NAME, type AccessToken, type NewToken } from '#model/token.ts'
import { BadRequest, BrokenState, NotFound } from '../errors.ts'
import { TokenInTheWay } from './errors.ts'
import { diskErrorOf } from '../process/write-failure.ts'
import type { Identity } from './roles.ts'

/** A token as it is kept: by its SHA-256, in hex. */
type KeptToken = { readonly hash: string; readonly info: AccessToken }

/** The name of the token that a first start makes. */
const BOOTSTRAP = 'bootstrap'

/** The tokens of one server, in `tokens.json` of its state directory. */
export class AccessTokens {
  readonly #file: string
  readonly #bootstrapFile: string
  readonly #now: () => number
  readonly #onFailure: (error: unknown) => void
  #byHash: ReadonlyMap<string, KeptToken>

  /**
   * Reads the tokens. On a first start there are none: then a token of role admin is made and written to `admin.token`
   * beside them, readable to its owner only.
   *
   * @param now milliseconds since 1970
   * @param onFailure is called for writes that the disk did not take
   * @throws {BrokenState} when the file is not as it was written; {CannotWrite}
   */
  constructor(statePath: string, now: () => number, onFailure: (error: unknown) => void = () => {}) {
    this.#file = join(statePath, 'tokens.json')
    this.#bootstrapFile = adminTokenFile(statePath)
    this.#now = now
    this.#onFailure = onFailure
    makeDirectory(statePath, { mode: 0o700 })
    const text = textIfThereSync(this.#file)
    const kept = text === undefined ? [] : keptTokens(this.#file, text)
    this.#byHash = new Map(kept.map(token => [token.hash, token]))
    if (text !== undefined) return
    // Before the list of tokens: a start that ends between the two begins again, and locks no one out.
    const { token, hash, info } = this.#made({ name: BOOTSTRAP, role: 'admin' })
    this.#write(this.#bootstrapFile, `${token}\n`)
    this.#keep(new Map([[hash, { hash, info }]]))
  }

  /**
   * Makes a token; it is on disk when this returns.
   *
   * @throws {BadRequest} when the name is malformed; {TokenInTheWay}; {CannotWrite} 507, and then there is no such token
   */
  create(wanted: NewToken): { readonly token: string } & AccessToken {
    const { name } = wanted
    if (!TOKEN_NAME.test(name)) {
      throw new BadRequest(`"${name}" is not a name for a token: give letters, digits, dots and dashes.`)
    }
    if (this.#named(name) !== undefined) {
      throw new TokenInTheWay(name)
    }
    const { token, hash, info } = this.#made(wanted)
    this.#keep(new Map([...this.#byHash, [hash, { hash, info }]]))
    return { token, ...info }
  }

  /** All of them, oldest first, those that have expired too. */
  list(): AccessToken[] {
    return [...this.#byHash.values()].map(({ info }) => info)
  }

  /**
   * Ends a token, from the next request on; that is on disk when this returns.
   *
   * @throws {NotFound}; {CannotWrite} 507, and then the token is valid as before
   */
  revoke(name: string): void {
    const token = this.#named(name)
    if (token === undefined) throw new NotFound('token', name, "'pilotlight tokens list' lists all.")
    this.#keep(new Map([...this.#byHash].filter(([hash]) => hash !== token.hash)))
    if (name === BOOTSTRAP) rmSync(this.#bootstrapFile, { force: true }) // nothing in it is valid any more
  }

  /** Who shows the token; undefined when it is unknown, revoked or expired. */
  identityOf(token: string): Identity | undefined {
    const kept = this.#byHash.get(hashOf(token))
    if (kept === undefined) return undefined
    const { name, role, expires } = kept.info
    if (expires !== undefined && Date.parse(expires) < this.#now()) return undefined
    return { name, role, by: 'token' }
  }

  #named(name: string): KeptToken | undefined {
    return [...this.#byHash.values()].find(({ info }) => info.name === name)
  }

  #made({ name, role, days }: NewToken): KeptToken & { readonly token: string } {
    const token = `plt_${randomBytes(32).toString('base64url')}`
    const now = this.#now()
    const info: AccessToken = {
      name,
      role,
      created: new Date(now).toISOString(),
      ...(days === undefined ? {} : { expires: new Date(now + days * DAY_MS).toISOString() }),
    }
    return { token, hash: hashOf(token), info }
  }

  /** Puts the tokens on disk, and only then in effect. */
  #keep(tokens: ReadonlyMap<string, KeptToken>): void {
    this.#write(this.#file, `${JSON.stringify([...tokens.values()], null, 2)}\n`)
    this.#byHash = tokens
  }

  #write(path: string, text: string): void {
    try {
      replaceFile(path, text)
    } catch (error) {
      this.#onFailure(error)
      throw diskErrorOf(error, path) ?? error
    }
  }
}

/** What a file holds that was written by `#keep`, as a whole. */
function keptTokens(file: string, text: string): KeptToken[] {
  try {
    const kept = JSON.parse(text) as KeptToken[]
    if (kept.every(({ hash, info }) => typeof hash === 'string' && typeof info.name === 'string')) return kept
  } catch {
    // Reported below, as is JSON that is not a list of tokens.
  }
  const remedy = 'Restore it, or move it away: the server then makes a new admin.token, and all others end.'
  throw new BrokenState(file, 'does not hold the tokens that the server wrote', remedy)
}

function hashOf(token: string): string {
  return hash('sha256', token)
}
