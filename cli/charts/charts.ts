// `pilotlight charts`: the OpenStack stage by itself, verb by verb.

import { access } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { Failure } from '#model/error.ts'
import { inStage } from '#progress/stage.ts'
import type { SessionOptions } from '#rack/charts/session.ts'
import type { ReleaseStatus } from '#rack/charts/verbs/status.ts'
import { addChartSourceCommands } from './sources.ts'
import { EXIT } from '../exit.ts'
import { freshenKubeconfig } from '../site/kubeconfig.ts'
import { stateOption } from '../options.ts'
import { defineVerify } from './verify.ts'
import { withProgress } from '../terminal/with-progress.ts'

/** What all verbs are told. */
type Flags = {
  readonly state: string
  readonly kubeconfig?: string
  readonly tools?: string
  readonly json?: boolean
}

/** Defines `charts`. */
export function defineCharts(command: Command): void {
  const charts = command.addHelpText(
    'after',
    `
Examples:
  pilotlight charts plan site.yaml                what there would be, and what waits for what
  pilotlight charts plan site.yaml --values nova  every value of a release, and whose it is
  pilotlight charts diff site.yaml                what an apply would change, secrets hidden
  pilotlight charts apply site.yaml nova          only Nova
  pilotlight charts status site.yaml              how everything stands now`,
  )
  addPlan(charts)
  addApply(charts)
  addStatus(charts)
  addDiff(charts)
  addRollback(charts)
  addUninstall(charts)
  addRotate(charts)
  addHistory(charts)
  defineVerify(charts.command('verify').description('boots a guest as a proof, as `pilotlight verify` does'))
  addChartSourceCommands(charts)
}

function verb(charts: Command, name: string, description: string): Command {
  return charts
    .command(name)
    .description(description)
    .argument('<site>', 'site file')
    .addOption(stateOption())
    .option('--kubeconfig <file>', "the cluster's; the state directory's unless told")
    .option('--tools <dir>', 'where helm lies (PATH otherwise)')
    .option('--json', 'as JSON')
}

function addPlan(charts: Command): void {
  verb(charts, 'plan', 'says which releases there are, what each needs and what it promises')
    .option('--values [release]', 'every merged value with its origin, of one release or of all')
    .option('--check', 'renders all charts, and looks whether the cluster can carry them')
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight charts plan site.yaml\n  pilotlight charts plan site.yaml --values nova\n  pilotlight charts plan site.yaml --check',
    )
    .action(async (site: string, flags: Flags & { values?: string | true; check?: boolean }) => {
      if (flags.check) return checkPlan(await optionsOf(site, flags), flags)
      const options = await planOf(site, flags)
      const { explainPlan, explainValues } = await import('./plan.ts')
      const told =
        flags.values === undefined
          ? explainPlan(options.plan)
          : await explainValues(options.plan, flags.values)
      print(flags, told.data, told.lines)
    })
}

async function checkPlan(options: SessionOptions, flags: Flags): Promise<void> {
  const { withSession } = await import('#rack/charts/session.ts')
  const { PreflightFailed } = await import('#rack/charts/errors.ts')
  const { checkCluster, renderPlan } = await import('#rack/charts/preflight/preflight.ts')
  const pods = await withSession(options, [], async session => {
    const rendered = await renderPlan(session)
    const problems = await checkCluster(session, rendered)
    if (problems.length > 0) throw new PreflightFailed(problems)
    return rendered
  })
  const line = `all ${options.plan.releases.length} charts render, and ${pods.length} workloads find their nodes, images, memory and processors`
  print(flags, { ok: true, workloads: pods }, [line])
}

function addApply(charts: Command): void {
  verb(charts, 'apply', 'installs what is not as planned, and waits until every promise is kept')
    .argument('[releases...]', 'only these')
    .addHelpText(
      'after',
      `
Run again after any failure or kill: what is done is only looked at.

Examples:
  pilotlight charts apply site.yaml
  pilotlight charts apply site.yaml nova neutron`,
    )
    .action(async (site: string, releases: string[], flags: Flags) => {
      const options = await optionsOf(site, flags)
      const { applyCharts } = await import('#rack/charts/verbs/apply.ts')
      await withProgress(async ({ stage, signal, summary }) => {
        const only = releases.length === 0 ? {} : { only: releases }
        const result = await applyCharts({ ...options, ...only, stage, signal })
        summary()
        const lines = result.releases.map(
          ({ name, revision, applied }) =>
            `${name.padEnd(12)} revision ${revision}${applied ? '' : ', was there already'}`,
        )
        print(flags, { releases: result.releases }, lines)
      })
    })
}

