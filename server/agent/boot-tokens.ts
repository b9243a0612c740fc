// One-time tokens: made with a machine's Ignition config, valid for one bundle a boot, and for reports as long as that
// boot lasts. Only their hashes are kept.
//
// A machine's config may be fetched again (Ignition retries), each time with another token. What a token does before its
// bundle is given, by any sender, ends no other one: it may enroll a key and report. The token that the bundle is given for
// is the token of the boot: it voids the others and those of earlier boots, and from then on the boot gets none. So there
// is one bundle a boot, and what a stranger does in the machine's name ends nothing of the machine, unless the stranger's
// own key was approved.

import { hash, randomBytes } from 'node:crypto'
import { isLater } from '#model/boot.ts'
import { TokenExpired, TokenReplayed, UnknownToken } from './errors.ts'
import { Buckets } from '../limits/bucket.ts'
import type {
  ChangingRecord,
  MachineBoot,
  MachineRecord,
  MachineRecords,
  TokenRecord,
} from '../store/machine-records.ts'
import type { BundleStore } from '../store/secrets.ts'
import type { Clocks, HostClock } from '../process/clock.ts'
import type { KnownRecords, RunningBoot } from '../store/known-records.ts'
import { refusalOf } from '../store/refusable.ts'
import type { Reopenings } from './reopenings.ts'

/** Minutes from the Ignition config to the first use of its token. */
const FIRST_USE_MINUTES = 15
/** How many tokens of a boot are good at once: Ignition asks once, and again when an answer was lost. */
const TOKENS_A_BOOT = 16
const FIRST_USE_MS = FIRST_USE_MINUTES * 60_000

/** What the tokens need from the service. */
export type TokenNeeds = {
  readonly store: Pick<MachineRecords, 'change' | 'read' | 'token'>
  readonly bundles: Pick<BundleStore, 'hasBundle'>
  readonly running: KnownRecords['running']
  readonly reopenings: Pick<Reopenings, 'isOpen'>
  readonly clocks: Clocks
  readonly host: HostClock
}

/**
 * What DHCP shows of a boot: whose it is, its switch port, and that another port was named in it, too. Where it shows
 * nothing: whether the sender is at another address than the machine's declared one.
 */
export type BootPlace = {
  readonly proven: boolean
  readonly isElsewhere?: boolean
  readonly port?: string
  readonly isPortMoved?: boolean
}

/** A token, and whether it is the first of its boot; or why there is none, as a clause. */
export type Minted = { readonly token: string; readonly isFirst: boolean } | { readonly refused: string }

/** A boot of a machine that was ready in an earlier boot, `last`. */
export type Reboot = { readonly last: string; readonly isReopened: boolean }

/** The tokens that the store knows. */
export class BootTokens {
  readonly #needs: TokenNeeds
  /** How often the config of a boot may be fetched with a token, where anyone can ask for it. */
  readonly #fetches = new Buckets({ perSecond: 1 / 60, burst: 2 * TOKENS_A_BOOT })

  constructor(needs: TokenNeeds) {
    this.#needs = needs
  }

