// The upgrade of a rack: a real server, machines that ask it as the program on them does, and a cluster that plays the API.

import t, { type Test } from 'tap'
import { Failure } from '#model/error.ts'
import type { OrderAsk } from '#model/install.ts'
import { silentStage } from '#progress/stage.ts'
import { sleep } from '#progress/wait.ts'
import { ServerClient } from '#client/server.ts'
import { CORDONED_BY } from '#rack/kubernetes/drain.ts'
import { upgradeOs, type UpgradeOptions } from '#rack/up/upgrade-os.ts'
import { refuse, scriptApi, sendJson, type Exchange } from '../kubernetes/scripted-api.ts'
import { NEW, OLD, rackOf, type Rack } from '../../server/upgrade-rack.ts'

t.setTimeout(180_000)

type TestNode = { unschedulable?: boolean | null; annotations: Record<string, string | null>; ready: boolean }
type TestPod = { name: string; node: string; owner?: string; mirror?: boolean; held?: boolean }

/** A cluster with a node for each machine; what is done to it is in `log`. */
async function clusterOf(t: Test, names: readonly string[], pods: TestPod[] = []) {
  const nodes = new Map<string, TestNode>(names.map(name => [name, { annotations: {}, ready: true }]))
  const log: string[] = []
  const nodeOf = (name: string) => {
    const { unschedulable, annotations, ready } = nodes.get(name)! // asked for by name, of `names`
    const labels = name.startsWith('ctl') ? { 'node-role.kubernetes.io/control-plane': '' } : {}
    const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False', message: 'kubelet stopped' }]
    return { metadata: { name, annotations, labels }, spec: { unschedulable }, status: { conditions } }
  }
  const api = await scriptApi(t, ({ query, body, answer }: Exchange) => {
    const asked = api.asked.at(-1) ?? ''
    const [method = '', path = ''] = asked.split(' ')
    const name = /nodes\/([a-z0-9-]+)/.exec(path)?.[1]
    const node = name === undefined ? undefined : nodes.get(name)
    if (/eviction/.test(path)) {
      const pod = pods.find(one => path.includes(`/pods/${one.name}/`))
      if (pod?.held === true) return refuse(answer, 429, 'Cannot evict pod: the disruption budget db needs 1')
      log.push(`evict ${pod?.name}`)
      if (pod !== undefined) pods.splice(pods.indexOf(pod), 1)
      return sendJson(answer, 201, {})
    }
    if (path.startsWith('/api/v1/pods')) {
      const of = query.get('fieldSelector')?.replace('spec.nodeName=', '')
      const items = pods.filter(one => one.node === of).map(podOf)
      return sendJson(answer, 200, { items, metadata: { resourceVersion: '1' } })
    }
    if (name !== undefined && node === undefined) return refuse(answer, 404, 'no such node')
    if (method === 'PATCH' && name !== undefined && node !== undefined) {
      const change = JSON.parse(body) as { metadata: object; spec: { unschedulable: boolean | null } }
      node.unschedulable = change.spec.unschedulable
      const { annotations } = change.metadata as { annotations: Record<string, string | null> }
      for (const [key, value] of Object.entries(annotations))
        if (value === null) delete node.annotations[key]
        else node.annotations[key] = value
      log.push(`${change.spec.unschedulable === true ? 'cordon' : 'uncordon'} ${name}`)
      return sendJson(answer, 200, nodeOf(name))
    }
    if (name !== undefined) return sendJson(answer, 200, nodeOf(name))
    const controllers = names.filter(one => one.startsWith('ctl')).map(nodeOf)
    sendJson(answer, 200, { items: controllers, metadata: { resourceVersion: '1' } })
  })
  return { client: api.client, nodes, log, pods }
}

function podOf({ name, owner, mirror }: TestPod) {
  const ownerReferences = owner === undefined ? [] : [{ kind: owner, name: 'x', controller: true }]
  const annotations = mirror === true ? { 'kubernetes.io/config.mirror': 'x' } : {}
  return {
    metadata: { name, namespace: 'openstack', ownerReferences, annotations },
    status: { phase: 'Running' },
  }
}

