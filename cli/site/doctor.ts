// `pilotlight doctor`: looks at everything that decides whether machines will boot, before the first one is switched on.

import type { Command } from 'commander'
import type { Diagnosis } from '#model/diagnosis.ts'
import { EXIT } from '../exit.ts'
import { dataPathOption, serverOption, stateOption } from '../options.ts'
import { print, printJson } from '../terminal/show.ts'

type Flags = {
  readonly server: string
  readonly state: string
  readonly dataPath: string
  readonly tools?: string
  readonly json?: boolean
}

export function defineDoctor(command: Command): void {
  command
    .argument('[site]', 'site file; what the server has is looked at without one')
    .addOption(serverOption())
    .addOption(stateOption())
    .addOption(dataPathOption())
    .option('--tools <dir>', 'the folder of kubectl and helm (PATH is searched otherwise)')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
It switches nothing on and changes nothing. It sends one DHCPDISCOVER with a made-up MAC address, to see which DHCP servers answer, and
reads files of the server as a machine does.

Exit status 0 when no check failed (there may be warnings), 1 when one failed, 6 when the server did not answer.
What was not looked at is listed with the reason.

Examples:
  pilotlight doctor site.yaml --server http://10.20.0.2:8080
  pilotlight doctor --json | jq -r '.items[] | select(.verdict == "failed") | .fix'`,
    )
    .action(async (site: string | undefined, flags: Flags) => {
      const { doctor } = await import('#rack/up/doctor.ts')
      const { versionInfo } = await import('../about/version.ts')
      const { ROOT } = await import('../root.ts')
      const { json = false, ...given } = flags
      const stop = new AbortController()
      const interrupt = () => stop.abort()
      process.once('SIGINT', interrupt)
      const { reached, items } = await doctor(
        { ...given, ...(site !== undefined && { site }), version: versionInfo(ROOT).version },
        stop.signal,
      )
      process.off('SIGINT', interrupt)
      if (json) printJson({ reached, items })
      else print(doctorText(items))
      const hasFailed = items.some(({ verdict }) => verdict === 'failed')
      process.exitCode = !reached ? EXIT.unreachable : hasFailed ? EXIT.failed : EXIT.done
    })
}

const WORDS: Readonly<Record<Diagnosis['verdict'], string>> = {
  ok: 'ok',
  warning: 'warning',
  failed: 'FAILED',
  unseen: 'not looked at',
}

/** The checks as lines for a person, a command below each that needs one, and how many there are of each verdict. */
export function doctorText(items: readonly Diagnosis[]): string {
  const width = Math.max(...items.map(({ check }) => check.length))
  const lines = items.flatMap(({ check, verdict, text, fix }) => [
    `${check.padEnd(width)}  ${WORDS[verdict].padEnd(13)}  ${text}`,
    ...(fix === undefined || verdict === 'ok' ? [] : [`${' '.repeat(width + 17)}fix: ${fix}`]),
  ])
  const counts = (['failed', 'warning', 'unseen', 'ok'] as const).flatMap(verdict => {
    const count = items.filter(item => item.verdict === verdict).length
    return count === 0 ? [] : [`${count} ${WORDS[verdict].toLowerCase()}`]
  })
  return [...lines, '', counts.join(', ')].join('\n')
}
