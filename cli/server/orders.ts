// `pilotlight reinstall` and `pilotlight wipe`: what the next network boot of machines does with their disks.

import { InvalidArgumentError, type Command } from 'commander'
import type { ServerClient } from '#client/server.ts'
import { cleanText, someOf } from '#model/clean.ts'
import { Failure } from '#model/error.ts'
import type { BootOrderVerb, OrderView } from '#model/install.ts'
import { serverOption } from '../options.ts'
import { askLine, askYes, printLines } from '../terminal/ask.ts'
import { print, printJson } from '../terminal/show.ts'

type Flags = {
  readonly server: string
  readonly count?: number
  readonly yes?: boolean
  readonly undo?: boolean
  readonly breakQuorum?: boolean
  readonly withoutProof?: boolean
  readonly json?: boolean
}

/** How many machines may be ordered by typing their number; for more it is on the command line, where it was thought about. */
const MOST_TYPED = 10

const WHAT = {
  reinstall: 'installs them anew. All that their disks hold is lost',
  wipe: 'erases their disks and switches them off. All that the disks hold is lost',
} as const

export function defineReinstall(command: Command): void {
  defineOrder(command, 'reinstall')
}

export function defineWipe(command: Command): void {
  defineOrder(command, 'wipe')
}

function defineOrder(command: Command, verb: BootOrderVerb): void {
  command
    .argument('<machine...>', 'names of machines')
    .addOption(serverOption())
    .option(
      '--count <n>',
      'how many machines these are; it must be the number of those that are named',
      number,
    )
    .option('-y, --yes', 'does not ask')
    .option('--undo', 'takes the order back, also from a boot that was granted it and has not finished')
    .option('--break-quorum', 'also where the etcd of their cluster is lost by it')
    .option(
      '--without-proof',
      'also for a boot that does not show the key of the disk: the disk is dead or lost its state',
    )
    .option('--json', 'the orders as JSON')
    .addHelpText(
      'after',
      `
The order waits for a day, for one boot from the network: a machine whose firmware starts from its disk first is not reached.
An installed machine proves by the key on its disk that the boot is its own. Where the disk is dead or lost its state, it cannot, and the order
waits: its journal says so, and with --without-proof any boot at the machine's address spends it.
An order that would leave etcd without a quorum is refused. A controller counts as running if it was ready and asked for orders within five
minutes. One that runs from RAM never asks, and for five minutes after a start of the server none counts as off: check  kubectl get nodes  first.
'pilotlight get orders' lists what waits. A machine that was wiped is installed anew when it is switched on again ('machines
reopen' where the site's reboots wait for it), unless it was taken out of its site file.

Examples:
  pilotlight ${verb} cmp-3 --count 1
  pilotlight ${verb} cmp-3 cmp-4 --count 2 --yes
  pilotlight ${verb} cmp-3 --undo`,
    )
    .action(async (names: readonly string[], flags: Flags) => {
      const { ServerClient: Client } = await import('#client/server.ts')
      const client = new Client(flags.server)
      const machines = [...new Set(names)]
      if (flags.undo === true) return undoOrders(client, machines, flags.json)
      const count = await countOf(verb, machines, flags)
      const { breakQuorum = false, withoutProof } = flags
      const proof = withoutProof === undefined ? {} : { withoutProof }
      const orders = await client.order({ verb, machines, count, breakQuorum, ...proof })
      if (flags.json === true) printJson(orders)
      else print(orders.map(orderLine).join('\n'))
    })
}

/** Takes back what was ordered for each of these machines, and prints a line for each. */
export async function undoOrders(
  client: ServerClient,
  names: readonly string[],
  json = false,
): Promise<void> {
  const { forEach } = await import('../each.ts')
  return forEach(names, json, async name => {
    const { verb } = await client.undoOrder(name)
    return { state: 'undone', line: `${name}: ${verb} is taken back` }
  })
}

