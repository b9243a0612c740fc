// The disks of machines: what each boot may do with them, and what is installed.
//
// A grant is of one boot of one machine, and on disk before it is answered. What a boot installed is the machine's system
// once that boot had its bundle (or was ready, where there is none): until then anyone may have asked in its name, and what
// was known before goes on.

import { randomUUID } from 'node:crypto'
import type { InstallAsk, Installed, InstallReport, OrderVerb } from '#model/install.ts'
import type { Machine } from '#model/machine.ts'
import type { ReadSlot } from '../assets/slots.ts'
import { BadRequest } from '../errors.ts'
import { SlotUnfit } from '../assets/errors.ts'
import {
  DiskInUse,
  InstalledElsewhere,
  OrderNotProven,
  StateMissing,
  StateOfAnotherMachine,
} from './errors.ts'
import type { Journal } from '../machines/journal.ts'
import type { Occurrences } from '../machines/occurrences.ts'
import type { Clocks, HostClock } from '../process/clock.ts'
import { discardEarlierKeys } from '../store/disk-key-records.ts'
import {
  confirmedIn,
  isInstalledIn,
  type ChangingRecord,
  type DiskRecord,
  type Install,
  type MachineRecord,
  type MachineRecords,
} from '../store/machine-records.ts'
import { isOwnToken, type BootTokens } from '../agent/boot-tokens.ts'
import { alarmOf, type TokenHolder } from '../agent/token-holder.ts'
import { decideInstall, writtenOn, type InstallDecision } from './install-decision.ts'
import { installedView, nameOfDisk, onDisk } from './install-views.ts'
import type { KeptOrders } from './kept-orders.ts'
import type { LocalBoots } from './local-boots.ts'
import { refusalOf } from '../store/refusable.ts'
import { keepsKey, keyedBootOf, type TokenRecovery } from '../agent/token-recovery.ts'
import { trustOf } from '../agent/trust.ts'
import { keepLast } from '../limits/bounded.ts'

/** The answer to each refusal. */
const REFUSALS = {
  DISK_IN_USE: DiskInUse,
  INSTALLED_ELSEWHERE: InstalledElsewhere,
  ORDER_NOT_PROVEN: OrderNotProven,
  STATE_MISSING: StateMissing,
  STATE_OF_ANOTHER_MACHINE: StateOfAnotherMachine,
} as const

/** How many boots' grants are remembered. */
const REMEMBERED = 10_000

/** What the installs need from the service. */
export type InstallNeeds = {
  readonly store: Pick<MachineRecords, 'change' | 'read'>
  /** What is known of the disks of machines, as it is on disk. */
  readonly disks: ReadonlyMap<string, DiskRecord>
  readonly tokens: Pick<BootTokens, 'goodIn' | 'isOwn'>
  readonly journal: Pick<Journal, 'record'>
  readonly alarms: Pick<Occurrences, 'raise'>
  /** What our authority is named in a machine.json. */
  readonly authority: () => string
  readonly orders: Pick<KeptOrders, 'current'>
  readonly localBoots: Pick<LocalBoots, 'forget'>
  readonly recovery: Pick<TokenRecovery, 'isProof'>
  readonly clocks: Pick<Clocks, 'wall'>
  readonly host: HostClock
}

/** The answer to an initrd. */
export type Granted =
  | {
      readonly grant: 'install'
      readonly slot: Readonly<Record<string, unknown>>
      readonly slotSha256: string
      readonly overwrite: boolean
      /** The id of the partition table that is to be written; none of a grant that an earlier version made. */
      readonly table?: string
    }
  | {
      readonly grant: 'enter'
      /** The root hashes of the images that this machine was given: no other one is to be entered. Left out where none is known. */
      readonly roothashes?: readonly string[]
    }
  | { readonly grant: 'ram'; readonly why: string }
  | {
      readonly grant: 'wipe'
      /** Of the disks whose state cannot be read, the names of those that are to be wiped. Left out where no disk is such a one. */
      readonly unreadable?: readonly string[]
    }

/** Grants and records of all machines. */
export class Installs {
  readonly #needs: InstallNeeds
  /** What was written into the journal of each boot last: who asks again and again leaves one event. */
  readonly #said = new Map<string, string>()

