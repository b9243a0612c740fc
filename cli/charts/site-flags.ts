// What the verbs of `pilotlight charts` on a site share: their flags, what they work with, and how they print.

import { access } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import { Failure } from '#model/error.ts'
import type { SessionOptions } from '#rack/charts/session.ts'
import { stateOption } from '../options.ts'
import { printJson } from '../terminal/show.ts'

/** The flags of all of them. */
export type ChartsFlags = {
  readonly state: string
  readonly kubeconfig?: string
  readonly tools?: string
  readonly json?: boolean
}

/** Adds the argument SITE and the flags that all charts verbs have. */
export function ofSite(command: Command): Command {
  return command
    .argument('<site>', 'site file')
    .addOption(stateOption())
    .option('--kubeconfig <file>', "the cluster's; by default the one in the state directory")
    .option('--tools <dir>', 'the folder of helm (PATH is searched otherwise)')
    .option('--json', 'as JSON')
}

/** What a verb works with that asks the cluster: the same as `planOf`, with a kubeconfig that lasts, and a helm. */
export async function sessionOf(siteFile: string, flags: ChartsFlags): Promise<SessionOptions> {
  const options = await planOf(siteFile, flags)
  const { kubeconfigPath, site } = options
  if (flags.kubeconfig === undefined) {
    const { freshenKubeconfig } = await import('#rack/up/kubeconfig.ts')
    await freshenKubeconfig(site, options.stateDirectory)
  }
  await access(kubeconfigPath).catch((cause: unknown) => {
    const remedy = 'name the directory that `up` used (--state DIR), or a kubeconfig (--kubeconfig FILE)'
    throw new Failure('NOT_FOUND', `there is no cluster to ask: no ${kubeconfigPath}`, remedy, {
      cause,
    })
  })
  const { requireHelm } = await import('#rack/charts/releases/helm.ts')
  await requireHelm(flags.tools)
  return options
}

/** What a verb works with that asks no cluster: the site file, read and checked, and its plan. */
export async function planOf(siteFile: string, flags: ChartsFlags): Promise<SessionOptions> {
  const { readSiteFile } = await import('#rack/site/read.ts')
  const { siteCharts } = await import('#rack/up/site-charts.ts')
  const site = await readSiteFile(siteFile, flags.state)
  const stateDirectory = resolve(flags.state)
  const tools = flags.tools === undefined ? {} : { tools: flags.tools }
  const { plan, charts } = await siteCharts(siteFile, site, { stateDirectory, ...tools })
  return {
    site,
    plan,
    charts,
    stateDirectory,
    kubeconfigPath: resolve(flags.kubeconfig ?? join(stateDirectory, 'kubeconfig')),
    ...(flags.tools === undefined ? {} : { toolsDirectory: resolve(flags.tools) }),
  }
}

/** Prints a result as JSON where `--json` was given, else its lines. */
export function print({ json }: ChartsFlags, data: object, lines: readonly string[]): void {
  if (json) printJson(data)
  else process.stdout.write(`${lines.join('\n')}\n`)
}

/** A whole number greater than 0 from an argument. */
export function numberOf(text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new InvalidArgumentError('it is a whole number greater than 0')
}