/** How machines behave: one that is `bad` returns to its old image, one that is off asks nothing. */
type Behaviour = Readonly<Record<string, 'good' | 'bad' | 'off' | 'full'>>

/** Machines as they ask, until the test ends; gives the order of their restarts. */
function runMachines(
  t: Test,
  rack: Rack,
  names: readonly string[],
  behaves: Behaviour = {},
  nodes?: Map<string, TestNode>,
) {
  const restarts: string[] = []
  const stop = new AbortController()
  const live = async (name: string) => {
    let starts = 1
    const says: { -readonly [Key in keyof OrderAsk]?: OrderAsk[Key] } & { good: boolean } = {
      version: OLD,
      good: true,
    }
    while (!stop.signal.aborted) {
      const kernel = `00000000-0000-4000-8000-00000000000${starts}`
      // More often than a machine asks, so it may be told to wait.
      const answer = await rack.ask(name, { ...says, kernel }).catch(() => ({ do: 'nothing' }) as const)
      const behaviour = behaves[name] ?? 'good'
      if (answer.do === 'write') {
        const doing = behaviour === 'full' ? 'failed' : 'written'
        Object.assign(says, {
          doing,
          target: answer.version,
          ...(doing === 'failed' && { why: 'the slot is too small' }),
        })
      }
      if (answer.do === 'reboot') {
        restarts.push(name)
        const node = nodes?.get(name)
        if (node) node.ready = false
        starts += 1
        delete says.doing
        if (behaviour !== 'bad') says.version = NEW
        await sleep(50)
        if (node) node.ready = true
        await rack.report(name, 'booted', says.version)
        await rack.report(name, 'ready', says.version)
      }
      await sleep(600)
    }
  }
  const all = names.filter(name => behaves[name] !== 'off').map(name => live(name).catch(() => {}))
  t.teardown(async () => {
    stop.abort()
    await Promise.all(all)
  })
  return restarts
}

const options: UpgradeOptions = {
  breakQuorum: false,
  writeLimitSeconds: 20,
  drainLimitSeconds: 10,
  restartLimitSeconds: 30,
  everyMs: 100,
}
const clientOf = ({ server }: Rack) =>
  new ServerClient(server.url, server.admin.authorization.replace('Bearer ', ''))
const named = (names: readonly string[]) =>
  names.map(name => ({ name, role: name.startsWith('ctl') ? 'controller' : 'compute' }))

t.test(
  'upgrades a rack: each node is drained, restarted and given back before the next, controllers last',
  async t => {
    const names = ['ctl-1', 'ctl-2', 'ctl-3', 'cmp-1']
    const rack = await rackOf(t, names)
    const cluster = await clusterOf(t, names, [
      { name: 'api-0', node: 'cmp-1', owner: 'ReplicaSet' },
      { name: 'agent-0', node: 'cmp-1', owner: 'DaemonSet' },
      { name: 'bare', node: 'cmp-1' },
      { name: 'static', node: 'ctl-1', owner: 'Node', mirror: true },
    ])
    const restarts = runMachines(t, rack, names, {}, cluster.nodes)
    const needs = { server: clientOf(rack), cluster: cluster.client }
    const outcomes = await upgradeOs(named(names), needs, options, silentStage)
    t.same(
      outcomes,
      names.map(machine => ({ machine, target: NEW, state: 'done' })),
    )
    t.equal(restarts[0], 'cmp-1')
    t.same(
      restarts.toSorted((a, b) => a.localeCompare(b)),
      names.toSorted((a, b) => a.localeCompare(b)),
      'each once',
    )
    t.same(cluster.log.slice(0, 3), ['cordon cmp-1', 'evict api-0', 'uncordon cmp-1'])
    t.same(
      cluster.log.filter(line => line.includes('ctl')),
      restarts.slice(1).flatMap(name => [`cordon ${name}`, `uncordon ${name}`]),
    )
    t.same(
      [...cluster.nodes.values()].map(({ annotations }) => annotations),
      [{}, {}, {}, {}],
    )
    t.same(
      cluster.pods.map(({ name }) => name),
      ['agent-0', 'bare', 'static'],
      'what would be lost is not evicted',
    )
    const again = await upgradeOs(named(names), needs, options, silentStage)
    t.ok(again.every(({ state }) => state === 'done'))
    t.equal(restarts.length, 4, 'a second time nothing restarts')
  },
)