  constructor(needs: InstallNeeds) {
    this.#needs = needs
  }

  /**
   * Decides what a boot may do with the disks that its initrd sees, and keeps that before it is answered. Asking again gives
   * the same.
   *
   * @param slot the slot that the machine's image is of; asked for only when a disk is to be written
   * @throws {DiskInUse} {InstalledElsewhere} {StateMissing} {StateOfAnotherMachine} 409; {BadRequest} 400, when the choice is not among the disks; {SlotUnfit} 503
   * @throws {TokenExpired} 403, {UnknownToken} 401, when the token ended meanwhile
   */
  async ask(
    who: TokenHolder,
    asked: InstallAsk,
    slot: () => Promise<ReadSlot | undefined>,
  ): Promise<Granted> {
    const { machine, token } = who
    requireChoice(asked)
    const { store, orders, tokens } = this.#needs
    const facts = await store.read(machine.name, record => this.#factsIn(record, who, asked))
    if (!mayOrder(facts)) this.#sayNoOrder(who, orders.current(facts.disk.order)?.verb, facts)
    const would = grantOf(this.#decide(who, asked, facts))
    // What it says from now on by this token is the machine's.
    if (facts.isShown) await this.#keepShown(who)
    const ready = would === 'install' ? await slot() : undefined
    // In RAM an installed machine would begin its role anew; it asks again until the assets are complete.
    if (would === 'install' && ready === undefined && this.isInstalled(machine.name))
      throw new SlotUnfit(`the slot.json of ${machine.name}'s image`, 'is not there')
    const table = randomUUID()
    const decided = await store.change(machine.name, record =>
      refusalOf(() => {
        tokens.goodIn(record, token.hash)
        const now = this.#factsIn(record, who, asked)
        const decision = this.#decide(who, asked, now)
        return { decision, install: this.#keep(record, who, decision, { ready, table, ...now }) }
      }),
    )
    if ('refusal' in decided) throw decided.refusal
    const { decision, install } = decided.value
    // What cannot be read of the assets now keeps no machine from its own system.
    const image = would === 'enter' ? await slot().catch(() => undefined) : ready
    return this.#answer(who, asked, decision, { image, install, isElsewhere: facts.isElsewhere })
  }

  /**
   * A machine reports; what it says of its disk is stored before the report is answered. A system that runs from a disk names
   * it with each stage, since the report that it was installed may have been lost with the power.
   */
  async reported(
    who: TokenHolder,
    stage: 'installing' | 'installed' | 'wiped' | 'booted' | 'ready' | 'failed',
    { version, slot }: InstallReport,
  ): Promise<void> {
    const { store, clocks, tokens, localBoots } = this.#needs
    const { machine, token } = who
    const isRunning = stage === 'booted' || stage === 'ready'
    // It started from wherever it was sent to; by any other token anyone may say so.
    if (isRunning && (await tokens.isOwn(token))) localBoots.forget(machine.name)
    const isOfDisk = stage === 'installed' || stage === 'wiped' || (isRunning && version !== undefined)
    if (!isOfDisk) return
    const now = clocks.wall()
    const wiped = await store.change(machine.name, (record): 'proven' | 'reported' | undefined => {
      const { installs, order } = record.disk()
      if (stage === 'wiped') {
        const isProven = order?.provenBoot === token.boot
        if (order?.verb !== 'wipe' || (order.boot !== token.boot && !isProven)) return undefined // no wipe was granted to this boot
        record.endOrder()
        const confirmed = confirmedIn({ installs })
        if (!isProven) discardEarlierKeys(record)
        record.forgetInstalls()
        if (isProven) {
          retire(record, machine, { who: order.who, now })
          return 'proven'
        }
        // Any host that had this boot can report it. So what is known is kept, and counts again once the machine reports with the
        // token of its bundle; until then it is not installed.
        if (confirmed !== undefined) record.putInstall(unconfirmed(confirmed, now))
        return 'reported'
      }
      const isOwn = isOwnToken(record, token)
      const install =
        installs.find(it => it.boot === token.boot) ?? (isOwn ? confirmedIn({ installs }) : undefined)
      if (install === undefined) return undefined
      const reported = { ...(version !== undefined && { version }), ...(slot !== undefined && { slot }) }
      const next: Install = { ...install, ...reported, installedAt: install.installedAt ?? now }
      const isSame = next.version === install.version && next.slot === install.slot
      if (!isSame || install.installedAt === undefined) record.putInstall(next)
      if (isOwn) record.confirmInstall(install.boot, now)
      return undefined
    })
    if (wiped === 'proven')
      this.#say(
        who,
        'erased its disks, whose key it had shown: that key, its token and the recovery keys are void',
      )
    if (wiped !== 'reported') return
    const remedy = `To end its key now:  pilotlight machines reject ${machine.name}`
    this.#say(
      who,
      `reports its disks as erased, which nothing proves: what is known of them and its key are kept. ${remedy}`,
    )
  }

  /** Says whether a machine has a system on its disk that is its own. */
  isInstalled(machine: string): boolean {
    return isInstalledIn(this.#needs.disks.get(machine))
  }

  /** What is installed on a machine's disk. */
  installed(machine: string): Installed | undefined {
    const known = this.#needs.disks.get(machine)
    const confirmed = known && confirmedIn(known)
    return confirmed && installedView(confirmed)
  }

  async #keepShown({ machine, token: { boot, hash } }: TokenHolder): Promise<void> {
    await this.#needs.store.change(machine.name, record => {
      const known = record.boot(boot)
      if (known !== undefined && known.shownBy !== hash) record.putBoot({ ...known, shownBy: hash })
    })
  }

  /** What is known of the machine, and whether this boot showed the key on its disk. */
  #factsIn(record: MachineRecord, { machine, token, address }: TokenHolder, { proof }: InstallAsk): Facts {
    const isShown =
      proof !== undefined &&
      keyedBootOf(record) !== undefined &&
      this.#needs.recovery.isProof(machine.name, address, proof)
    const isElsewhere = record.boot(token.boot)?.isElsewhere === true
    return {
      disk: record.disk(),
      earlier: record.disk().installs.find(it => isFinishedIn(record, it)),
      hasKey: keepsKey(record),
      isShown,
      isElsewhere,
      isRunning: isOwnToken(record, token),
    }
  }

  #decide({ machine, token }: TokenHolder, asked: InstallAsk, facts: Facts): InstallDecision {
    const { authority, clocks } = this.#needs
    const {
      disk: { installs, order },
      earlier,
      hasKey,
      isShown,
    } = facts
    const isOrdered = mayOrder(facts)
    return decideInstall({
      machine,
      boot: token.boot,
      asked,
      authority: authority(),
      installs: isOrdered
        ? installs
        : installs.filter(it => it.confirmedAt !== undefined || it.orderedBy === undefined),
      earlier,
      order: isOrdered ? this.#needs.orders.current(order) : undefined,
      isUnproven: hasKey && !isShown,
      now: clocks.wall(),
    })
  }

  /** Writes down what was decided, in the step that decides it; gives the install that is granted or entered. */
  #keep(
    record: ChangingRecord,
    { machine, token }: TokenHolder,
    decision: InstallDecision,
    { ready: slot, table, disk: { installs, order }, hasKey, isShown }: Facts & Ready,
  ): Install | undefined {
    if ('refused' in decision || decision.grant === 'ram') return undefined
    const { clocks, host } = this.#needs
    const now = clocks.wall()
    const { name } = machine
    const { boot } = token
    if (decision.grant === 'wipe') {
      if (order !== undefined) record.putOrder({ ...order, boot, ...(isShown && { provenBoot: boot }) })
      return undefined
    }
    const own = installs.find(it => it.boot === boot)
    const confirmed = confirmedIn({ installs })
    if (decision.grant === 'enter') {
      const written = writtenOn(decision.disks, installs)
      if (written !== undefined) {
        const entered = enteredBy(written, boot, { version: decision.version, now })
        if (written.boot !== boot || written.installedAt === undefined) record.putInstall(entered)
        return entered
      }
      // Found without a record of it, as after the restore of an old backup: it becomes the machine's by its bundle.
      if (own?.confirmedAt !== undefined || confirmed !== undefined) return confirmed
      const disks = decision.disks.map(nameOfDisk)
      const { version } = decision
      const found = own ?? { machine: name, boot, disks, version, overwrite: false, grantedAt: now }
      record.putInstall({ ...found, version, installedAt: own?.installedAt ?? now })
      return undefined
    }
    if (slot === undefined) return undefined
    if (own !== undefined && !decision.spends) return own
    const { overwrite, orderedBy } = decision
    const install: Install = {
      machine: name,
      boot,
      disks: decision.disks.map(nameOfDisk),
      version: slot.version,
      overwrite,
      ...(orderedBy !== undefined && { orderedBy }),
      table: decision.table ?? table,
      roothashes: [slot.slot.roothash],
      grantedAt: now,
    }
    record.putInstall(install)
    if (!decision.spends || order === undefined) return install
    record.endOrder()
    if (!hasKey) return install
    // The state on the disk is lost, and the key with it: the operator who ordered that lets a first key in again.
    const until = now + trustOf(machine).deadlineMinutes * 60_000
    record.reopenFor(boot, {
      machine: name,
      at: now,
      until,
      who: order.who,
      made: { run: host.run, at: host.now() },
    })
    return install
  }

  #answer(
    who: TokenHolder,
    { action }: InstallAsk,
    decision: InstallDecision,
    { image, install, isElsewhere }: Answerable,
  ): Granted {
    const { name } = who.machine
    if ('refused' in decision) {
      this.#needs.alarms.raise(
        alarmOf(who, 'refused', `${name} at ${who.address} may not ${action}: ${decision.why}`),
      )
      throw new REFUSALS[decision.refused](decision.why)
    }
    const say = (text: string) => this.#say(who, text)
    if (decision.grant === 'enter') {
      const { movedFrom } = decision
      const moved =
        movedFrom === undefined ? '' : `, which was installed in other hardware (UUID ${movedFrom})`
      // It started from there: where its loader does not start it, the disk is tried first again, and not the network for ever.
      if (!isElsewhere) this.#needs.localBoots.forget(name) // else anyone may have said so
      say(`may enter the system that it has on ${onDisk(decision.disks)}${moved}`)
      const roothashes = knownRoothashes(install, decision.version, image)
      return { grant: 'enter', ...(roothashes.length > 0 && { roothashes }) }
    }
    if (decision.grant === 'ram') {
      say(`runs from RAM: ${decision.why}`)
      return decision
    }
    if (decision.grant === 'wipe') {
      say(`is to erase its disks: ${decision.who} ordered it`)
      const { grant, unreadable } = decision
      return { grant, ...(unreadable !== undefined && { unreadable }) }
    }
    if (image === undefined || install === undefined) {
      const why =
        'the assets have no slot.json beside its root image, so there is nothing to install. To build and put both there:  pilotlight images build --assets-path DIR'
      say(`runs from RAM: ${why}`)
      return { grant: 'ram', why }
    }
    const { overwrite, orderedBy, disks } = decision
    const ordered = orderedBy === undefined ? '' : `, as ${orderedBy} ordered`
    const lost = overwrite ? '; what the disk holds is lost' : ''
    say(`may install ${image.version} on ${onDisk(disks)}${ordered}${lost}`)
    const table = install.table === undefined ? {} : { table: install.table }
    return { grant: 'install', slot: image.slot, slotSha256: image.sha256, overwrite, ...table }
  }

  /** Writes a grant into the journal, once as long as it stays the same. */
  #say({ token, mac, machine, address }: TokenHolder, text: string): void {
    const key = `${machine.name} ${token.boot}`
    if (this.#said.get(key) === text) return
    this.#said.delete(key)
    this.#said.set(key, text)
    keepLast(this.#said, REMEMBERED)
    const where = { mac, machine: machine.name, layer: 'http', boot: token.boot } as const
    this.#needs.journal.record({ ...where, kind: 'grant', text, detail: { from: address } })
  }

  /** Says why a boot does not spend what is ordered for the next boot from the network, if anything is. */
  #sayNoOrder(who: TokenHolder, verb: OrderVerb | undefined, { isRunning }: Facts): void {
    if (verb === undefined || verb === 'upgrade') return
    const { address, machine } = who
    const { name } = machine
    if (!isRunning) {
      const where = `${machine.address ?? 'no address'} is declared`
      this.#say(who, `does not spend the order that waits: it asks from ${address}, and ${where}`)
      return
    }
    const text =
      `${address} asked to spend the ${verb} of ${name} with the token of the system that runs: no image of ours does. The order waits for a ` +
      `boot from the network. If someone has taken ${name} over:  pilotlight machines reject ${name}`
    this.#needs.alarms.raise(alarmOf(who, 'refused', text))
  }
}

