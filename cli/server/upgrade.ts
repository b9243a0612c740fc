// `pilotlight upgrade os`: brings machines that run from a disk to the image of the server's assets, one after another.

import { access, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import type { MachineState } from '#client/server.ts'
import { cleanText, someOf } from '#model/clean.ts'
import { Failure } from '#model/error.ts'
import { HEALTHY_SECONDS } from '#model/install.ts'
import type { UpgradeOutcome } from '#rack/up/upgrade-os.ts'
import type { Site } from '#rack/site/site.ts'
import { EXIT, exitAs } from '../exit.ts'
import { serverOption, stateOption } from '../options.ts'
import { addSubverbs } from '../subverbs.ts'
import { askYes } from '../terminal/ask.ts'
import { print, printJson } from '../terminal/show.ts'
import { withProgress } from '../terminal/with-progress.ts'
import { undoOrders, upgradeLine } from './orders.ts'

type Flags = {
  readonly server: string
  readonly state: string
  readonly site?: string
  readonly kubeconfig?: string
  readonly drain: boolean
  readonly breakQuorum?: boolean
  readonly writeLimit: number
  readonly drainLimit: number
  readonly restartLimit?: number
  readonly healthyLimit?: number
  readonly yes?: boolean
  readonly undo?: boolean
  readonly json?: boolean
}

const DAY_SECONDS = 86_400
/** A machine gives up its image after 90 minutes (`images/live/root/usr/lib/pilotlight/orders`), and reports that: five more. */
const WRITE_SECONDS = 5700

export function defineUpgrade(command: Command): void {
  addSubverbs(command, [
    {
      name: 'os',
      summary: 'writes the image to the slot that does not run, drains, restarts, waits, next machine',
      define: defineUpgradeOs,
    },
  ])
}

function defineUpgradeOs(command: Command): void {
  command
    .argument('[machine...]', 'names of machines; with --site all of that site unless some are named')
    .addOption(serverOption())
    .option('--site <file>', 'site file')
    .addOption(stateOption())
    .option('--kubeconfig <file>', "the cluster's; by default the one in the state directory")
    .option('--no-drain', 'restarts machines with the pods that run there')
    .option('--break-quorum', 'also an only controller: the API of its cluster is away while it restarts')
    .option(
      '--write-limit <seconds>',
      'how long no machine may get any further while one writes; half an hour where none does',
      seconds,
      WRITE_SECONDS,
    )
    .option('--drain-limit <seconds>', 'for the pods of a node to leave', seconds, 600)
    .option(
      '--healthy-limit <seconds>',
      'how long after each of its starts the new image must be marked good, or the machine restarts; after three the loader takes the old one (default: 900)',
      healthySeconds,
    )
    .option(
      '--restart-limit <seconds>',
      'from the order to restart to ready (default: three times the healthy limit, and 35 minutes)',
      seconds,
    )
    .option('-y, --yes', 'does not ask')
    .option('--undo', 'takes the order back; what is written stays, and is started next')
    .option('--json', 'the outcomes as JSON on standard output; progress stays on standard error')
    .addHelpText(
      'after',
      `
All machines write at once, as far as the server lets them; what runs is not touched by that. Then they restart one by one, controllers last,
each once the other controllers are ready. Guests of a compute machine stop with it and start again with it. The first machine that
does not become ready with the new image ends it: its loader goes back to the old one by itself. The same command goes on where it stopped.

Exit status 0 when all run the image; 7 when some did not ask the server in time (they stay ordered for a week), 5 when none did;
1 when one failed; 4 when the server refuses; 130 after Ctrl-C.

Examples:
  pilotlight upgrade os --site site.yaml
  pilotlight upgrade os cmp-1 cmp-2 --site site.yaml --yes
  pilotlight upgrade os ctl-1 --no-drain --break-quorum
  pilotlight upgrade os cmp-1 --undo`,
    )
    .action(upgrade)
}

async function upgrade(names: readonly string[], flags: Flags): Promise<void> {
  const { ServerClient: Client } = await import('#client/server.ts')
  const client = new Client(flags.server)
  if (flags.undo === true) return undoOrders(client, [...new Set(names)], flags.json)
  const site = flags.site === undefined ? undefined : await siteOf(flags.site, flags)
  const known = await client.machines()
  const machines = machinesOf(names, site, known)
  const kubeconfig = flags.drain ? await kubeconfigOf(site, flags) : undefined
  await withProgress(async ({ stage, signal, summary, drawing, wouldLeave }) => {
    await confirm(machines, flags, text => askYes(text, drawing, signal))
    const { healthyLimit = HEALTHY_SECONDS.default } = flags
    const { upgradeOs } = await import('#rack/up/upgrade-os.ts')
    const { connect } = await import('#rack/kubernetes/connect.ts')
    const cluster = kubeconfig === undefined ? undefined : await connect(kubeconfig)
    try {
      const outcomes = await upgradeOs(
        machines,
        { server: client, cluster },
        {
          breakQuorum: flags.breakQuorum ?? false,
          writeLimitSeconds: flags.writeLimit,
          drainLimitSeconds: flags.drainLimit,
          restartLimitSeconds: flags.restartLimit ?? 3 * healthyLimit + 2100,
          healthySeconds: flags.healthyLimit,
          signal,
          wouldLeave,
        },
        stage,
      )
      summary()
      report(outcomes, flags)
    } finally {
      await cluster?.close()
    }
  }, 'Machines that write go on writing; one that restarts goes on; a node that was drained stays cordoned until the same command has run.')
}

/**
 * The machines that are meant.
 *
 * @throws {Failure} BAD_OPTION, NOT_FOUND
 */
function machinesOf(
  names: readonly string[],
  site: Site | undefined,
  known: readonly MachineState[],
): readonly MachineState[] {
  if (names.length === 0 && site === undefined) {
    const remedy = 'pilotlight upgrade os --site site.yaml   or name machines'
    throw new Failure('BAD_OPTION', 'no machine is named, and no site', remedy)
  }
  const wanted = names.length > 0 ? [...new Set(names)] : site?.machines.map(({ name }) => name)
  const found = (wanted ?? []).map(name => {
    const machine = known.find(one => one.name === name)
    if (machine === undefined)
      throw new Failure('NOT_FOUND', `there is no machine ${name}`, 'pilotlight get machines   lists all')
    return machine
  })
  if (names.length > 0) return found
  const installed = found.filter(({ disk }) => disk !== undefined && disk !== 'none')
  if (installed.length > 0) return installed
  throw new Failure(
    'NO_DISK',
    'all machines of the site run from RAM',
    'they start with the new image at their next boot',
  )
}

async function siteOf(path: string, { state }: Flags): Promise<Site> {
  const { readSiteFile } = await import('#rack/site/read.ts')
  return readSiteFile(path, state)
}

/** The kubeconfig that drains, one that lasts. */
async function kubeconfigOf(site: Site | undefined, { state, kubeconfig }: Flags): Promise<string> {
  const path = resolve(kubeconfig ?? join(state, 'kubeconfig'))
  if (kubeconfig === undefined && site !== undefined) {
    const { freshenKubeconfig } = await import('#rack/up/kubeconfig.ts')
    await freshenKubeconfig(site, resolve(state))
  }
  await access(path).catch((cause: unknown) => {
    const remedy =
      'name the directory that `up` used (--state DIR), or a kubeconfig (--kubeconfig FILE); or restart machines with their pods (--no-drain)'
    throw new Failure('NOT_FOUND', `there is no cluster to drain nodes of: no ${path}`, remedy, { cause })
  })
  return readFile(path, 'utf8')
}

/** @throws {Failure} NEEDS_TERMINAL, INTERRUPTED */
async function confirm(
  machines: readonly MachineState[],
  { yes = false }: Flags,
  ask: (text: string) => Promise<boolean>,
): Promise<void> {
  if (yes) return
  const { length } = machines
  const names = machines.map(({ name }) => name)
  const shown = someOf(names, 10)
  if (!process.stdin.isTTY) {
    const what = `${length} machines would restart one after another (${shown}), and no one can be asked here`
    throw new Failure('NEEDS_TERMINAL', what, 'the same with --yes   does not ask')
  }
  const question = `${shown}: ${length === 1 ? 'it writes' : 'these write'} the image of the assets, and ${length === 1 ? 'restarts' : 'restart one after another'}.`
  if (!(await ask(question)))
    throw new Failure('INTERRUPTED', 'nothing was ordered', 'the same with --yes   does not ask')
}

function report(outcomes: readonly UpgradeOutcome[], { json = false }: Flags): void {
  if (json) printJson(outcomes)
  else
    print(
      outcomes.map(({ machine, state, target = '', why }) => lineOf(machine, state, target, why)).join('\n'),
    )
  const left = outcomes.filter(({ state }) => state !== 'done')
  if (left.length === 0) return
  const named = (one: UpgradeOutcome['state']) =>
    left.flatMap(({ machine, state }) => ((state === 'writing') === (one === 'writing') ? [machine] : []))
  const [writing, away] = [named('writing').join(' '), named('ordered').join(' ')]
  const lines = [
    away && `${away} got no further in time, and stay ordered for a week. Are they on?`,
    writing && `${writing} still write, and go on: look at them with  pilotlight console MACHINE .`,
  ]
  process.stderr.write(
    `${cleanText(`error: ${lines.filter(line => line !== '').join(' ')} pilotlight get machines; then the same again`, Infinity)}\n`,
  )
  exitAs(left.length === outcomes.length ? EXIT.waitedTooLong : EXIT.partly)
}

function lineOf(
  machine: string,
  state: UpgradeOutcome['state'],
  target: string,
  why: string | undefined,
): string {
  return upgradeLine({ machine, verb: 'upgrade', state, target, ...(why !== undefined && { why }) })
}

/** A flag's text as a number of seconds. */
function seconds(text: string): number {
  const number = Number(text)
  if (number > 0 && number <= DAY_SECONDS) return number
  throw new InvalidArgumentError(`it is a number of seconds greater than 0, at most ${DAY_SECONDS}: a day`)
}

/** A flag's text as the seconds that a new image has. */
function healthySeconds(text: string): number {
  const number = Number(text)
  const { least, most } = HEALTHY_SECONDS
  if (Number.isInteger(number) && number >= least && number <= most) return number
  throw new InvalidArgumentError(`it is a whole number of seconds from ${least} to ${most}`)
}