function addStatus(charts: Command): void {
  verb(charts, 'status', 'shows how every release stands now, without waiting')
    .addHelpText(
      'after',
      `
Exit status 0 when every promise is kept, 1 when one is not.

Examples:
  pilotlight charts status site.yaml
  pilotlight charts status site.yaml --json | jq '.releases[] | select(.state != "kept")'`,
    )
    .action(async (site: string, flags: Flags) => {
      const { readStatus } = await import('#rack/charts/verbs/status.ts')
      const releases = await readStatus(await optionsOf(site, flags))
      print(flags, { releases }, releases.flatMap(describeStatus))
      if (releases.some(({ state }) => state !== 'kept')) process.exitCode = EXIT.failed
    })
}

function describeStatus({ name, state, revision, helm, reason, remedy, pods }: ReleaseStatus): string[] {
  const glyph = { kept: '✓', waiting: '◐', broken: '✗', absent: '–' }[state]
  const ready = pods.filter(pod => pod.ready).length
  const head = `${glyph} ${name.padEnd(12)} ${state.padEnd(8)}`
  const told = revision === undefined ? '' : ` revision ${revision} ${helm}, ${ready} of ${pods.length} pods`
  return [
    `${head}${told}`.trimEnd(),
    ...(reason === undefined ? [] : [`    ${reason}`]),
    ...(remedy === undefined ? [] : [`    ${remedy}`]),
    ...pods.flatMap(pod =>
      pod.ready || pod.reason === undefined || pod.reason === reason ? [] : [`    ${pod.reason}`],
    ),
  ]
}

function addDiff(charts: Command): void {
  verb(charts, 'diff', 'shows what an apply would change, object by object, secrets hidden')
    .argument('[releases...]', 'only these')
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight charts diff site.yaml\n  pilotlight charts diff site.yaml nova',
    )
    .action(async (site: string, releases: string[], flags: Flags) => {
      const options = await optionsOf(site, flags)
      const { describeChanges, findChanges } = await import('#rack/charts/verbs/diff.ts')
      const { chosenOf } = await import('#rack/charts/plan/plan.ts')
      const plan = releases.length === 0 ? options.plan : chosenOf(options.plan, releases)
      const changes = await findChanges({ ...options, plan })
      print(flags, { releases: changes }, describeChanges(changes))
    })
}

function addRollback(charts: Command): void {
  verb(charts, 'rollback', 'brings an earlier revision of a release back, and waits for its promises')
    .argument('<release>', 'which')
    .argument('[revision]', 'the one before the last unless told', numberOf)
    .addHelpText(
      'after',
      `
Objects and values come back; what a newer version did to the database stays. The next apply installs the plan again.

Examples:
  pilotlight charts history site.yaml nova
  pilotlight charts rollback site.yaml nova 3`,
    )
    .action(async (site: string, release: string, revision: number | undefined, flags: Flags) => {
      const options = await optionsOf(site, flags)
      const { rollbackRelease } = await import('#rack/charts/verbs/rollback.ts')
      await withProgress(async ({ stage, signal, summary }) => {
        const result = await inStage(stage, release, work =>
          rollbackRelease({ ...options, stage: work, signal }, release, revision),
        )
        summary()
        print(flags, result, [`${release} is as in revision ${result.to}, now revision ${result.revision}`])
      })
    })
}

function addUninstall(charts: Command): void {
  verb(charts, 'uninstall', 'removes the releases, what needs others first; never under running servers')
    .argument('[releases...]', 'only these')
    .option('--force', 'although servers exist: they end, and with --purge their disks go')
    .option('--purge', 'cleans the machines too: guests, networks, data; removes namespace and Secrets')
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight charts uninstall site.yaml heat\n  pilotlight charts uninstall site.yaml --purge',
    )
    .action(async (site: string, releases: string[], flags: Flags & { force?: boolean; purge?: boolean }) => {
      const options = await optionsOf(site, flags)
      const { removeCharts } = await import('#rack/charts/verbs/uninstall.ts')
      const { force = false, purge = false } = flags
      if (purge && releases.length > 0)
        throw new Failure('BAD_OPTION', '--purge cleans up after everything', 'name no release with it')
      await withProgress(async ({ stage, signal, summary }) => {
        const only = releases.length === 0 ? {} : { only: releases }
        const result = await removeCharts({ ...options, ...only, force, purge, stage, signal })
        summary()
        print(flags, result, [
          `removed: ${result.removed.join(' ') || 'nothing was there'}${purge ? '; the machines are clean' : ''}`,
        ])
      })
    })
}

