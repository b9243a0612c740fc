// `pilotlight charts status`: how every release is now.

import type { Command } from 'commander'
import type { ReleaseStatus } from '#rack/charts/verbs/status.ts'
import { EXIT } from '../exit.ts'
import { ofSite, print, sessionOf, type ChartsFlags } from './site-flags.ts'

export function defineStatus(command: Command): void {
  ofSite(command)
    .addHelpText(
      'after',
      `
Exit status 0 when every promise is kept, 1 when one is not.

Examples:
  pilotlight charts status site.yaml
  pilotlight charts status site.yaml --json | jq '.releases[] | select(.state != "kept")'`,
    )
    .action(async (site: string, flags: ChartsFlags) => {
      const { readStatus } = await import('#rack/charts/verbs/status.ts')
      const releases = await readStatus(await sessionOf(site, flags))
      print(flags, { releases }, releases.flatMap(describeStatus))
      if (releases.some(({ state }) => state !== 'kept')) process.exitCode = EXIT.failed
    })
}

function describeStatus({ name, state, revision, helm, reason, remedy, pods }: ReleaseStatus): string[] {
  const glyph = { kept: '✓', waiting: '◐', broken: '✗', absent: '–' }[state]
  const ready = pods.filter(pod => pod.ready).length
  const head = `${glyph} ${name.padEnd(12)} ${state.padEnd(8)}`
  const shown = revision === undefined ? '' : ` revision ${revision} ${helm}, ${ready} of ${pods.length} pods`
  return [
    `${head}${shown}`.trimEnd(),
    ...(reason === undefined ? [] : [`    ${reason}`]),
    ...(remedy === undefined ? [] : [`    ${remedy}`]),
    ...pods.flatMap(pod =>
      pod.ready || pod.reason === undefined || pod.reason === reason ? [] : [`    ${pod.reason}`],
    ),
  ]
}