t.test(
  'stops at the first machine that runs the old image again, and leaves the others as they are',
  async t => {
    const names = ['cmp-1', 'cmp-2']
    const rack = await rackOf(t, names)
    const cluster = await clusterOf(t, names)
    const restarts = runMachines(t, rack, names, { 'cmp-1': 'bad', 'cmp-2': 'bad' }, cluster.nodes)
    const needs = { server: clientOf(rack), cluster: cluster.client }
    await t.rejects(upgradeOs(named(names), needs, options, silentStage), {
      code: 'UPGRADE_FAILED',
      message: /was not upgraded to 1111bbbb1111: it restarted, and runs 8f3c0d2a91b4 again.*did not restart/,
      remedy: /kubectl uncordon/,
    })
    t.equal(restarts.length, 1)
  },
)

t.test('a machine that cannot write fails before anything is drained', async t => {
  const rack = await rackOf(t, ['cmp-1'])
  const cluster = await clusterOf(t, ['cmp-1'])
  runMachines(t, rack, ['cmp-1'], { 'cmp-1': 'full' })
  const needs = { server: clientOf(rack), cluster: cluster.client }
  await t.rejects(upgradeOs(named(['cmp-1']), needs, options, silentStage), {
    code: 'UPGRADE_FAILED',
    message: /the slot is too small/,
  })
  t.same(cluster.log, [])
})

t.test('a machine that is off stays ordered, and keeps no other from its upgrade', async t => {
  const names = ['cmp-1', 'cmp-2']
  const rack = await rackOf(t, names)
  const cluster = await clusterOf(t, names)
  runMachines(t, rack, names, { 'cmp-1': 'off' }, cluster.nodes)
  const needs = { server: clientOf(rack), cluster: cluster.client }
  const outcomes = await upgradeOs(named(names), needs, { ...options, writeLimitSeconds: 4 }, silentStage)
  t.match(outcomes, [
    { machine: 'cmp-1', state: 'ordered' },
    { machine: 'cmp-2', state: 'done' },
  ])
})

t.test('a machine that writes for long is waited for, and one that asks nothing is not', async t => {
  const names = ['cmp-1', 'cmp-2']
  const rack = await rackOf(t, names)
  const needs = { server: clientOf(rack), cluster: undefined }
  await rack.order(['cmp-1'])
  t.match(await rack.ask('cmp-1'), { do: 'write' })
  const limits = { ...options, writeLimitSeconds: 20, askLimitSeconds: 1 }
  const upgrade = upgradeOs(named(['cmp-1']), needs, limits, silentStage)
  const started = performance.now()
  const writing = async () => {
    for (let at = 0; at < 5; at += 1) {
      await rack.ask('cmp-1', { doing: 'writing', target: NEW })
      await sleep(600)
    }
    await rack.ask('cmp-1', { doing: 'written', target: NEW })
    runMachines(t, rack, ['cmp-1'])
  }
  const [outcomes] = await Promise.all([upgrade, writing()])
  t.match(outcomes, [{ state: 'done' }])
  t.ok(performance.now() - started > 3000)
  const off = await upgradeOs(named(['cmp-2']), needs, { ...limits, writeLimitSeconds: 3600 }, silentStage)
  t.match(off, [{ machine: 'cmp-2', state: 'ordered' }])
})

