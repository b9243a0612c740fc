// `pilotlight version`: which Pilotlight this is, and what it runs on.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { ROOT } from '../root.ts'
import { printJson } from '../terminal/show.ts'

/** What `pilotlight version --json` prints. */
export type VersionInfo = {
  readonly version: string
  /** The commit of a checkout; absent where there is none. */
  readonly commit?: string
  readonly node: string
  readonly platform: string
}

export function defineVersion(command: Command): void {
  command
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Examples:
  pilotlight version
  pilotlight version --json | jq -r .commit`,
    )
    .action((options: { json?: boolean }) => {
      const info = versionInfo(ROOT)
      if (options.json) printJson(info)
      else process.stdout.write(versionText(info))
    })
}

/** What is known of the Pilotlight below `root`. */
export function versionInfo(root: string): VersionInfo {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const commit = commitOf(join(root, '.git'))
  return {
    version,
    ...(commit === undefined ? {} : { commit }),
    node: process.versions.node,
    platform: `${process.platform}/${process.arch}`,
  }
}

/** The same for people: one line. */
export function versionText({ version, commit, node, platform }: VersionInfo): string {
  const from = commit === undefined ? '' : `, commit ${commit.slice(0, 12)}`
  return `pilotlight ${version} (${platform}, node ${node}${from})\n`
}

/** The current commit of a checkout, read from git's own files: git may not be installed. */
function commitOf(git: string): string | undefined {
  const head = textOf(join(git, 'HEAD'))
  const [, ref] = /^ref: (.+)$/.exec(head ?? '') ?? []
  if (ref === undefined) return head
  const packed = textOf(join(git, 'packed-refs'))
    ?.split('\n')
    .find(line => line.endsWith(` ${ref}`))
  return textOf(join(git, ref)) ?? packed?.split(' ', 1)[0]
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined // no checkout, or packed away
  }
}