function addRotate(charts: Command): void {
  verb(charts, 'rotate', 'gives secrets new texts, and brings them to the services that use them')
    .argument('[secrets...]', 'for example nova-db keystone-fernet-keys')
    .option('--all', 'every secret that can be rotated')
    .addHelpText(
      'after',
      `
A new password is set by the service's own job; its pods are made anew beside. In between, new connections of the old
pods are refused, for seconds. Keystone's Fernet keys move on without any of that.

Examples:
  pilotlight charts rotate site.yaml nova-db keystone-fernet-keys
  pilotlight charts rotate site.yaml --all`,
    )
    .action(async (site: string, names: string[], flags: Flags & { all?: boolean }) => {
      if ((names.length === 0) !== (flags.all === true))
        throw new Failure('BAD_OPTION', 'rotate what?', 'name secrets, or say --all')
      const options = await optionsOf(site, flags)
      const { rotateAndApply } = await import('#rack/charts/verbs/rotate.ts')
      await withProgress(async ({ stage, signal, summary }) => {
        const all = flags.all ? 'all' : names
        const { releases, rotated: secrets } = await rotateAndApply({ ...options, stage, signal }, all)
        const rotated = secrets.map(({ name, version }) => `${name} version ${version}`)
        summary()
        const rolled = releases.filter(({ applied }) => applied).map(({ name }) => name)
        print(flags, { rotated, rolled }, [
          `rotated: ${rotated.join(', ')}`,
          `rolled: ${rolled.join(' ') || 'nothing had to be'}`,
        ])
      })
    })
}

function addHistory(charts: Command): void {
  verb(charts, 'history', 'lists the steps that were taken, and the revisions that can come back')
    .argument('[release]', 'only of this one')
    .option('--limit <steps>', 'how many', numberOf, 40)
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight charts history site.yaml\n  pilotlight charts history site.yaml nova',
    )
    .action(async (site: string, release: string | undefined, flags: Flags & { limit: number }) => {
      const options = await optionsOf(site, flags)
      const { readHistory, describeHistory } = await import('#rack/charts/verbs/history.ts')
      const history = await readHistory(options, flags.limit, release)
      print(flags, history, describeHistory(history))
    })
}

/** The same as `planOf`, for verbs that ask the cluster. */
async function optionsOf(siteFile: string, flags: Flags): Promise<SessionOptions> {
  const options = await planOf(siteFile, flags)
  const { kubeconfigPath, site } = options
  if (flags.kubeconfig === undefined) await freshenKubeconfig(site, options.stateDirectory)
  await access(kubeconfigPath).catch((cause: unknown) => {
    const remedy = 'name the directory that `up` used (--state DIR), or a kubeconfig (--kubeconfig FILE)'
    throw new Failure('NOT_FOUND', `there is no cluster to ask: no ${kubeconfigPath}`, remedy, {
      cause,
    })
  })
  const { requireHelm } = await import('#rack/up/site-charts.ts')
  await requireHelm(flags.tools)
  return options
}

/** Reads and checks the site file, and says where everything lies. */
async function planOf(siteFile: string, flags: Flags): Promise<SessionOptions> {
  const { readSiteFile } = await import('#rack/site/read.ts')
  const { siteCharts } = await import('#rack/up/site-charts.ts')
  const site = await readSiteFile(siteFile)
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

function print({ json }: Flags, data: object, lines: readonly string[]): void {
  const text = json
    ? JSON.stringify({ apiVersion: 'pilotlight/v1', ...data }, undefined, 2)
    : lines.join('\n')
  process.stdout.write(`${text}\n`)
}

function numberOf(text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new Failure('BAD_OPTION', `"${text}" is no number`, 'give a whole number greater than 0')
}