/** An order, until when, and how it is taken back; of an upgrade how far it is. */
export function orderLine(order: Omit<OrderView, 'at'>): string {
  const { machine, verb, until, who, boot, withoutProof, replaced } = order
  if (verb === 'upgrade') return upgradeLine(order)
  const what = verb === 'wipe' ? 'erases its disk' : 'installs it anew'
  const state =
    boot === undefined
      ? `its next network boot${withoutProof === true ? ' (also without the key of its disk)' : ''} ${what}, until ${until.slice(0, 16)}Z (by ${who})`
      : `boot ${boot} ${what} now (by ${who})`
  const instead = replaced === undefined ? '' : `, in place of the ${replaced} that waited`
  return cleanText(
    `${machine}: ${state}${instead}; to take it back:  pilotlight ${verb} ${machine} --undo`,
    Infinity,
  )
}

/** How far an upgrade is, and what to do about it. */
export function upgradeLine({
  machine,
  target,
  state,
  why,
  who,
}: Omit<OrderView, 'at' | 'until' | 'who'> & { readonly who?: string }): string {
  const what = {
    ordered: `waits to write ${target}`,
    writing: `writes ${target} to the slot that does not run`,
    written: `has ${target} on its disk, and starts it next; to restart it now:  pilotlight upgrade os ${machine}`,
    rebooting: `restarts into ${target}`,
    done: `runs ${target}`,
    failed: `was not upgraded to ${target}: ${why ?? 'it does not say why'}; to begin anew:  pilotlight upgrade os ${machine}`,
  }[state ?? 'ordered']
  return cleanText(`${machine}: ${what}${who === undefined ? '' : ` (by ${who})`}`, Infinity)
}

/**
 * How many machines the operator says that these are.
 *
 * @throws {Failure} NEEDS_TERMINAL, BAD_OPTION, INTERRUPTED
 */
async function countOf(verb: BootOrderVerb, machines: readonly string[], flags: Flags): Promise<number> {
  const { count, yes = false } = flags
  const { length } = machines
  const command = `pilotlight ${verb} … --count ${length}`
  if (count !== undefined && yes) return count
  if (!process.stdin.isTTY) {
    if (count !== undefined && count !== length) {
      const named = length === 1 ? '1 machine is' : `${length} machines are`
      throw new Failure(
        'BAD_OPTION',
        `${named} named, and --count says ${count}`,
        `${command} --yes   if all are meant`,
      )
    }
    const [what, remedy] =
      count === undefined
        ? ['how many machines are meant is not said', `${command} --yes   once you have counted them`]
        : ['no one can be asked here', `${command} --yes   does not ask`]
    throw new Failure('NEEDS_TERMINAL', what, remedy)
  }
  if (count === undefined && length > MOST_TYPED) {
    const what = `${length} machines are named, more than ${MOST_TYPED}`
    throw new Failure('BAD_OPTION', what, `${command}   if that is the number that you mean`)
  }
  const said = `The next network boot of ${someOf(machines, MOST_TYPED)} ${WHAT[verb]}.`
  const drawing = { line: (text: string) => void process.stderr.write(`${text}\n`) }
  if (count !== undefined) {
    if (await askYes(said, drawing)) return count
  } else {
    printLines(said, drawing)
    const typed = await askLine('How many machines are that? ')
    if (typed !== undefined) {
      if (NUMBER.test(typed)) return Number(typed)
      const what = `nothing was ordered: ${JSON.stringify(typed.slice(0, 40))} is not a number of machines`
      throw new Failure('BAD_OPTION', what, `${command}   if that is the number`)
    }
    process.stderr.write('\n')
  }
  throw new Failure('INTERRUPTED', 'nothing was ordered', `${command} --yes   does not ask`)
}

const NUMBER = /^[1-9][0-9]{0,5}$/

function number(text: string): number {
  if (NUMBER.test(text)) return Number(text)
  throw new InvalidArgumentError('it is a number of machines, for example 3')
}
