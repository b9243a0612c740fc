// `pilotlight charts plan`: the releases, and the values of one.

import type { Command } from 'commander'
import type { SessionOptions } from '#rack/charts/session.ts'
import { ofSite, planOf, print, sessionOf, type ChartsFlags } from './site-flags.ts'

export function definePlan(command: Command): void {
  ofSite(command)
    .option('--values [release]', 'every merged value with its origin, of one release or of all')
    .option('--check', 'renders all charts, and checks them against the cluster')
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight charts plan site.yaml\n  pilotlight charts plan site.yaml --values nova\n  pilotlight charts plan site.yaml --check',
    )
    .action(async (site: string, flags: ChartsFlags & { values?: string | true; check?: boolean }) => {
      if (flags.check) return checkPlan(await sessionOf(site, flags), flags)
      const options = await planOf(site, flags)
      const { explainPlan, explainValues } = await import('./explain-plan.ts')
      if (flags.values === undefined && options.site.openstack.charts !== undefined)
        await checkPlanOffline(options)
      const shown =
        flags.values === undefined
          ? explainPlan(options.plan)
          : await explainValues(options.plan, flags.values, options.charts)
      print(flags, shown.data, shown.lines)
    })
}

/**
 * What can be said of another maker's charts without a cluster: whether they render, and whether what they make and wait for fits
 * together.
 */
async function checkPlanOffline(options: Omit<SessionOptions, 'kubeconfigPath'>): Promise<void> {
  const { requireHelm } = await import('#rack/charts/releases/helm.ts')
  await requireHelm(options.toolsDirectory)
  const { PreflightFailed } = await import('#rack/charts/errors.ts')
  const { checkOffline, renderOffline } = await import('#rack/charts/preflight/preflight.ts')
  const problems = checkOffline(options, await renderOffline(options))
  if (problems.length > 0) throw new PreflightFailed(problems)
}

async function checkPlan(options: SessionOptions, flags: ChartsFlags): Promise<void> {
  const { withSession } = await import('#rack/charts/session.ts')
  const { PreflightFailed } = await import('#rack/charts/errors.ts')
  const { checkCluster, renderPlan } = await import('#rack/charts/preflight/preflight.ts')
  const { pods } = await withSession(options, [], async session => {
    const rendered = await renderPlan(session)
    const problems = await checkCluster(session, rendered, { asksServer: true })
    if (problems.length > 0) throw new PreflightFailed(problems)
    return rendered
  })
  const line = `all ${options.plan.releases.length} charts render, the API server takes their objects, and ${pods.length} workloads find their nodes, images, memory, processors, storage, configuration and what they wait for`
  print(flags, { ok: true, workloads: pods }, [line])
}