/** What is known when a boot asks. */
type Facts = {
  readonly disk: DiskRecord
  /** The latest install that was finished, confirmed or not. */
  readonly earlier: Install | undefined
  /** The machine keeps a key on its disk. */
  readonly hasKey: boolean
  /** This boot showed it. */
  readonly isShown: boolean
  /** Where DHCP shows nothing: the boot is from another address than the declared one, so it may be anyone's. */
  readonly isElsewhere: boolean
  /** The token is that of the system that runs: its boot had its bundle, and is past its initrd. */
  readonly isRunning: boolean
}

/** Says whether a machine reported an install as finished: by a boot from another address, that had no bundle, anyone may have said so. */
function isFinishedIn(record: MachineRecord, { boot, installedAt }: Install): boolean {
  const known = record.boot(boot)
  return installedAt !== undefined && (known?.isElsewhere !== true || known.token !== undefined)
}

/** Says whether a boot may spend an order, or go on with what was granted by one. */
function mayOrder({ isElsewhere, isRunning }: Facts): boolean {
  return !isElsewhere && !isRunning
}

/** What an answer needs beside the decision. */
type Answerable = {
  readonly image: ReadSlot | undefined
  readonly install: Install | undefined
  readonly isElsewhere: boolean
}

/** What a grant may need: the slot to write, and an id for its partition table. */
type Ready = { readonly ready: ReadSlot | undefined; readonly table: string }

