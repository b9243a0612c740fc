// `charts apply` against a real kube-apiserver with a real helm. There is no kubelet: the test reports workloads ready.

import { spawn } from 'node:child_process'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { silentStage, type Stage } from '#progress/stage.ts'
import { valuesOf } from '#rack/charts/plan/plan.ts'
import { newestReleases, revisionsOf } from '#rack/charts/releases/records.ts'
import { keptSecrets } from '#rack/charts/secrets/secrets.ts'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { copyChart } from '#rack/charts/sources/ours.ts'
import { ChartStore, storePath } from '#rack/charts/store.ts'
import { applyCharts } from '#rack/charts/verbs/apply.ts'
import { kinds } from '#rack/kubernetes/objects.ts'
import { findTool } from '../../cluster/api-server.ts'
import { smallSite } from '../../../small-site.ts'
import { noCluster, startCluster } from '../cluster.ts'
import { infrastructureOf } from '../infrastructure.ts'

const namespace = 'openstack'

t.test('charts are applied on a real API server', { skip: noCluster, timeout: 180_000 }, async t => {
  const cluster = await startCluster(t)
  const { root, api, common, kubectl, reportUntil } = cluster
  const { kubeconfigPath, stateDirectory, toolsDirectory } = common
  const workloadUids = async () => {
    const lists = await Promise.all(
      [kinds.statefulset, kinds.deployment].map(kind => api.listMetadata({ ...kind, namespace })),
    )
    return Object.fromEntries(lists.flat().map(({ metadata }) => [metadata.name, metadata.uid]))
  }
  const records = () => api.listMetadata({ ...kinds.secret, namespace, labels: 'owner=helm' })

  await t.test('kill -9 at any time leaves what the next run completes, nothing doubled', async t => {
    const script = join(import.meta.dirname, 'apply-until-killed.ts')
    const first: Record<string, string | undefined> = {}
    for (const milliseconds of [500, 900, 1200, 1500, 1800, 2200]) {
      const { signalCode } = await killedAfter(milliseconds, script, [
        kubeconfigPath,
        stateDirectory,
        toolsDirectory,
      ])
      t.equal(signalCode, 'SIGKILL')
      const uids = await workloadUids()
      for (const [name, uid] of Object.entries(first))
        t.equal(uids[name], uid, `${name} is still the first one`)
      Object.assign(first, uids)
    }
    const applied = applyCharts({ ...common, ...infrastructureOf() })
    await reportUntil(applied)
    const { releases } = await applied
    t.strictSame(
      releases.map(({ name }) => name),
      ['mariadb', 'rabbitmq', 'memcached'],
    )
    const uids = await workloadUids()
    t.match(uids, first)
    t.strictSame(Object.keys(uids).toSorted(), ['mariadb', 'memcached', 'rabbitmq'])
    for (const { status } of newestReleases(revisionsOf(await records())).values())
      t.equal(status, 'deployed')
  })

  await t.test('a rerun of what is as wanted asks helm for nothing', async t => {
    const before = await records()
    const { releases } = await applyCharts({ ...common, ...infrastructureOf() })
    t.ok(releases.every(({ applied }) => !applied))
    t.strictSame(await records(), before)
  })

  await t.test('a release that a killed helm left pending is repaired, and its workload stays', async t => {
    const before = await workloadUids()
    const { revision } = newestReleases(revisionsOf(await records())).get('mariadb') ?? { revision: 0 }
    const record = `sh.helm.release.v1.mariadb.v${revision}`
    await kubectl('label', 'secret', record, 'status=pending-upgrade', '--overwrite')
    const reasons: string[] = []
    const stage = reportingStage(reasons)
    const applied = applyCharts({ ...common, ...infrastructureOf(), stage })
    await reportUntil(applied)
    await applied
    t.ok(
      reasons.some(line => /pending-upgrade: dropping that attempt/.test(line)),
      reasons.join('\n'),
    )
    t.strictSame(await workloadUids(), before)
    t.equal(newestReleases(revisionsOf(await records())).get('mariadb')?.status, 'deployed')
  })

  await t.test('changed values upgrade only their own release', async t => {
    const applied = applyCharts({
      ...common,
      ...infrastructureOf({ memcached: { conf: { memcached: { memory: 64 } } } }),
    })
    await reportUntil(applied)
    const changed = (await applied).releases.filter(it => it.applied).map(({ name }) => name)
    t.strictSame(changed, ['memcached'])
  })

  await t.test('a plan that no node can carry is refused before anything is installed', async t => {
    const before = await records()
    const plan = infrastructureOf({
      memcached: { labels: { default: { node_selector_key: 'rack', node_selector_value: 'nine' } } },
    })
    await t.rejects(applyCharts({ ...common, ...plan }), {
      code: 'PREFLIGHT_FAILED',
      message:
        'release memcached: Deployment memcached wants a node labelled rack=nine; ctl-1 is not\n' +
        '  kubectl label node ctl-1 rack=nine',
    })
    t.strictSame(await records(), before)
  })

  await t.test("what the cluster refuses fails its own release in helm's words", async t => {
    const plan = infrastructureOf({
      memcached: { pod: { resources: { server: { requests: { cpu: 'many' } } } } },
    })
    const applied = applyCharts({ ...common, ...plan })
    await t.rejects(applied, { code: 'CHARTS_FAILED', message: /memcached/ })
    const store = new ChartStore(stateDirectory)
    t.teardown(() => store.close())
    t.match(store.lastStep('memcached'), { phase: 'failed', cause: /memcached/ })
  })

  await t.test('secrets are in Secrets of the cluster and in no file that reveals them', async t => {
    const secret = await api.read<{ data: Record<string, string> }>({
      ...kinds.secret,
      namespace,
      name: 'mariadb-root',
    })
    const password = Buffer.from(secret?.data['password'] ?? '', 'base64').toString()
    t.equal(password, (await keptSecrets(stateDirectory))['mariadb-root']?.['password'])
    for (const entry of await readdir(stateDirectory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      t.notOk((await readFile(path)).includes(password), `${entry.name} does not hold it`)
    }
    t.equal((await stat(storePath(stateDirectory))).mode & 0o777, 0o600)
  })

  await t.test('the API server takes every chart as it is rendered, field for field', async t => {
    for (const release of planCharts(smallSite).releases) {
      const { name } = release
      const { path } = await copyChart(release.chart, join(root, 'strict'))
      const input = JSON.stringify(valuesOf(release))
      const args = ['template', name, path, '--namespace', 'openstack', '--values', '-']
      const { stdout } = await run(findTool('helm') ?? 'helm', args, { limitSeconds: 30, input })
      const apply = ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict']
      await t.resolves(
        run(
          findTool('kubectl') ?? 'kubectl',
          ['--kubeconfig', kubeconfigPath, '-n', 'openstack', ...apply, '-f', '-'],
          {
            limitSeconds: 20,
            input: stdout,
          },
        ),
        name,
      )
    }
  })
})

/** Runs a script in its own process group and kills just its main process, as `kill -9` would. */
function killedAfter(milliseconds: number, script: string, args: readonly string[]) {
  const child = spawn(process.execPath, [script, ...args], { stdio: 'ignore' })
  return new Promise<{ signalCode: string | null }>(resolve => {
    child.on('exit', (_, signalCode) => resolve({ signalCode }))
    setTimeout(() => child.kill('SIGKILL'), milliseconds)
  })
}

function reportingStage(reasons: string[]): Stage {
  const stage: Stage = { ...silentStage, child: () => stage, waiting: reason => void reasons.push(reason) }
  return stage
}
