// One-time tokens: minted with a machine's Ignition config, good for one bundle within a quarter of an hour, and for
// reports as long as that boot lasts. Only their hashes are kept.

import { createHash, randomBytes } from 'node:crypto'
import { TokenExpired, TokenReplayed, UnknownToken } from '../errors.ts'
import type { Store, TokenRecord } from '../inventory/store.ts'

/** Minutes from the Ignition config to the bundle. */
const BUNDLE_MINUTES = 15

/** The tokens that the store knows. */
export class Tokens {
  readonly #store: Pick<Store, 'addToken' | 'token' | 'burnToken'>
  readonly #now: () => number

  /** @param now milliseconds since 1970 */
  constructor(store: Pick<Store, 'addToken' | 'token' | 'burnToken'>, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /** Makes a token for one boot of a machine; it is on disk when this returns. */
  mint(machine: string, boot: string): string {
    const token = randomBytes(32).toString('base64url')
    this.#store.addToken({ hash: hashOf(token), machine, boot, until: this.#now() + BUNDLE_MINUTES * 60_000 })
    return token
  }

  /**
   * Whose token it is.
   *
   * @throws {UnknownToken} 401
   */
  holder(token: string): TokenRecord {
    const record = this.#store.token(hashOf(token))
    if (record === undefined) throw new UnknownToken()
    return record
  }

  /**
   * Spends the token on the machine's bundle.
   *
   * @throws {TokenReplayed} 409, when it was spent before
   * @throws {TokenExpired} 403, when it is too old
   */
  spend({ hash, machine, until, usedAt }: TokenRecord): void {
    const now = this.#now()
    if (usedAt !== undefined) throw new TokenReplayed(machine)
    if (until < now) throw new TokenExpired(machine, `was good for ${BUNDLE_MINUTES} minutes`)
    if (!this.#store.burnToken(hash, now)) throw new TokenReplayed(machine)
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
