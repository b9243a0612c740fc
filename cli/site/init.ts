// `pilotlight init`: writes a site file from flags, and asks at a terminal for what they leave open.

import { printJson } from '../terminal/show.ts'
import { open, rm } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { Option, type Command } from 'commander'
import { draftSite, layoutOf, type SiteAnswers } from '#rack/site/draft.ts'
import { parseSite } from '#rack/site/read.ts'
import { OPTIONAL_SERVICES, type OptionalService, type Site } from '#rack/site/site.ts'
import { pathWord } from '#host/shell.ts'
import { systemFault } from '#host/system-fault.ts'
import { Failure } from '#model/error.ts'

/** What the flags say; what is missing is asked for, or has a default. */
export type InitFlags = {
  readonly name?: string
  readonly subnet?: string
  readonly dhcp?: SiteAnswers['dhcp']
  readonly controller?: readonly string[]
  readonly compute?: readonly string[]
  readonly externalCidr?: string
  readonly externalInterface?: string
  readonly waves?: readonly OptionalService[]
  readonly force?: boolean
  readonly json?: boolean
}

/** Gives the answer to a question, or the default for an empty one. */
export type Ask = (question: string, usual: string) => Promise<string>

export function defineInit(command: Command): void {
  command
    .argument('[file]', 'site file to write', 'site.yaml')
    .option('--name <name>', 'name of the rack')
    .option('--subnet <cidr>', 'provisioning network')
    .addOption(
      new Option('--dhcp <mode>', 'full: we give addresses; proxy: another server does').choices([
        'full',
        'proxy',
        'off',
      ]),
    )
    .option('--controller <mac...>', 'MAC address of the controller (one today)')
    .option('--compute <mac...>', 'MAC addresses of compute machines; without any the controller does all')
    .option('--external-cidr <cidr>', 'network of floating IPs')
    .option('--external-interface <name>', 'interface of the network nodes that leads there')
    .addOption(new Option('--waves <service...>', 'optional services').choices([...OPTIONAL_SERVICES]))
    .option('--force', 'overwrites a file that is there')
    .option('--json', 'what was written, as JSON')
    .addHelpText(
      'after',
      `
Examples:
  pilotlight init                                                    asks
  pilotlight init rack.yaml --controller 52:54:00:20:00:01           all-in-one
  pilotlight init rack.yaml --controller 52:54:00:20:00:01 --compute 52:54:00:20:00:02 52:54:00:20:00:03`,
    )
    .action(async (file: string, flags: InitFlags) => {
      const site = await init(file, flags, process.stdin.isTTY && process.stdout.isTTY)
      const { machines, network } = site
      if (flags.json) return printJson({ file, site })
      process.stdout.write(
        `${file}: ${machines.map(({ name, address }) => `${name} ${address}`).join(', ')} in ${network.subnet}\n` +
          `next: pilotlight plan ${file}\n`,
      )
    })
}

/**
 * Writes the file and gives the site as it will be read.
 *
 * @throws {FileProblems} when the answers make no usable site; nothing is written then
 * @throws {Failure} when the file is there already, or MACs are missing and there is no terminal to ask at
 */
export async function init(file: string, flags: InitFlags, interactive: boolean): Promise<Site> {
  const answers = interactive ? await atTerminal(ask => askFor(flags, ask)) : withDefaults(flags)
  const text = draftSite(answers)
  const site = parseSite(file, text)
  if (flags.force) await rm(file, { force: true })
  const handle = await open(file, 'wx').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST')
      throw new Failure(
        'IN_THE_WAY',
        `${file} is there already`,
        `pilotlight init ${pathWord(file)} --force   writes over it`,
      )
    const { why, fix } = systemFault(error, file)
    throw new Failure('BAD_OPTION', `${file} cannot be written: ${why}`, fix)
  })
  await handle.writeFile(text)
  await handle.close()
  return site
}

/** Asks for what the flags leave open, a question each, with the default that Enter takes. */
export async function askFor(flags: InitFlags, ask: Ask): Promise<SiteAnswers> {
  const name = flags.name ?? (await ask('Name of the rack', usual.name))
  const subnet = flags.subnet ?? (await ask('Provisioning network', usual.subnet))
  const dhcp =
    flags.dhcp ??
    ((await ask(
      'DHCP (full: we give addresses; proxy: another server does)',
      usual.dhcp,
    )) as SiteAnswers['dhcp'])
  const controllers = oneOf(flags.controller ?? wordsOf(await ask('MAC address of the controller', '')))
  const computes =
    flags.compute ?? wordsOf(await ask('MAC addresses of compute machines (none: all in one)', ''))
  const answers = withDefaults({ ...flags, name, subnet, dhcp, controller: controllers, compute: computes })
  if (flags.externalCidr !== undefined) return answers
  const cidr = await ask(`Network of floating IPs (${layoutOf(answers)})`, usual.externalCidr)
  return cidr === usual.externalCidr ? answers : { ...answers, external: { ...answers.external, cidr } }
}

const usual = { name: 'rack-1', subnet: '10.20.0.0/24', dhcp: 'full', externalCidr: '172.24.4.0/24' } as const

function withDefaults(flags: InitFlags): SiteAnswers {
  const { externalCidr: cidr, externalInterface } = flags
  return {
    name: flags.name ?? usual.name,
    subnet: flags.subnet ?? usual.subnet,
    dhcp: flags.dhcp ?? usual.dhcp,
    controllers: oneOf(flags.controller ?? []),
    computes: flags.compute ?? [],
    external: {
      ...(cidr === undefined ? {} : { cidr }),
      ...(externalInterface === undefined ? {} : { interface: externalInterface }),
    },
    waves: OPTIONAL_SERVICES.filter(service => flags.waves?.includes(service)),
  }
}

/** The controllers that were named, which must be one: said before the next question, and not of a file that is not there. */
function oneOf(controllers: readonly string[]): readonly string[] {
  if (controllers.length === 1) return controllers
  const named = controllers.length === 0 ? 'no controller is' : `${controllers.length} controllers are`
  throw new Failure(
    'BAD_OPTION',
    `${named} named, and one is what this version brings up (PL-1009)`,
    'give its MAC address: --controller 52:54:00:20:00:01; further machines can be --compute',
  )
}

/** Runs `work` with questions at the terminal. Lines are queued: what is pasted at once answers one question each. */
async function atTerminal<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const lines = terminal[Symbol.asyncIterator]()
  try {
    return await work(async (question, byDefault) => {
      terminal.setPrompt(byDefault === '' ? `${question}: ` : `${question} [${byDefault}]: `)
      terminal.prompt()
      const line = await lines.next()
      if (line.done)
        throw new Failure('INTERRUPTED', 'the answers ended early', 'run it again, or give flags')
      return line.value.trim() || byDefault
    })
  } finally {
    terminal.close()
  }
}

function wordsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter(word => word !== '')
}
