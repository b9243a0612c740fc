// One-time tokens: minted with a machine's Ignition config, good for one bundle a boot, and for reports as long as that
// boot lasts. Only their hashes are kept.
//
// Before a machine's system is up its config may be fetched again (Ignition retries), each time with another token.
// The first of them that is used is the token of the boot: it voids the others and those of earlier boots, and from then
// on the boot gets none. So there is one bundle a boot, whoever asks, and a config that a stranger fetches in the
// machine's name ends no token of the machine until the stranger uses it. Where DHCP does not show whose boot it is, a
// token is taken for the boot's only when its bundle is fetched, which an operator has approved.

import { createHash, randomBytes } from 'node:crypto'
import { TokenExpired, TokenReplayed, UnknownToken } from '../errors.ts'
import type { MachineBoot, Store, TokenRecord } from '../inventory/store.ts'

/** Minutes from the Ignition config to the first use of its token. */
const FIRST_USE_MINUTES = 15
/** How many tokens a boot may have before one is used: Ignition asks once, and again when an answer was lost. */
const TOKENS_A_BOOT = 8
/** A clock that was set since the token was made is trusted so far: what it says of the age is then only a hint. */
const CLOCK_TRUST_MS = 86_400_000

/** What the tokens are kept in. */
export type TokenStore = Pick<
  Store,
  | 'addToken'
  | 'token'
  | 'machineBoot'
  | 'lastUsedBoot'
  | 'putMachineBoot'
  | 'spendBoot'
  | 'isReopened'
  | 'closeReopened'
>

/** Two clocks, in milliseconds: since 1970, which may be set at any time; and one that only grows. */
export type Clocks = { readonly wall: () => number; readonly steady: () => number }

/** A boot of a machine that was ready before. */
export type Reboot = { readonly last: string; readonly isFirst: boolean; readonly isReopened: boolean }

/** The tokens that the store knows. */
export class Tokens {
  readonly #store: TokenStore
  readonly #clocks: Clocks
  /** When the tokens of this process were made, by the steady clock. */
  readonly #made = new Map<string, number>()
  readonly #started: number

  constructor(store: TokenStore, clocks: Clocks) {
    this.#store = store
    this.#clocks = clocks
    this.#started = clocks.steady()
  }

  /**
   * Makes a token for one boot of a machine; it is on disk when this returns. Or says why the boot gets none, as a
   * clause.
   *
   * @param proven DHCP shows whose boot it is; a token of another boot voids nothing before its bundle is fetched, which
   *   takes an operator's approval
   */
  mint(
    machine: string,
    boot: string,
    { proven }: { readonly proven: boolean },
  ): { readonly token: string } | { readonly refused: string } {
    const known = this.#store.machineBoot(machine, boot)
    if (known?.bundleAt !== undefined) return { refused: 'the bundle of this boot was fetched already' }
    if (known?.token !== undefined) return { refused: 'the system of this boot runs already' }
    const tokens = known?.tokens ?? 0
    if (tokens >= TOKENS_A_BOOT) return { refused: `this boot has had ${tokens} tokens already` }
    const token = randomBytes(32).toString('base64url')
    const hash = hashOf(token)
    const until = this.#clocks.wall() + FIRST_USE_MINUTES * 60_000
    const had = { ...known, machine, boot, tokens: tokens + 1, proven }
    this.#store.addToken({ hash, machine, boot, until }, had)
    this.#remember(hash)
    return { token }
  }

  /**
   * Whose token it is; the first use makes it the token of its boot.
   *
   * @throws {UnknownToken} 401
   * @throws {TokenExpired} 403, when a token of a later boot or another one of this boot was used, or it was not used in time
   */
  use(token: string): TokenRecord {
    const hash = hashOf(token)
    const record = this.#store.token(hash)
    if (record === undefined) throw new UnknownToken()
    const { machine, boot } = record
    const last = this.#store.lastUsedBoot(machine)
    const known = this.#store.machineBoot(machine, boot)
    if (last !== undefined && isLater(last.boot, boot)) {
      throw new TokenExpired(machine, `is of boot ${boot}; this is boot ${last.boot}`)
    }
    if (known?.token === hash) return record
    if (known?.token !== undefined) {
      throw new TokenExpired(machine, 'is void: another one of the same boot was used first')
    }
    const hasEnrolled = known?.key !== undefined // only without proof: it waits for an operator
    if (!hasEnrolled && this.#isTooOld(record)) {
      throw new TokenExpired(machine, `was good for ${FIRST_USE_MINUTES} minutes`)
    }
    if (known?.proven !== false) this.#take(record, known)
    return record
  }

  /**
   * Spends the boot of a token in use on the machine's bundle.
   *
   * @throws {TokenReplayed} 409, when it was spent before
   */
  spend(token: TokenRecord): void {
    const { machine, boot } = token
    if (!this.#store.spendBoot(machine, boot, this.#clocks.wall())) throw new TokenReplayed(machine)
    const known = this.#store.machineBoot(machine, boot)
    if (known?.token === undefined) this.#take(token, known)
  }

  /** Keeps that the machine reported `ready` with a token in use. */
  ready({ machine, boot }: TokenRecord): void {
    const known = this.#store.machineBoot(machine, boot)
    if (known?.token === undefined || known.readyAt !== undefined) return
    this.#store.putMachineBoot({ ...known, readyAt: this.#clocks.wall() })
  }

  /**
   * What makes a boot a second one: the machine was ready in an earlier boot, `last`. Undefined when it was not. `isFirst`
   * until the boot has a token; `isReopened` when an operator opened it.
   */
  rebootOf(machine: string, boot: string): Reboot | undefined {
    const last = this.#store.lastUsedBoot(machine)
    if (last?.readyAt === undefined || last.boot === boot) return undefined
    const isFirst = this.#store.machineBoot(machine, boot) === undefined
    return { last: last.boot, isFirst, isReopened: this.#store.isReopened(machine) }
  }

  /** Makes a token the one of its boot, which voids the others and those of earlier boots. */
  #take({ hash, machine, boot }: TokenRecord, known: MachineBoot | undefined): void {
    this.#store.putMachineBoot({ machine, boot, tokens: 1, proven: true, ...known, token: hash })
    this.#store.closeReopened(machine)
  }

  /** By the steady clock; a token of an earlier process by how long this one runs, and the wall clock where it is sane. */
  #isTooOld({ hash, until }: TokenRecord): boolean {
    const limit = FIRST_USE_MINUTES * 60_000
    const made = this.#made.get(hash)
    const steady = this.#clocks.steady()
    if (made !== undefined) return steady - made > limit
    const late = this.#clocks.wall() - until
    return steady - this.#started > limit || (late > 0 && late < CLOCK_TRUST_MS)
  }

  #remember(hash: string): void {
    const steady = this.#clocks.steady()
    this.#made.set(hash, steady)
    for (const [oldest, made] of this.#made) {
      if (steady - made <= FIRST_USE_MINUTES * 60_000) break
      this.#made.delete(oldest) // this process has run for longer than it was good for
    }
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** Says whether a boot began after another one: `b-0010` after `b-000f`. */
function isLater(one: string, other: string): boolean {
  return Number.parseInt(one.slice(2), 16) > Number.parseInt(other.slice(2), 16)
}
