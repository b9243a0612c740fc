// What a machine's boot may do with its disks: write one, enter the system on it, erase it, or leave all alone. Pure.
//
// The rules: nothing is written without a grant of this boot; what a disk holds is lost only where the site or an operator's
// order says so; a machine that is installed is never installed again by a boot that no one ordered.

import type { DiskChoice } from '#model/disk.ts'
import {
  diskText,
  isSameDisk,
  type DiskName,
  type FoundState,
  type InstallAsk,
  type SeenDisk,
} from '#model/install.ts'
import type { Machine } from '#model/machine.ts'
import type { Install, KeptOrder } from '../store/machine-records.ts'

/** The facts that decide. */
export type InstallQuestion = {
  readonly machine: Pick<Machine, 'name' | 'disk'>
  readonly boot: string
  readonly asked: InstallAsk
  /** What our authority is named in a machine.json. */
  readonly authority: string
  /** What the boots of this machine did with its disks, the latest first. */
  readonly installs: readonly Install[]
  /** Where none is confirmed: the install of which only is known that it was, as after a wipe that nothing proves. */
  readonly earlier?: Install | undefined
  /** An order whose time is not over. */
  readonly order?: KeptOrder | undefined
  /** The machine has a key on its disk, which this boot did not show. */
  readonly isUnproven?: boolean | undefined
  /** Milliseconds since 1970. */
  readonly now: number
}

/** How long what was ordered and granted lets later boots go on with it, where the disk does not show that it was begun: as long as an order waits. */
const BEGUN_MS = 24 * 3_600_000

/** Why a disk is refused, by the code of the answer. */
export type InstallRefusal =
  'DISK_IN_USE' | 'INSTALLED_ELSEWHERE' | 'ORDER_NOT_PROVEN' | 'STATE_MISSING' | 'STATE_OF_ANOTHER_MACHINE'

/** The decision. A refusal has the reason as a sentence, and how to go on. */
export type InstallDecision =
  | {
      readonly grant: 'install'
      readonly disks: readonly SeenDisk[]
      readonly overwrite: boolean
      /** The operator whose order it is. */
      readonly orderedBy?: string
      /** The order is spent by it. */
      readonly spends: boolean
      /** The id of the partition table that the install was begun with, which this one goes on with. */
      readonly table?: string
    }
  | {
      readonly grant: 'enter'
      readonly disks: readonly SeenDisk[]
      readonly version: string
      /** The UUID of the hardware that it was installed on, where it is in another one now. */
      readonly movedFrom?: string
    }
  | { readonly grant: 'ram'; readonly why: string }
  | {
      readonly grant: 'wipe'
      readonly who: string
      /** Of the disks whose state cannot be read, the names of those that the machine was installed on; only where there is such a disk. */
      readonly unreadable?: readonly string[]
    }
  | { readonly refused: InstallRefusal; readonly why: string }