  /**
   * Makes a token for one boot of a machine; resolves once it is on disk, in one commit with the tokens of other machines
   * that ask at the same time. Or says why the boot gets none, as a clause.
   *
   * What is known of the boot when its first token is made stays: whatever begins later in the machine's name changes
   * nothing of it. When a boot has had many, the oldest is dropped: one that was never shown, else one of those that were.
   */
  async mint(machine: string, boot: string, place: BootPlace): Promise<Minted> {
    const steady = this.#needs.clocks.steady()
    if (!place.proven && !this.#fetches.of(`${machine} ${boot}`, steady).take(steady)) {
      return { refused: 'the config of this boot was fetched too often' }
    }
    const token = randomBytes(32).toString('base64url')
    const hash = hashOf(token)
    // Decided in the step: what another request does to this boot meanwhile is before it or after it.
    return this.#needs.store.change(machine, record =>
      this.#add(record, { token, hash, machine, boot }, place),
    )
  }

  #add(
    record: ChangingRecord,
    made: { readonly token: string; readonly hash: string; readonly machine: string; readonly boot: string },
    { proven, isElsewhere = false, port, isPortMoved = false }: BootPlace,
  ): Minted {
    const { token, hash, machine, boot } = made
    const { clocks, host } = this.#needs
    const known = record.boot(boot)
    if (known?.bundleAt !== undefined) return { refused: 'the bundle of this boot was fetched already' }
    if (known?.token !== undefined) return { refused: 'the system of this boot runs already' }
    if (known !== undefined && known.tokens >= TOKENS_A_BOOT) makeRoom(record, boot)
    const until = clocks.wall() + FIRST_USE_MS
    const isFirst = known === undefined
    const had: MachineBoot = {
      ...known,
      machine,
      boot,
      tokens: (known?.tokens ?? 0) + 1,
      proven: proven && (known?.proven ?? true),
      isElsewhere: isElsewhere || known?.isElsewhere === true,
      ...(isFirst && port !== undefined && { port }),
      isPortMoved: isPortMoved || known?.isPortMoved === true || (!isFirst && known.port !== port),
    }
    record.addToken({ hash, machine, boot, until, made: { run: host.run, at: host.now() } }, had)
    return { token, isFirst }
  }

  /**
   * Whose token it is. One that was shown in time is valid until a bundle is given for another one of this boot or a later
   * one.
   *
   * @throws {UnknownToken} 401
   * @throws {TokenExpired} 403, when a bundle was given for another one, or it was not used in time
   */
  async use(token: string): Promise<TokenRecord> {
    const { store, clocks } = this.#needs
    const known = await store.token(hashOf(token))
    if (known === undefined) throw new UnknownToken()
    if (known.usedAt !== undefined)
      return store.read(known.machine, record => this.goodIn(record, known.hash))
    const used = await store.change(known.machine, record =>
      refusalOf(() => {
        const good = this.goodIn(record, known.hash)
        if (good.usedAt === undefined && record.boot(good.boot)?.token === undefined)
          record.useToken(good.hash, clocks.wall())
        return good
      }),
    )
    if ('refusal' in used) throw used.refusal
    return used.value
  }

  /** The same, inside a step: looks again whether a token that was in use is still good. Throws what `use` throws. */
  goodIn(record: MachineRecord, hash: string): TokenRecord {
    const token = record.token(hash)
    if (token === undefined) throw new UnknownToken()
    const { machine, boot } = token
    const last = record.lastUsedBoot()
    const known = record.boot(boot)
    if (last !== undefined && isLater(last.boot, boot)) {
      throw new TokenExpired(machine, `is of boot ${boot}; this is boot ${last.boot}`)
    }
    if (known?.token === hash) return token
    if (known?.token !== undefined) {
      throw new TokenExpired(machine, 'is void: the bundle was given for another one of the same boot')
    }
    if (known === undefined) throw new TokenExpired(machine, `is of boot ${boot}, which was long ago`)
    if (token.usedAt === undefined && this.#isTooOld(token))
      throw new TokenExpired(machine, `was good for ${FIRST_USE_MINUTES} minutes`)
    return token
  }

  /** Says whether a token is the machine's own: see `isOwnToken`. */
  isOwn(token: TokenRecord): Promise<boolean> {
    return this.#needs.store.read(token.machine, record => isOwnToken(record, token))
  }

  /** Says whether a token speaks for the machine: see `speaksFor`. */
  speaks(token: TokenRecord): Promise<boolean> {
    return this.#needs.store.read(token.machine, record => speaksFor(record, token))
  }

  /**
   * Inside a step: spends the boot of a token in use on the machine's bundle: it is the token of the boot from now on.
   *
   * @param to the key that the bundle is sealed to, and the fingerprint that was approved for it
   * @throws {TokenReplayed} 409, when it was spent before, or a later boot was
   */
  spendIn(
    record: ChangingRecord,
    { hash, machine, boot }: TokenRecord,
    to: { readonly key: string; readonly fingerprint: string },
  ): void {
    if (!record.spend(boot, this.#needs.clocks.wall(), { token: hash, ...to }))
      throw new TokenReplayed(machine)
    record.closeReopened(boot)
    record.confirmInstall(boot, this.#needs.clocks.wall())
  }

  /**
   * Records that the machine reported `ready`, if this boot got its bundle or there is no bundle to get. Says whether the report is the
   * machine's: any other may be a stranger's.
   */
  async ready({ hash, machine, boot }: TokenRecord): Promise<boolean> {
    const { store, bundles, clocks } = this.#needs
    const getsBundle = await bundles.hasBundle(machine)
    return store.change(machine, record => {
      const known = record.boot(boot)
      if (known === undefined) return false
      if (known.token === undefined && getsBundle) return known.shownBy === hash
      if (known.readyAt !== undefined) return true
      record.putBoot({ ...known, token: known.token ?? hash, readyAt: clocks.wall() })
      record.confirmInstall(boot, clocks.wall())
      return true
    })
  }

  /** Says at once whether a boot is a second one: the machine was ready in an earlier boot. */
  isReboot(machine: string, boot: string): boolean {
    return this.#readyBefore(machine, boot) !== undefined
  }

  /**
   * What makes a boot a second one: the machine was ready in an earlier boot, `last`. Undefined when it was not.
   * `isReopened` when an operator opened it.
   */
  async rebootOf(machine: string, boot: string): Promise<Reboot | undefined> {
    const last = this.#readyBefore(machine, boot)
    if (last === undefined) return undefined
    const isReopened = await this.#needs.store.read(machine, record => {
      // A boot that has a token was let in before, and may fetch its config again.
      return record.boot(boot) !== undefined || this.#needs.reopenings.isOpen(record, boot)
    })
    return { last: last.boot, isReopened }
  }

  #readyBefore(machine: string, boot: string): RunningBoot | undefined {
    const last = this.#needs.running.get(machine)
    return last?.readyAt === undefined || last.boot === boot ? undefined : last
  }

  /**
   * By the clock of the host, which cannot be set. A token of an earlier run of the host is as old as this run at least, and
   * the wall clock can only shorten that: it must show a time within the token's own.
   */
  #isTooOld({ until, made }: TokenRecord): boolean {
    const { host, clocks } = this.#needs
    const now = host.now()
    if (made?.run === host.run) return now - made.at > FIRST_USE_MS
    const wall = clocks.wall()
    return now > FIRST_USE_MS || wall > until || wall < until - FIRST_USE_MS
  }
}