t.test('a pod that may not leave keeps its node from restarting, and the node is given back', async t => {
  const rack = await rackOf(t, ['cmp-1'])
  const cluster = await clusterOf(
    t,
    ['cmp-1'],
    [{ name: 'db-0', node: 'cmp-1', owner: 'StatefulSet', held: true }],
  )
  const restarts = runMachines(t, rack, ['cmp-1'], {}, cluster.nodes)
  const needs = { server: clientOf(rack), cluster: cluster.client }
  await t.rejects(upgradeOs(named(['cmp-1']), needs, { ...options, drainLimitSeconds: 1 }, silentStage), {
    code: 'WAITED_TOO_LONG',
    message: /openstack\/db-0: Cannot evict pod: the disruption budget db needs 1/,
    remedy: /--drain-limit/,
  })
  t.same(cluster.log, ['cordon cmp-1', 'uncordon cmp-1'])
  t.same(restarts, [])
  const held = cluster.pods[0]
  if (held) held.held = false
  t.match(
    await upgradeOs(named(['cmp-1']), needs, options, silentStage),
    [{ state: 'done' }],
    'the same again goes on',
  )
})

t.test(
  'goes on after it was interrupted while a machine restarts; a node that an operator cordoned stays so',
  async t => {
    const names = ['cmp-1', 'cmp-2']
    const rack = await rackOf(t, names)
    const cluster = await clusterOf(t, names)
    const own = cluster.nodes.get('cmp-2')
    if (own) own.unschedulable = true
    const stop = new AbortController()
    const needs = { server: clientOf(rack), cluster: cluster.client }
    await rack.order(['cmp-1'])
    await rack.ask('cmp-1')
    await rack.ask('cmp-1', { doing: 'written', target: NEW })
    const first = upgradeOs(named(['cmp-1']), needs, { ...options, signal: stop.signal }, silentStage)
    for (let at = 0; at < 100 && (await rack.orders())['cmp-1']?.state !== 'rebooting'; at += 1)
      await sleep(100)
    stop.abort()
    await t.rejects(first)
    t.equal(
      cluster.nodes.get('cmp-1')?.annotations[CORDONED_BY],
      `upgrade to ${NEW}`,
      'it is drained, and stays so',
    )
    const restarts = runMachines(t, rack, names, {}, cluster.nodes)
    t.match(await upgradeOs(named(names), needs, options, silentStage), [
      { state: 'done' },
      { state: 'done' },
    ])
    t.same(
      restarts.toSorted((a, b) => a.localeCompare(b)),
      names,
    )
    t.match([...cluster.nodes.values()], [{ unschedulable: null }, { unschedulable: true }])
  },
)

t.test('an only controller takes a word, and nothing is ordered without it', async t => {
  const rack = await rackOf(t, ['ctl-1'])
  const cluster = await clusterOf(t, ['ctl-1'])
  const needs = { server: clientOf(rack), cluster: cluster.client }
  await t.rejects(upgradeOs(named(['ctl-1']), needs, options, silentStage), { code: 'BREAKS_QUORUM' })
  t.same(await rack.orders(), {})
  runMachines(t, rack, ['ctl-1'], {}, cluster.nodes)
  const outcomes = await upgradeOs(named(['ctl-1']), needs, { ...options, breakQuorum: true }, silentStage)
  t.match(outcomes, [{ state: 'done' }])
})

t.test('goes on while its server is started again', async t => {
  const rack = await rackOf(t, ['cmp-1'])
  const server = clientOf(rack)
  let looks = 0
  const away = {
    order: server.order.bind(server),
    restart: server.restart.bind(server),
    orders: async () => {
      looks += 1
      if (looks % 2 === 1) throw new Failure('SERVER_UNREACHABLE', 'no answer from the server', 'start it')
      return server.orders()
    },
  }
  runMachines(t, rack, ['cmp-1'])
  const needs = { server: away, cluster: undefined }
  t.match(await upgradeOs(named(['cmp-1']), needs, options, silentStage), [{ state: 'done', target: NEW }])
})

t.test('without a cluster machines restart with what runs there', async t => {
  const rack = await rackOf(t, ['cmp-1'])
  runMachines(t, rack, ['cmp-1'])
  const needs = { server: clientOf(rack), cluster: undefined }
  t.match(await upgradeOs(named(['cmp-1']), needs, options, silentStage), [{ state: 'done', target: NEW }])
})