/** Decides what a boot may do with the disks that its initrd sees. */
export function decideInstall(question: InstallQuestion): InstallDecision {
  const { machine, boot, asked, installs, order, now } = question
  const { name, disk: choice } = machine
  if (order?.verb === 'wipe') {
    // A power loss while it is erased takes the key first.
    const isBegun = order.provenBoot !== undefined
    if (!isBegun && !maySpend(question, order)) return refuseUnproven(question)
    return { grant: 'wipe', who: order.who, ...unreadableOf(question) }
  }
  if (choice === undefined || choice === 'none')
    return { grant: 'ram', why: 'the site says "disk: none" for it' }
  const chosen = disksOf(asked)
  const confirmed = installs.find(({ confirmedAt }) => confirmedAt !== undefined)
  const own = installs.find(it => it.boot === boot && isUnfinished(it))
  if (own !== undefined && (asked.found === null || own.orderedBy !== undefined))
    return again(name, own, chosen)
  if (order?.verb === 'reinstall') {
    if (!maySpend(question, order)) return refuseUnproven(question)
    return orderedInstall(question, choice, order, chosen, confirmed ?? question.earlier)
  }
  const { found } = asked
  // An install that was not finished goes on, also in a later boot: a power loss must not need a person.
  const begun = installs.find(
    it =>
      isUnfinished(it) &&
      isOfSameDisks(it.disks, chosen) &&
      (isBegunOn(chosen, it) || (it.orderedBy !== undefined && isRecent(it, now))),
  )
  if (begun?.orderedBy !== undefined && (confirmed === undefined || begun.grantedAt >= confirmed.grantedAt))
    return { ...goingOn(begun, chosen), orderedBy: begun.orderedBy }
  if (found !== null) return enterOrRefuse(question, choice, found, confirmed)
  // Without an order anyone may have been granted it in the machine's name: the disk shows what was begun on it.
  if (begun !== undefined && confirmed === undefined) return goingOn(begun, chosen)
  if (confirmed !== undefined) return refuseLost(question, choice, confirmed)
  const unreadable = chosen.find(({ own: state }) => state === 'unreadable')
  if (unreadable !== undefined) return refuseUnreadable(name, unreadable)
  if (chosen.length === 0) return { grant: 'ram', why: 'none of its disks fits what the site asks for' }
  const inUse = chosen.find(({ holds }) => holds !== null)
  if (inUse !== undefined && !choice.overwrite) {
    return {
      refused: 'DISK_IN_USE',
      why:
        `${diskText(inUse)} of ${name} holds something (${inUse.holds}), and is not overwritten. Empty it, choose another one or write ` +
        `"overwrite: true" at its disk in the site file, or:  ${reinstallCommand(name)}`,
    }
  }
  return { grant: 'install', disks: chosen, overwrite: choice.overwrite, spends: false }
}

/** The command that installs a machine anew, whatever its disk holds; one that is installed and cannot show the key of its disk. */
export function reinstallCommand(name: string, isInstalled = false): string {
  return `pilotlight reinstall ${name} --count 1${isInstalled ? ' --without-proof' : ''}`
}

/** Which of the disks that say nothing by themselves are this machine's: another one may have been put into it. */
function unreadableOf({ asked, installs }: InstallQuestion): { readonly unreadable?: readonly string[] } {
  const unreadable = asked.disks.filter(({ own }) => own === 'unreadable')
  if (unreadable.length === 0) return {}
  const confirmed = installs.filter(({ confirmedAt }) => confirmedAt !== undefined)
  const known = (confirmed.length > 0 ? confirmed : installs).flatMap(({ disks }) => disks)
  return {
    unreadable: unreadable.filter(disk => known.some(one => isSameDisk(one, disk))).map(({ name }) => name),
  }
}

/** The disks that were chosen, as they were seen. */
function disksOf({ disks, chosen }: InstallAsk): SeenDisk[] {
  return chosen.flatMap(name => disks.find(disk => disk.name === name) ?? [])
}

function isOfSameDisks(ones: readonly DiskName[], others: readonly DiskName[]): boolean {
  return ones.length === others.length && ones.every(one => others.some(other => isSameDisk(one, other)))
}

/** Says whether the machine has not reported that the disk is written. */
function isUnfinished({ installedAt, confirmedAt }: Install): boolean {
  return installedAt === undefined && confirmedAt === undefined
}

/** Says whether a grant is young enough that a later boot goes on with it, whatever the disk shows. */
export function isRecent({ grantedAt }: Pick<Install, 'grantedAt'>, now: number): boolean {
  return Math.abs(now - grantedAt) <= BEGUN_MS
}

/**
 * Says whether disks show that this install was begun on them: by the partition table, whose id only the machine was given, or by a
 * state partition of this machine that nothing was kept on yet. Of a mirror the second one may still be empty.
 */
function isBegunOn(disks: readonly SeenDisk[], install: Pick<Install, 'table'>): boolean {
  const shows = (disk: SeenDisk) =>
    disk.own === 'unfinished' || (disk.own !== 'unreadable' && showsTableOf(disk, install))
  return disks.some(shows) && disks.every(disk => shows(disk) || disk.holds === null)
}