/** The same install under the boot that enters it: the bundle of that boot confirms it, with all that is known of it. */
function enteredBy(
  written: Install,
  boot: string,
  { version, now }: { readonly version: string; readonly now: number },
): Install {
  const { boot: before, grantedBoot = before, installedAt = now } = written
  return { ...written, boot, version, installedAt, ...(grantedBoot !== boot && { grantedBoot }) }
}

/** The images that a machine may be running: those that it was given, and that of the assets, where that is what its disk names. */
function knownRoothashes(
  install: Install | undefined,
  version: string,
  image: ReadSlot | undefined,
): string[] {
  const known = install?.roothashes ?? []
  const ofAssets =
    image !== undefined && (known.length > 0 || image.version === version) ? [image.slot.roothash] : []
  return [...new Set([...known, ...ofAssets])]
}

/**
 * The disk of a machine is erased, by a boot that had shown the key on it: a copy of that disk is good for nothing any more. The key of
 * a TPM is not on the disk, and stays one that may be approved again.
 */
function retire(
  record: ChangingRecord,
  machine: Machine,
  { who, now }: { readonly who: string; readonly now: number },
): void {
  const state = trustOf(machine).level === 'L3' ? 'retired' : 'rejected'
  const why = 'the disk that keeps it was erased'
  for (const key of record.keys())
    if (key.state === 'approved') record.putKey({ ...key, state, why, decidedAt: now, decidedBy: who })
  const { token } = record.lastUsedBoot() ?? {}
  if (token !== undefined) record.forgetToken(token)
  record.putDiskKeys([])
}

/** The same install as one of which only is known that it was: see `reported`. */
function unconfirmed(confirmed: Install, now: number): Install {
  const { confirmedAt: _, ...install } = confirmed
  return { ...install, installedAt: install.installedAt ?? now, overwrite: false }
}

function grantOf(decision: InstallDecision): string {
  return 'grant' in decision ? decision.grant : 'refused'
}

/** Refuses a choice that is not among the disks, or of one that can be pulled out. */
function requireChoice({ disks, chosen }: InstallAsk): void {
  for (const name of chosen) {
    const disk = disks.find(one => one.name === name)
    if (disk === undefined)
      throw new BadRequest(
        `"${name}" was chosen, and is not among the disks. Choose one of those that are sent.`,
      )
    if (disk.removable)
      throw new BadRequest(`"${name}" was chosen, and can be pulled out. A system is never installed there.`)
  }
}
