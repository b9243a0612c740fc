// How long does a cloud miss a pod? Each pod of the plan is deleted without grace, as a crash would end it, one after
// another; the clock runs until every promise of its release is kept again and the APIs answer a real question again.
// Meanwhile a poller asks them all twice a second, and counts what failed.
//
//   bin/pilotlight lab exec --lab small rack node_modules/.bin/node bench/kill-pods.ts \
//     --site lab/racks/small/site.yaml --state lab-state/small/up [--only nova]

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { keystoneUrl } from '#rack/openstack/endpoints.ts'
import { NamespaceView } from '#rack/kubernetes/namespace-view.ts'
import { connectAdmin, type OpenstackClient } from '#rack/openstack/client.ts'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import type { ReleasePlan } from '#rack/charts/plan/plan.ts'
import { judgePod } from '#rack/kubernetes/judge-pod.ts'
import { PromiseWatch } from '#rack/charts/gates/promises.ts'
import { adminPassword } from '#rack/charts/secrets/secrets.ts'
import { withSession } from '#rack/charts/session.ts'
import { kinds, type Pod } from '#rack/kubernetes/objects.ts'
import { sleep, waitUntil } from '#progress/wait.ts'
import { readSiteFile } from '#rack/site/read.ts'

const { values: flags } = parseArgs({
  options: {
    site: { type: 'string', default: 'lab/racks/small/site.yaml' },
    state: { type: 'string', default: 'lab-state/small/up' },
    only: { type: 'string' },
  },
})
const site = await readSiteFile(flags.site)
const plan = planCharts(site)
const password = (await adminPassword(flags.state)) ?? ''
const options = {
  site,
  plan,
  stateDirectory: flags.state,
  kubeconfigPath: join(flags.state, 'kubeconfig'),
}

/** A question to each service that goes all the way to the database, and for Nova to its cells. */
const questions = [
  ['identity', '/services'],
  ['image', '/images'],
  ['network', '/networks'],
  ['compute', '/servers/detail?all_tenants=1'],
  ['placement', '/resource_providers'],
] as const

/** The pods of a release that are not those of jobs. */
function lasting(pods: readonly Pod[], { name }: ReleasePlan): Pod[] {
  return pods.filter(
    ({ metadata, status }) =>
      metadata.labels?.['app.kubernetes.io/instance'] === name &&
      metadata.labels['batch.kubernetes.io/job-name'] === undefined &&
      status?.phase === 'Running',
  )
}

/** Asks all services again and again. */
class Poller {
  #cloud: OpenstackClient | undefined
  #ended = false
  #rounds = 0
  #asked = 0
  #failed = new Map<string, number>()

  async run(): Promise<void> {
    while (!this.#ended) {
      const failed = await this.#askAll()
      this.#rounds = failed ? 0 : this.#rounds + 1
      await sleep(500)
    }
  }

  reset(): void {
    this.#asked = 0
    this.#rounds = 0
    this.#failed = new Map()
  }

  /** Resolves after two rounds in which everything answered. */
  async answered(): Promise<void> {
    await waitUntil('all APIs answer', { limitSeconds: 300, everyMs: 100 }, async () =>
      this.#rounds >= 2 ? { value: true } : { not: [...this.#failed.keys()].join(' ') },
    )
  }

  counts(): object {
    const failed = [...this.#failed].map(([service, count]) => `${service} ${count}`)
    return { questions: this.#asked, 'of them failed': failed.join(', ') || 0 }
  }

  end(): void {
    this.#ended = true
  }

  async #askAll(): Promise<boolean> {
    let failed = false
    const fail = (service: string) => {
      failed = true
      this.#failed.set(service, (this.#failed.get(service) ?? 0) + 1)
    }
    try {
      this.#cloud ??= await connectAdmin(site, password)
    } catch {
      this.#asked += 1
      fail('token')
      return true
    }
    const cloud = this.#cloud
    await Promise.all(
      questions.map(async ([service, path]) => {
        this.#asked += 1
        await cloud.get(service, path).catch(() => fail(service))
      }),
    )
    return failed
  }
}

await withSession(options, [], async ({ api }) => {
  const view = new NamespaceView(api, plan.namespace)
  const poller = new Poller()
  const polling = poller.run()
  const rows: object[] = []
  try {
    for (const release of plan.releases) {
      if (flags.only !== undefined && flags.only !== release.name) continue
      const before = lasting((await view.look()).pods, release)
      for (const pod of before) {
        const { name, uid } = pod.metadata
        poller.reset()
        const began = performance.now()
        await api.remove({ ...kinds.pod, namespace: plan.namespace, name }, { graceSeconds: 0 })
        await waitUntil(`${name} is gone`, { limitSeconds: 60, everyMs: 50 }, async () =>
          (await view.look()).pods.some(({ metadata }) => metadata.uid === uid)
            ? { not: 'there' }
            : { value: true },
        )
        // A new watch each time: one that does not reuse what the earlier one reported.
        const promises = new PromiseWatch(view, keystoneUrl(site), password)
        await waitUntil(`${release.name} is back`, { limitSeconds: 300, everyMs: 100 }, async () => {
          const pods = lasting((await view.look()).pods, release)
          const ready = pods.filter(it => judgePod(it, Date.now()).state === 'ready')
          if (ready.length < before.length)
            return { not: `${ready.length} of ${before.length} pods are ready` }
          const readiness = await promises.look(release)
          return readiness.state === 'ready' ? { value: true } : { not: readiness.reason }
        })
        const kept = (performance.now() - began) / 1000
        await poller.answered()
        const served = (performance.now() - began) / 1000
        rows.push({
          pod: name,
          'promises kept, s': kept.toFixed(1),
          'all APIs answer, s': served.toFixed(1),
          ...poller.counts(),
        })
        console.table(rows.slice(-1))
        await sleep(2000)
      }
    }
  } finally {
    poller.end()
    await polling
    view.close()
  }
  console.table(rows)
})