/** A grant for what an earlier boot was granted and began. */
function goingOn({ table }: Install, disks: readonly SeenDisk[]) {
  const same = table === undefined ? {} : { table }
  return { grant: 'install', disks, overwrite: true, spends: false, ...same } as const
}

/** Says whether this boot is one that an order is for: it showed the machine's key, or it need not. */
function maySpend({ isUnproven }: InstallQuestion, { withoutProof }: KeptOrder): boolean {
  return isUnproven !== true || withoutProof === true
}

/** A host with the machine's MAC and address would spend the order, and report what it likes. */
function refuseUnproven({ machine: { name }, boot, order }: InstallQuestion): InstallDecision {
  const { verb = 'reinstall', who = '' } = order ?? {}
  return {
    refused: 'ORDER_NOT_PROVEN',
    why:
      `${who} ordered ${verb} of ${name}, and boot ${boot} did not show the key that ${name} keeps on its disk. Nothing is written, and ` +
      `the order waits. If this is ${name}, and its disk is dead or lost its state:  pilotlight ${verb} ${name} --count 1 --without-proof`,
  }
}

/** The same grant for the same boot: its answer was lost, or the initrd began again. A grant is of the disks that it names. */
function again(name: string, own: Install, chosen: readonly SeenDisk[]): InstallDecision {
  if (isOfSameDisks(own.disks, chosen)) {
    const orderedBy = own.orderedBy === undefined ? {} : { orderedBy: own.orderedBy }
    const overwrite = own.overwrite || isBegunOn(chosen, own)
    return { ...goingOn(own, chosen), overwrite, ...orderedBy }
  }
  return {
    refused: 'INSTALLED_ELSEWHERE',
    why:
      `this boot of ${name} may write ${textOf(own.disks)}, and asks for ${textOf(chosen)}. Look at the disk, and switch the machine ` +
      `off and on to choose again`,
  }
}

function orderedInstall(
  question: InstallQuestion,
  choice: DiskChoice,
  { who }: KeptOrder,
  chosen: readonly SeenDisk[],
  confirmed: Install | undefined,
): InstallDecision {
  const {
    machine: { name },
    asked,
  } = question
  const ordered = `${who} ordered to install ${name} again`
  const undo = `The order waits; to take it back:  pilotlight reinstall ${name} --undo`
  // In RAM an installed machine would begin its role anew: etcd empty, while others of its cluster still count on it. And of any other
  // machine, too, an operator ordered an install.
  if (chosen.length === 0) {
    return {
      refused: 'INSTALLED_ELSEWHERE',
      why:
        `${ordered}, and none of its disks fits what the site asks for. Nothing is written. Look at the disk, and at "disk" in the site ` +
        `file: without it no disk is taken that holds something. ${undo}`,
    }
  }
  // The initrd knows its disk by the state on it; where that cannot be read, or its controller shows the disk late, it may choose a disk
  // that holds other data.
  const another = lostByOrder(question, choice, confirmed)
  if (another !== undefined) {
    const recorded = shownOf(confirmed, asked.disks)
    const installedOn =
      recorded.length > 0 ? textOf(recorded) : `${textOf(confirmed?.disks ?? [])}, which it does not show now`
    return {
      refused: 'INSTALLED_ELSEWHERE',
      why:
        `${ordered}. It is installed on ${installedOn}, and its initrd chose ${diskText(another)}, which holds something ` +
        `(${another.holds}). Nothing is written. ${howToMean(choice)}, and start it from the network again. ${undo}`,
    }
  }
  return { grant: 'install', disks: chosen, overwrite: true, spends: true, orderedBy: who }
}

/** The disks that a machine is installed on, of those that it shows. */
function shownOf(confirmed: Install | undefined, disks: readonly SeenDisk[]): readonly DiskName[] {
  return (confirmed?.disks ?? []).filter(disk => disks.some(seen => isSameDisk(seen, disk)))
}