/** The token that a bundle was given for, or of a boot that was ready without one, is the machine's own; any other may be anyone's. */
export function isOwnToken(
  record: Pick<MachineRecord, 'boot'>,
  { boot, hash }: Pick<TokenRecord, 'boot' | 'hash'>,
): boolean {
  return record.boot(boot)?.token === hash
}

/**
 * Says whether a token speaks for its machine: it is the machine's own, or its initrd showed the key of the machine's disk with it, which
 * a machine does that enters its disk over the network and has no bundle of that boot.
 */
export function speaksFor(
  record: Pick<MachineRecord, 'boot'>,
  token: Pick<TokenRecord, 'boot' | 'hash'>,
): boolean {
  return isOwnToken(record, token) || record.boot(token.boot)?.shownBy === token.hash
}

/** Drops a token when a boot has too many: the oldest that was never shown, else the oldest. */
function makeRoom(record: ChangingRecord, boot: string): void {
  const tokens = record.tokensOf(boot)
  if (tokens.length < TOKENS_A_BOOT) return
  const oldest = tokens.find(({ usedAt }) => usedAt === undefined) ?? tokens[0]
  if (oldest !== undefined) record.forgetToken(oldest.hash)
}

function hashOf(token: string): string {
  return hash('sha256', token)
}
