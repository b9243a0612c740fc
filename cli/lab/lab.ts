// `pilotlight lab`: the virtual rack's verbs.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { Option, type Command } from 'commander'
import type { Lab } from '#lab/lab.ts'
import type { FinishedLab } from '#lab/up/up.ts'
import { Failure } from '#model/error.ts'
import { nearest } from '#model/nearest.ts'
import { EXIT } from '../exit.ts'
import { addSubverbs, type Subverb } from '../subverbs.ts'
import { printJson } from '../terminal/show.ts'
import { withProgress } from '../terminal/with-progress.ts'
import { ROOT } from '../root.ts'
import { definePower } from './power.ts'

export function defineLab(command: Command): void {
  command.enablePositionalOptions()
  addSubverbs(command, VERBS)
  const [up = command] = command.commands
  command.addHelpText('after', () => `\nWithout a command it does \`up\`:\n${usageOf(up)}\n${EXAMPLES}`)
}

const VERBS: readonly Subverb[] = [
  {
    name: 'up',
    summary: 'from nothing to OpenStack: packages, images, rack, boot, Kubernetes, charts',
    define: defineUp,
    isDefault: true,
  },
  { name: 'down', summary: 'takes a lab down and leaves nothing of it; safe to repeat', define: defineDown },
  { name: 'status', summary: 'shows what is up', define: defineStatus },
  {
    name: 'power',
    summary: 'switches machines on or off, or resets them',
    define: command => definePower(command.addOption(whichLab()), findOrFail),
  },
  { name: 'console', summary: 'prints what a machine showed on its console', define: defineConsole },
  {
    name: 'exec',
    summary: 'runs a command where the machine is (a container machine), or in the rack (machine "rack")',
    define: defineExec,
  },
]

function defineUp(command: Command): void {
  command
    .argument('[rack]', 'rack file', resolve(ROOT, 'lab/racks/small/rack.yaml'))
    .option('--keep', 'leave the rack up at the end')
    .option(
      '--lab <name>',
      "the lab's name, by default the rack's; with different names two can run side by side",
    )
    .option('--driver <driver>', 'container or qemu, for every machine of the rack')
    .option('--until <stage>', 'end after this stage: boot, cluster, openstack', 'openstack')
    .option('--json', 'the result as JSON on standard output; progress stays on standard error')
    .addHelpText('after', EXAMPLES)
    .action(async (rackFile: string, { json = false, ...options }: LabUpFlags) => {
      refuseMistyped(rackFile)
      requireRoot()
      const { labUp } = await import('#lab/up/up.ts')
      const { labJson, showLab } = await import('./report.ts')
      await withProgress(({ stage, signal, wouldLeave, drawing, summary }) => {
        const note = (line: string) => drawing.line(line)
        const finished = async (seen: FinishedLab) => {
          summary()
          if (json) printJson(labJson(seen))
          else await showLab(seen)
        }
        const work = { stage, signal, wouldLeave, note, finished }
        return labUp({ ...options, keep: options.keep ?? false, rackFile, root: ROOT }, work)
      })
    })
}

/** Before anything of the lab is looked for: its folder is root's. */
function requireRoot(): void {
  if (process.getuid?.() === 0) return
  const what = 'a lab needs root: it is network namespaces, bridges and mounts'
  throw new Failure('NEEDS_ROOT', what, 'sudo npm run lab')
}

/** A word that is no file, and close to a verb, was meant as one. */
function refuseMistyped(word: string): void {
  if (/[./]/.test(word) || existsSync(word)) return
  const meant = nearest(
    word,
    VERBS.map(({ name }) => name),
  )
  const hint = meant === undefined ? 'there is no such rack file' : `did you mean ${meant}?`
  const remedy = meant === undefined ? 'pilotlight lab --help' : `pilotlight lab ${meant}`
  throw new Failure(
    'BAD_OPTION',
    `"${word}" is neither a rack file nor a command of pilotlight lab; ${hint}`,
    remedy,
  )
}

function defineDown(command: Command): void {
  command
    .addOption(whichLab())
    .option('--json', 'as JSON')
    .action(async (flags: { lab?: string; json?: boolean }) => {
      const { lab: name } = flags
      const { findLab, labNames } = await import('#lab/lab.ts')
      const up = labNames()
      const names = name === undefined ? up : up.filter(one => one === name)
      if (names.length > 1) throw severalLabs(names)
      for (const one of names) await findLab(one)?.down()
      const [gone] = names
      if (flags.json) return printJson({ down: names })
      const none = name === undefined ? 'no lab is up' : `no lab "${name}" is up`
      process.stderr.write(`${gone === undefined ? none : `lab ${gone} is down`}\n`)
    })
}