/** A chosen disk that holds something, and is none of these. */
function lostBeside(these: readonly DiskName[], chosen: readonly SeenDisk[]): SeenDisk | undefined {
  return chosen.find(disk => disk.holds !== null && !these.some(one => isSameDisk(one, disk)))
}

/**
 * The chosen disk whose data an order would overwrite, although the machine is installed on another one and the site file does not name
 * this one. Where the other one is not shown, a disk that has a state of this machine, or an install of it that was begun, is its own, too.
 */
function lostByOrder(
  { asked, installs }: InstallQuestion,
  choice: DiskChoice,
  confirmed: Install | undefined,
): SeenDisk | undefined {
  if (confirmed === undefined) return undefined
  const recorded = shownOf(confirmed, asked.disks)
  const isOwn = (disk: SeenDisk) =>
    disk.own === 'installed' || disk.own === 'unfinished' || installs.some(it => showsTableOf(disk, it))
  const chosen = disksOf(asked)
  const another = lostBeside(recorded, recorded.length > 0 ? chosen : chosen.filter(disk => !isOwn(disk)))
  return another !== undefined && !isMeant(choice, another, confirmed.disks) ? another : undefined
}

/** Says whether the site file names this very disk, which has several names by id and shows one; or lets a mirror lose what its disks hold. */
function isMeant(
  { match, mirror, overwrite }: DiskChoice,
  { serial }: SeenDisk,
  installedOn: readonly DiskName[],
): boolean {
  if (mirror) return overwrite
  if (match.serial !== undefined) return match.serial === serial
  return match.byId !== undefined && installedOn.every(({ byId }) => byId !== match.byId)
}

/** How an operator says which disk is meant, as the beginning of a sentence. */
function howToMean({ mirror }: DiskChoice): string {
  return mirror
    ? 'Empty that disk, or write "overwrite: true" at the disk in the site file'
    : 'Name the disk that may be lost in the site file, by "disk: { match: { serial: … } }"'
}

/** How to install a machine anew, as a sentence that ends with the command: with the disk that is lost by it, where that is none of `recorded`. */
function installAnew(question: InstallQuestion, choice: DiskChoice, recorded: readonly DiskName[]): string {
  const {
    machine: { name },
    asked,
    installs,
  } = question
  const confirmed = installs.find(({ confirmedAt }) => confirmedAt !== undefined)
  const command = reinstallCommand(name, confirmed !== undefined)
  const chosen = disksOf(asked)
  if (chosen.length === 0)
    return `None of its disks fits what the site asks for. ${howToMean(choice)}; then, to install it anew:  ${command}`
  const another = lostBeside(recorded, chosen)
  if (another === undefined) return `To install it anew:  ${command}`
  const what = `${diskText(another)}, which holds something (${another.holds})`
  if (lostByOrder(question, choice, confirmed) !== undefined)
    return `Its initrd chose ${what}. ${howToMean(choice)}; then, to install it anew:  ${command}`
  return `To install it anew on ${what} that is lost then:  ${command}`
}

/**
 * A state partition was found: of this machine it is entered, any other is left alone. In other hardware than it was installed
 * on (a replaced mainboard, disks moved to a spare chassis) it is this machine's only where the record of its install names
 * that very disk: a disk of an earlier machine with the same name has the same text on it.
 */
