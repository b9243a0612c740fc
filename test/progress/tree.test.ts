import t from 'tap'
import { StageTree } from '#progress/tree.ts'

t.test(
  'a stage that ends by the failure of another one was stopped, and does not show its reason',
  async t => {
    const tree = new StageTree(() => {})
    const error = new Error('cmp-2 has no disk')
    const boot = tree.root.child('boot')
    const bad = boot.child('cmp-2')
    const other = boot.child('cmp-1')
    const cluster = tree.root.child('cluster')
    bad.failed(error)
    other.failed(error)
    boot.failed(error)
    cluster.failed(error)
    const [shownBoot, shownCluster] = tree.node.children
    const [shownBad, shownOther] = shownBoot?.children ?? []
    t.match(shownBad, { state: 'failed', note: 'cmp-2 has no disk' })
    t.match(shownOther, { state: 'skipped', note: 'stopped, since another stage failed' })
    t.match(shownBoot, { state: 'failed', note: 'cmp-2 has no disk' }, 'it holds the one that failed')
    t.match(shownCluster, { state: 'skipped', note: 'stopped, since another stage failed' })
  },
)
