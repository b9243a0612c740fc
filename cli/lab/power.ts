// `pilotlight lab power`: the switch of a lab's machines.

import { Argument, type Command } from 'commander'
import type { Lab } from '#lab/lab.ts'
import type { MachineStatus } from '#lab/machine.ts'
import type { TakenOrder } from '#lab/power.ts'
import type { PowerVerb } from '#lab/state.ts'
import { Failure } from '#model/error.ts'
import { forEach } from '../each.ts'

type Flags = { lab?: string; hard?: boolean; wait?: string | true; json?: boolean }

const VERBS: readonly PowerVerb[] = ['on', 'off', 'cycle', 'reset']

/** Adds its arguments and flags; `find` gives the lab of that name, or the only one that is up. */
export function definePower(command: Command, find: (name: string | undefined) => Promise<Lab>): void {
  command
    .addArgument(new Argument('<order>', VERBS.join(', ')))
    .argument('[machine...]', 'their names; all machines of the rack by default')
    .option('--hard', 'cut the power: nothing is shut down, and what was not flushed to a disk is lost')
    .option(
      '--wait [seconds]',
      'until it is done, by default 30 s longer than a machine may take to shut down',
    )
    .option('--json', 'as JSON')
    .addHelpText('after', HELP)
    .action(async (verb: string, machines: string[], flags: Flags) => {
      const order = checkedOrder(verb, machines)
      const waitSeconds = checkedWait(flags.wait)
      const lab = await find(flags.lab)
      const names = machines.length > 0 ? [...new Set(machines)] : lab.rack.machines.map(({ name }) => name)
      for (const name of names) lab.machine(name) // all are there before any is switched
      const { hard = false, json = false } = flags
      const work = (name: string) => switchOne(lab, name, { verb: order, hard }, waitSeconds)
      await forEach(names, json, work, { together: true })
    })
}

const HELP = `
  on      gives power. A machine that shuts down is switched on again as soon as it is off.
  off     presses the power button: the system shuts down, and if it has not after 90 s, its
          power is cut. With --hard the power is cut at once.
  cycle   off, then on; a machine that is off is switched on.
  reset   presses the reset button: the machine starts over at once, and nothing is shut down.

Of several orders the last one decides what the machine is afterwards. The command ends with 0 once the
order is sure to be carried out: a power cut is done then, a shutdown goes on. With --wait it ends when the
machine is off, or on again. 5: it was not so in time. 1: the machine went off, or got no power.

Examples:
  pilotlight lab power off cmp-1 --wait
  pilotlight lab power on cmp-1
  pilotlight lab power off --hard                  a power cut of the whole rack
  pilotlight lab power cycle ctl-1 cmp-1 --hard --wait 60`

function checkedOrder(verb: string, [machine = '']: readonly string[]): PowerVerb {
  const found = VERBS.find(one => one === verb)
  if (found !== undefined) return found
  const what = `"${verb}" is not something to do with power: ${VERBS.join(', ')}`
  throw new Failure('BAD_OPTION', what, `pilotlight lab power on ${machine}`.trimEnd())
}

/** Seconds; undefined: it does not wait. `true`: as long as it can take. */
function checkedWait(wait: string | true | undefined): number | true | undefined {
  if (typeof wait !== 'string') return wait
  if (/^\d{1,5}$/.test(wait) && Number(wait) > 0) return Number(wait)
  const what = `--wait ${wait} is not a number of seconds`
  throw new Failure('BAD_OPTION', what, 'give 1 to 99999, or the machines before the flags: off cmp-1 --wait')
}

type Outcome = { readonly state: 'on' | 'off'; readonly line: string; readonly details: object }

async function switchOne(
  lab: Lab,
  name: string,
  wanted: { readonly verb: PowerVerb; readonly hard: boolean },
  wait: number | true | undefined,
): Promise<Outcome> {
  const { GRACE_SECONDS } = await import('#lab/power.ts')
  const machine = lab.machine(name)
  const began = performance.now()
  const order = await machine.order(wanted)
  const limit = wait === true ? GRACE_SECONDS + 30 : wait
  const ended = limit === undefined ? undefined : await machine.powerIs(order, limit)
  const { power: state, ending } = machine.status()
  const seconds = (performance.now() - began) / 1000
  const details = {
    changed: order.changes,
    ...(ending && { ending }),
    ...(ended && { ended, seconds: Number(seconds.toFixed(1)) }),
  }
  const what = wordsOf({ wanted, order, state, ending, ended, seconds })
  return { state, line: `${name} ${what}`, details }
}

type Seen = {
  readonly wanted: { readonly verb: PowerVerb; readonly hard: boolean }
  readonly order: TakenOrder
  readonly state: 'on' | 'off'
  /** A shutdown that goes on. */
  readonly ending: MachineStatus['ending']
  /** How it went off, where that was waited for. */
  readonly ended: 'shut down' | 'cut' | undefined
  readonly seconds: number
}

/** What became of the machine, as the end of a sentence. */
export function wordsOf({ wanted: { verb, hard }, order, state, ending, ended, seconds }: Seen): string {
  if (!order.changes) return `was ${state} already`
  if (ending !== undefined) {
    if (verb === 'reset') return 'starts over at once, and nothing is shut down'
    const then = ending.next === 'on' ? ', and is switched on again' : ''
    return `shuts down, until ${ending.until.slice(11, 19)} UTC at the latest${then}`
  }
  if (verb !== 'off') return verb === 'on' ? 'is on' : 'is on again'
  if (state === 'on') return 'was off, and another command has switched it on again'
  if (hard) return 'is off: its power was cut'
  const took = `${seconds.toFixed(1)} s`
  return ended === 'cut'
    ? `is off: it did not shut down, and its power was cut after ${took}`
    : `is off: it shut down in ${took}`
}