function enterOrRefuse(
  question: InstallQuestion,
  choice: DiskChoice,
  found: FoundState,
  confirmed: Install | undefined,
): InstallDecision {
  const { machine, asked, authority } = question
  const { name } = machine
  const on = asked.disks.find(disk => disk.name === (found.disk ?? asked.chosen[0]))
  const isKnown =
    confirmed !== undefined && on !== undefined && confirmed.disks.some(disk => isSameDisk(disk, on))
  const isMoved = on?.own === 'other'
  const isOwn = found.machine === name && (found.authority === authority || isKnown)
  const place = on === undefined ? `a disk of ${name}` : `${diskText(on)} of ${name}`
  if (isOwn && on?.removable === true) {
    const why = `${place} can be pulled out, and holds a state of ${name}. A system is never started from there. Take it out`
    return { refused: 'STATE_OF_ANOTHER_MACHINE', why }
  }
  const recordedHere = shownOf(confirmed, asked.disks)
  if (
    isOwn &&
    !isKnown &&
    on !== undefined &&
    recordedHere.length > 0 &&
    !choice.mirror &&
    writtenOn([on], question.installs) === undefined
  ) {
    return {
      refused: 'INSTALLED_ELSEWHERE',
      why:
        `${name} is installed on ${textOf(recordedHere)}, and its initrd found a state of it on ${diskText(on)} as well, which is of an ` +
        `earlier install. Nothing is started from there. Take out ${diskText(on)}`,
    }
  }
  if (isOwn && (isKnown || !isMoved)) {
    const movedFrom = isMoved ? { movedFrom: found.uuid } : {}
    return { grant: 'enter', disks: on === undefined ? [] : [on], version: found.version, ...movedFrom }
  }
  const whose =
    found.machine !== name
      ? found.machine
      : isOwn
        ? `a ${name} in other hardware (UUID ${found.uuid}), and the server knows of no install of ${name} on this disk`
        : `a machine ${name} that another authority installed (${found.authority.slice(0, 16)}…; ours is ${authority.slice(0, 16)}…)`
  const kept = isOwn ? ' To keep it, see docs/how-to/replace-a-mainboard.md.' : ''
  const recorded = shownOf(confirmed, asked.disks)
  return {
    refused: 'STATE_OF_ANOTHER_MACHINE',
    why:
      `${place} holds the state of ${whose}. Nothing is written.${kept} Put the disk back where it belongs. ` +
      installAnew(question, choice, recorded),
  }
}

/**
 * The install of disks that is not confirmed yet: they show the id of the partition table that it was granted, so it is what they have
 * on them, whatever is known of an earlier one.
 */
export function writtenOn(disks: readonly SeenDisk[], installs: readonly Install[]): Install | undefined {
  return installs.find(it => it.confirmedAt === undefined && disks.some(disk => showsTableOf(disk, it)))
}

/** Says whether a disk shows the partition table of an install, whose id only the machine was given. */
function showsTableOf({ table: seen }: SeenDisk, { table }: Pick<Install, 'table'>): boolean {
  return table !== undefined && seen === table
}

/** The server knows of no install, and the disk has a state partition of ours that could not be read: perhaps it can be later. */
function refuseUnreadable(name: string, disk: SeenDisk): InstallDecision {
  return {
    refused: 'STATE_MISSING',
    why:
      `${diskText(disk)} of ${name} has a state partition that cannot be read. Nothing is written, since what it keeps may be saved yet. ` +
      `To install it anew:  ${reinstallCommand(name)}`,
  }
}

/** It is installed, and its state was not found: a boot alone never makes it anew. */
function refuseLost(question: InstallQuestion, choice: DiskChoice, lost: Install): InstallDecision {
  const { disks, version } = lost
  const { machine, asked } = question
  const { name } = machine
  const there = shownOf(lost, asked.disks)
  const anew = installAnew(question, choice, there)
  if (there.length === 0) {
    return {
      refused: 'INSTALLED_ELSEWHERE',
      why:
        `${name} is installed on ${textOf(disks)}, which it does not show now. Nothing is written. Look at the disk and its cable first. ` +
        anew,
    }
  }
  return {
    refused: 'STATE_MISSING',
    why:
      `${name} is installed (${version}) on ${textOf(there)}, and no state of it was found there. Nothing is written, since what it ` +
      `kept may be saved yet. ${anew}`,
  }
}

function textOf(disks: readonly DiskName[]): string {
  return disks.length === 0 ? 'no disk' : disks.map(diskText).join(' and ')
}
