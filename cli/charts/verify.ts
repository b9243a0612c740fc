// `pilotlight verify`: boots a guest in the cloud and says what was seen.

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { trustServer } from '#client/credentials.ts'
import type { CheckResult } from '#rack/openstack/verify/check.ts'
import type { GuestSource } from '#rack/openstack/verify/guest-image.ts'
import type { Verification } from '#rack/openstack/verify/verify.ts'
import { requirePassword } from './openstack.ts'
import { serverOption, stateOption } from '../options.ts'
import { printJson } from '../terminal/show.ts'
import { withProgress, type LongWork } from '../terminal/with-progress.ts'

/** The flags of `pilotlight verify`. */
export type VerifyFlags = {
  readonly server: string
  readonly state: string
  readonly image?: string
  readonly expect: string
  readonly json?: boolean
}

export function defineVerify(command: Command): void {
  command
    .argument('<site>', 'site file')
    .addOption(serverOption())
    .addOption(stateOption())
    .option('--image <file>', 'boots this disk image (raw or qcow2) in place of the small guest')
    .option('--expect <text>', 'what the console of that image shows once it has booted', 'login:')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Examples:
  pilotlight verify site.yaml
  pilotlight verify site.yaml --json | jq '.checks[] | [.name, .seconds]'
  pilotlight verify site.yaml --image debian-12.qcow2 --expect 'debian login:'`,
    )
    .action(async (site: string, flags: VerifyFlags) => {
      await withProgress(work => verify(site, flags, work))
    })
}

async function verify(
  siteFile: string,
  flags: VerifyFlags,
  { stage, signal, drawing }: LongWork,
): Promise<void> {
  const { readSiteFile } = await import('#rack/site/read.ts')
  const { verifyOpenstack } = await import('#rack/openstack/verify/verify.ts')
  const { VerificationFailed } = await import('#rack/openstack/verify/errors.ts')
  const site = await readSiteFile(siteFile, flags.state)
  const password = await requirePassword(flags.state)
  const show = (checks: readonly CheckResult[], seen?: Verification) => {
    drawing.close()
    if (flags.json) printJson(resultOf(checks, seen))
    else process.stdout.write(`${checkTable(checks)}\n`)
  }
  try {
    const stateDirectory = resolve(flags.state)
    if (flags.image === undefined) trustServer(flags.server)
    const guest = guestOf(flags)
    const seen = await verifyOpenstack({
      site,
      password: async () => password,
      stateDirectory,
      guest,
      serviceSeconds: 60,
      stage,
      signal,
    })
    show(seen.checks, seen)
  } catch (error) {
    if (error instanceof VerificationFailed) show(error.checks)
    throw error
  }
}

/** Our own guest, as the server hands it out, unless a disk image was named. */
export function guestOf({
  server,
  image,
  expect,
}: Pick<VerifyFlags, 'server' | 'image' | 'expect'>): GuestSource {
  return image === undefined ? { url: `${server}/assets/guest` } : { file: resolve(image), shows: expect }
}

/** A line for each check, in the order in which they ended. */
export function checkTable(checks: readonly CheckResult[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length), 5)
  const line = (name: string, state: string, waited: string, seconds: string, note: string) =>
    `${name.padEnd(width)}  ${state.padEnd(7)}  ${waited.padStart(6)}  ${seconds.padStart(7)}  ${note}`.trimEnd()
  return [
    line('check', 'result', 'waited', 'seconds', ''),
    ...checks.map(({ name, state, waited, seconds, note }) =>
      line(name, state, waited.toFixed(1), seconds.toFixed(1), note.split('\n')[0] ?? ''),
    ),
  ].join('\n')
}

function resultOf(checks: readonly CheckResult[], seen: Verification | undefined): object {
  const { authUrl, services, guest } = seen ?? {}
  return { passed: seen !== undefined, checks, authUrl, services, guest }
}
