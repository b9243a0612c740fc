// The verbs beside apply, against a real kube-apiserver with a real helm: status, diff, rollback, rotation, removal.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { kinds } from '#rack/kubernetes/objects.ts'
import { describeChanges, findChanges } from '#rack/charts/verbs/diff.ts'
import { applyCharts } from '#rack/charts/verbs/apply.ts'
import { describeHistory, readHistory } from '#rack/charts/verbs/history.ts'
import { removeCharts } from '#rack/charts/verbs/uninstall.ts'
import { rollbackRelease } from '#rack/charts/verbs/rollback.ts'
import { rotateSecrets } from '#rack/charts/secrets/rotation.ts'
import { changeSecrets, keptSecrets } from '#rack/charts/secrets/secrets.ts'
import { ourCharts, type ChartSource } from '#rack/charts/sources/ours.ts'
import { readStatus } from '#rack/charts/verbs/status.ts'
import { noCluster, startCluster } from '../cluster.ts'
import { infrastructureOf } from '../infrastructure.ts'

const rootSecret = { ...kinds.secret, namespace: 'openstack', name: 'mariadb-root' }

t.test('the verbs work on a real API server', { skip: noCluster, timeout: 180_000 }, async t => {
  const { api, common, reportUntil } = await startCluster(t)
  const plain = { ...common, ...infrastructureOf() }
  const bigger = { ...common, ...infrastructureOf({ memcached: { conf: { memcached: { memory: 64 } } } }) }
  const memcached = async () => {
    type Deployment = { spec: { template: object } }
    const key = { ...kinds.deployment, namespace: 'openstack', name: 'memcached' }
    return JSON.stringify((await api.read<Deployment>(key))?.spec.template)
  }
  const statesOf = async () => (await readStatus(plain)).map(({ name, state }) => `${name} ${state}`)

  await t.test('what is not installed is absent, and all of it would be', async t => {
    t.strictSame(await statesOf(), ['mariadb absent', 'rabbitmq absent', 'memcached absent'])
    const [first] = describeChanges(await findChanges(plain))
    t.match(first, /^mariadb: would be installed, \d+ objects$/)
    const [, , last] = describeChanges(await findChanges({ ...common, ...withNewAccount(plain) }))
    t.match(last, /^memcached: would be installed, \d+ objects$/, 'no secret of the plan is made yet')
    t.strictSame(await keptSecrets(common.stateDirectory), {}, 'nor by looking')
  })

  await t.test('what is installed and ready is kept, and nothing would change', async t => {
    await reportUntil(applyCharts(plain))
    t.strictSame(await statesOf(), ['mariadb kept', 'rabbitmq kept', 'memcached kept'])
    t.strictSame(describeChanges(await findChanges(plain)), ['nothing would change'])
  })

  await t.test('an account that a chart adds is shown as new, before its secret is made', async t => {
    const lines = describeChanges(await findChanges({ ...common, ...withNewAccount(plain) }))
    t.match(lines, [/^memcached: revision 1 /, /Deployment memcached/])
    t.ok(lines.includes('        + «new»'), lines.join('\n'))
    t.notOk((await keptSecrets(common.stateDirectory))['cache-account'])
  })

  const before = await memcached()
  await t.test('a changed value is shown before it is applied, and only there', async t => {
    const changes = await findChanges(bigger)
    t.strictSame(
      changes.filter(({ objects }) => objects.length > 0).map(({ name }) => name),
      ['memcached'],
    )
    t.match(
      describeChanges(changes).join('\n'),
      /memcached: revision 1 .*Deployment memcached.*- "?32.*\+ "?64/s,
    )
    await reportUntil(applyCharts(bigger))
    t.not(await memcached(), before)
  })

  await t.test('a rollback brings the old revision back, and the next apply the plan', async t => {
    const result = await reportUntil(rollbackRelease(bigger, 'memcached'))
    t.strictSame(result, { release: 'memcached', to: 1, revision: 3 })
    t.equal(await memcached(), before)
    await t.rejects(rollbackRelease(bigger, 'memcached', 9), { message: /It has: 3 2 1/ })
    const { releases } = await reportUntil(applyCharts(bigger))
    t.strictSame(
      releases.filter(({ applied }) => applied).map(({ name }) => name),
      ['memcached'],
    )
  })

  await t.test('a rotated secret rolls just the releases that use it', async t => {
    await changeSecrets(common.stateDirectory, kept =>
      rotateSecrets(plain.plan.secrets, ['mariadb-root'], kept, size => new Uint8Array(size)),
    )
    const { releases } = await reportUntil(applyCharts(bigger))
    t.strictSame(
      releases.filter(({ applied }) => applied).map(({ name }) => name),
      ['mariadb'],
    )
    const secret = await api.read<{ data: { password: string } }>(rootSecret)
    t.equal(Buffer.from(secret?.data.password ?? '', 'base64').toString(), 'A'.repeat(32))
    const again = await applyCharts(bigger)
    t.ok(again.releases.every(({ applied }) => !applied))
  })

  await t.test('the history shows each step, and which revisions can be restored', async t => {
    const history = await readHistory(plain, 100, 'memcached')
    const phases = history.steps.map(({ phase }) => phase)
    t.strictSame(phases.slice(0, 4), ['done', 'gated', 'applying', 'planned'])
    t.match(describeHistory(history).at(-1), /memcached +revision 1 is superseded/)
  })

  await t.test(
    'what Kubernetes does not change is shown, refused, and made anew once it is removed',
    async t => {
      const one = { ...bigger, charts: withTypedSecret('example.org/one'), only: ['memcached'] }
      const two = { ...one, charts: withTypedSecret('example.org/two') }
      await reportUntil(applyCharts(one))
      const text = describeChanges(await findChanges(two)).join('\n')
      t.match(
        text,
        /! Kubernetes does not allow a change of type of Secret typed\. .*delete secret typed --namespace openstack/,
      )
      await t.rejects(applyCharts(two), {
        code: 'CHARTS_FAILED',
        message: /release memcached: Kubernetes does not allow a change of type of Secret typed/,
      })
      await api.remove({ ...kinds.secret, namespace: 'openstack', name: 'typed' })
      t.notMatch(describeChanges(await findChanges(two)).join('\n'), 'does not allow')
      await reportUntil(applyCharts(two))
      const made = await api.read<{ type: string }>({
        ...kinds.secret,
        namespace: 'openstack',
        name: 'typed',
      })
      t.equal(made?.type, 'example.org/two')
    },
  )

  await t.test('removal takes everything away, and twice is as good as once', async t => {
    const options = { ...plain, force: false, purge: false }
    const { removed } = await removeCharts(options)
    t.strictSame(removed.toSorted(), ['mariadb', 'memcached', 'rabbitmq'])
    t.strictSame(await statesOf(), ['mariadb absent', 'rabbitmq absent', 'memcached absent'])
    t.strictSame((await removeCharts(options)).removed, [])
    t.ok(await api.read(rootSecret), 'secrets stay')
  })
})

/** Our charts, with a Secret of a certain type in each: a key that Kubernetes does not change. */
function withTypedSecret(type: string): ChartSource {
  return {
    async unpack(chart, into) {
      const { path, hash } = await ourCharts.unpack(chart, into)
      const secret = `apiVersion: v1\nkind: Secret\nmetadata: { name: typed }\ntype: ${type}\n`
      await writeFile(join(path, 'templates', 'typed.yaml'), secret)
      return { path, hash: `${hash} ${type}` }
    },
  }
}

/** The plan after an update of its charts: one of them gives a text to its server that no secret has yet. */
function withNewAccount({
  site,
  plan,
}: ReturnType<typeof infrastructureOf>): ReturnType<typeof infrastructureOf> {
  const secret = {
    name: 'cache-account',
    entries: { password: { generate: 'password' } },
    isOnlyInValues: true,
  } as const
  const values = { images: { tags: { memcached: 'secret://cache-account/password' } } }
  const releases = plan.releases.map(it =>
    it.name === 'memcached' ? { ...it, layers: [...it.layers, { origin: 'secrets', values }] } : it,
  )
  return { site, plan: { ...plan, releases, secrets: [...plan.secrets, secret] } }
}
