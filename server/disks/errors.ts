// The refusals about disks of machines: installs, orders, upgrades and the keys of encrypted disks.

import { cleanLabel } from '#model/clean.ts'
import { ServerError } from '../errors.ts'
import { silentText, type Controller } from './controllers.ts'

/** The disk that a machine was to be installed to holds something; the message says what to do. */
export class DiskInUse extends ServerError {
  readonly code = 'DISK_IN_USE'
  readonly statusCode = 409
}

/** A machine does not show the disk that it is installed on, or that its boot may write; the message says what to do. */
export class InstalledElsewhere extends ServerError {
  readonly code = 'INSTALLED_ELSEWHERE'
  readonly statusCode = 409
}

/** The disk that a machine is installed on holds no state of it; the message says what to do. */
export class StateMissing extends ServerError {
  readonly code = 'STATE_MISSING'
  readonly statusCode = 409
}

/** The disk holds the state of another machine; the message says what to do. */
export class StateOfAnotherMachine extends ServerError {
  readonly code = 'STATE_OF_ANOTHER_MACHINE'
  readonly statusCode = 409
}

/** A boot would spend an order, and did not show the key of the machine; the message says what to do. */
export class OrderNotProven extends ServerError {
  readonly code = 'ORDER_NOT_PROVEN'
  readonly statusCode = 409
}

/** More disks would be given up at the same time than one mistake may cost. */
export class TooManyDisks extends ServerError {
  readonly code = 'TOO_MANY_DISKS'
  readonly statusCode = 409
  constructor(verb: string, machines: number, waiting: number, most: number) {
    const others = waiting === 0 ? '' : `, and orders for ${waiting} others wait`
    super(
      `${machines} machines are named to ${verb}${others}: at most ${most} may lose their disks at the same time. Nothing is ordered: name fewer, and the next ones once these are done.`,
    )
  }
}

/** An operator names another number of machines than those that are ordered. */
export class WrongCount extends ServerError {
  readonly code = 'WRONG_COUNT'
  readonly statusCode = 409
  constructor(verb: string, machines: number, count: number) {
    super(
      `${machines} ${machines === 1 ? 'machine is' : 'machines are'} named to ${verb}, and the count says ${count}. Nothing is ordered: say --count ${machines} if all are meant.`,
    )
  }
}

/** An operator orders something for the disk of a machine whose boots ask for none. */
export class NoDisk extends ServerError {
  readonly code = 'NO_DISK'
  readonly statusCode = 409
  constructor(machine: string) {
    super(
      `${machine} runs from RAM, and its boots ask for no disk: its site file says "disk: none" for it, or no site file declares it. ` +
        'Nothing is ordered. Change its "disk", run  pilotlight up  and order again.',
    )
  }
}

/** An order would take so many controllers that etcd stops. */
export class BreaksQuorum extends ServerError {
  readonly code = 'BREAKS_QUORUM'
  readonly statusCode = 409
  constructor(
    verb: string,
    machine: string,
    { controllers, left, needed }: { controllers: readonly Controller[]; left: number; needed: number },
  ) {
    const names = controllers.map(({ name }) => name)
    const whose =
      controllers.length === 1 ? 'the only controller' : `one of the controllers ${names.join(', ')}`
    super(
      `${machine} is ${whose}: after '${verb}' ${left} of ${controllers.length} would run with their disks, and etcd needs ${needed}. ` +
        silentText(controllers) +
        `Nothing is ordered. Take one controller at a time, and wait until it is ready again; or, to lose the cluster:  ` +
        `pilotlight ${verb} … --break-quorum`,
    )
  }
}

/** A machine that is to restart is one without which etcd would stop, or might. */
export class RestartBreaksQuorum extends ServerError {
  readonly code = 'BREAKS_QUORUM'
  readonly statusCode = 409
  constructor(machine: string, isOnly: boolean, away: readonly Controller[]) {
    const names = away.map(({ name }) => name).join(', ')
    super(
      isOnly
        ? `${machine} is the only controller of its site: the API of its cluster is away while it restarts. No restart was ordered. ` +
            `If that may be:  pilotlight upgrade os ${machine} --break-quorum`
        : `${machine} is a controller, and ${names} of its site ${away.length === 1 ? 'does' : 'do'} not run, or ${away.length === 1 ? 'is' : 'are'} about to stop. ` +
            silentText(away) +
            `No restart was ordered. Wait until all other controllers are ready ('pilotlight get machines')`,
    )
  }
}

/** An operator orders an upgrade of a machine without a system on its disk. */
export class NotInstalled extends ServerError {
  readonly code = 'NOT_INSTALLED'
  readonly statusCode = 409
  constructor(machine: string) {
    super(
      `${machine} has no system on its disk yet. Nothing is ordered. It installs itself at its next network boot, with the newest image.`,
    )
  }
}

/** Something else is ordered for a machine, which an upgrade must not take the place of. */
export class OtherOrder extends ServerError {
  readonly code = 'OTHER_ORDER'
  readonly statusCode = 409
  constructor(machine: string, verb: string) {
    super(
      `'${verb}' waits for the next network boot of ${machine}. Nothing is ordered. To take that back:  pilotlight ${verb} ${machine} --undo`,
    )
  }
}

/** An upgrade was ordered to another image while a machine starts one that is not marked good: it would take the only good one's place. */
export class NotGoodYet extends ServerError {
  readonly code = 'NOT_GOOD_YET'
  readonly statusCode = 409
  constructor(machine: string, tried: string, wanted: string) {
    super(
      `${machine} restarts into ${tried}, which is not marked good yet: ${wanted} would be written over the image that it returns to. ` +
        `Nothing is ordered. Wait until it is done or failed:  pilotlight get orders`,
    )
  }
}

/** A machine is to restart, and the image is not on its disk. */
export class NotWritten extends ServerError {
  readonly code = 'NOT_WRITTEN'
  readonly statusCode = 409
  constructor(machine: string, state: string, why: string | undefined) {
    super(
      state === 'failed'
        ? `The upgrade of ${machine} failed: ${why ?? 'it does not say why'}. To begin it anew:  pilotlight upgrade os ${machine}`
        : `${machine} has not written the image yet (${state}). No restart was ordered. Wait until it has:  pilotlight get orders`,
    )
  }
}

/** The key of an encrypted disk is not kept, not shown, or not handed out. */
export class DiskKeyRefused extends ServerError {
  readonly code = 'DISK_KEY_REFUSED'
  readonly statusCode = 403
  constructor(machine: string, why: string) {
    super(`The key of the disk of ${cleanLabel(machine)} is refused: ${why}.`)
  }
}

/** An operator takes back a permission that was not given, or has ended. */
export class NotUnlocked extends ServerError {
  readonly code = 'NOT_UNLOCKED'
  readonly statusCode = 404
  constructor(machine: string) {
    super(
      `There is no permission to take back for the disk of ${machine}: none was given, its hour is over, or the server was restarted since. ` +
        `'pilotlight journal ${machine}' shows which.`,
    )
  }
}

/** An operator takes back what is not ordered. */
export class NoOrder extends ServerError {
  readonly code = 'NO_ORDER'
  readonly statusCode = 404
  constructor(machine: string) {
    super(
      `Nothing is ordered for the disk of ${machine}: no one ordered it, its time is over, or a boot has begun it. ` +
        `'pilotlight journal ${machine}' shows which.`,
    )
  }
}