function defineStatus(command: Command): void {
  command
    .addOption(whichLab())
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight lab status\n  pilotlight lab status --lab rack-2 --json | jq .machines',
    )
    .action(async (options: { lab?: string; json?: boolean }) => {
      const status = (await findOrFail(options.lab)).status()
      if (options.json) {
        printJson(status)
        return
      }
      process.stdout.write(
        `${status.name}  since ${status.startedAt}  server ${status.serverUrl ?? 'none'}\n`,
      )
      for (const { name, mac, driver, power, since, ending } of status.machines) {
        const shuts = ending === undefined ? '' : `shuts down, then ${ending.next}`
        const cells = [name.padEnd(12), mac, driver.padEnd(9), power.padEnd(3), since ?? '', shuts]
        process.stdout.write(`${cells.join('  ').trimEnd()}\n`)
      }
    })
}

function defineConsole(command: Command): void {
  command
    .argument('<machine>', 'its name')
    .addOption(whichLab())
    .option('-f, --follow', 'goes on until the machine is off')
    .addOption(new Option('--json', 'the text as JSON').conflicts('follow'))
    .addHelpText('after', '\nExamples:\n  pilotlight lab console cmp-1 -f')
    .action(async (machine: string, options: { lab?: string; follow?: boolean; json?: boolean }) => {
      const lab = await findOrFail(options.lab)
      const showed = lab.machine(machine).console({ follow: options.follow ?? false })
      if (options.json) {
        const texts: string[] = []
        for await (const text of showed) texts.push(text)
        return printJson({ machine, console: texts.join('') })
      }
      for await (const text of showed) process.stdout.write(text)
    })
}

function defineExec(command: Command): void {
  command
    .argument('<machine>', 'its name, or "rack" for the network that the provisioner is in')
    .argument('<command...>', 'what to run')
    .addOption(whichLab())
    .passThroughOptions()
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight lab exec ctl-1 systemctl status kubelet\n  pilotlight lab exec rack curl http://10.20.0.1:8080/machines',
    )
    .action(async (machine: string, command: string[], options: { lab?: string }) => {
      const lab = await findOrFail(options.lab)
      const { spawnSync } = await import('node:child_process')
      const [program = '', ...args] =
        machine === 'rack' ? lab.inRack(command) : lab.machine(machine).execCommand(command)
      const { status, error } = spawnSync(program, args, { stdio: 'inherit' })
      if (error) throw error
      process.exitCode = status ?? EXIT.failed
    })
}

/** Every verb that works on a lab which is up takes its name so. */
function whichLab(): Option {
  return new Option('--lab <name>', 'name of the lab; needed only when several are up')
}

const EXAMPLES = `
Examples:
  pilotlight lab                                   the small rack; taken down at the end
  pilotlight lab --keep                            leave it up, look around, then: pilotlight lab down
  pilotlight lab lab/racks/waves/rack.yaml         with block storage and stacks
  pilotlight lab lab/racks/mixed/rack.yaml         one machine emulated by QEMU joins a native controller
  pilotlight lab lab/racks/firmware/rack.yaml --until boot    SeaBIOS and OVMF boot the live system`

/** A command's arguments and flags, a line each. */
function usageOf(command: Command): string {
  const help = command.createHelp()
  const lines = [
    ['[rack]', 'rack file, lab/racks/small/rack.yaml by default'],
    ...command.options.map(option => [option.flags, help.optionDescription(option)]),
  ]
  return lines.map(([term = '', text = '']) => `  ${term.padEnd(18)}  ${text}`).join('\n')
}

/** The flags of `lab up`. */
export type LabUpFlags = {
  readonly keep?: boolean
  readonly lab?: string
  readonly driver?: string
  readonly until: string
  readonly json?: boolean
}

/** The lab of that name, or the only one that is up. */
async function findOrFail(name: string | undefined): Promise<Lab> {
  const { findLab, labNames } = await import('#lab/lab.ts')
  const { LAB_NAME } = await import('#lab/rack.ts')
  const names = name === undefined ? labNames() : [name]
  if (names.length > 1) throw severalLabs(names)
  const lab = names[0] !== undefined && LAB_NAME.test(names[0]) ? findLab(names[0]) : undefined
  if (lab) return lab
  const which = name === undefined ? 'no lab is up' : `no lab "${name}" is up`
  throw new Failure('NOT_FOUND', which, 'start one:  npm run lab -- --keep')
}

function severalLabs(names: readonly string[]): Failure {
  return new Failure(
    'BAD_OPTION',
    `several labs are up: ${names.join(' ')}`,
    `pilotlight lab status --lab ${names[0]}   and so with each command`,
  )
}
